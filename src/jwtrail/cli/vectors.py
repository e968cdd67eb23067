"""`jwtrail token check --batch`: tokens with everything they are judged by, one a line, for test vectors."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import click

from jwtrail import clock
from jwtrail.cli.common import json_line, note
from jwtrail.cli.exits import USAGE

__all__ = ["MAX_LINE", "check"]

MAX_LINE = 64 * 1024 * 1024
"""Characters of one vector: a pathological token of many megabytes must still be readable, to be refused."""


@click.command()
@click.option(
    "--batch", is_flag=True, required=True, help="One JSON object a line on stdin, one answer a line."
)
def check(batch: bool) -> None:  # noqa: ARG001  # says how stdin is to be read
    """Judge test vectors: no settings, keys, state or clock of this machine take part.

    \b
    jwtrail token check --batch < vectors.ndjson > verdicts.ndjson

    A vector has id, layer (jws or jwt), token, key, alg_allowed, policy and now, and where it matters state, request and
    dpop. The answer has id, verdict (accept or reject), reason and ms. Exit code 2 when a line is no vector.
    """
    unread = 0
    for number, line in _lines(sys.stdin):
        try:
            json_line(_answer(_vector(line)))
        except (ValueError, RecursionError) as error:
            unread += 1
            note(f"line {number}: {error}")
    if unread:
        sys.exit(USAGE)


def _vector(line: str) -> dict[str, Any]:
    made = json.loads(line)  # not msgspec: a token in a vector may hold half a surrogate pair
    if not isinstance(made, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # a bad vector, whatever is wrong with it
    return made


def _answer(vector: dict[str, Any]) -> dict[str, Any]:
    from jwtrail.tokens.vectors import judge  # noqa: PLC0415

    began = clock.monotonic_ns()
    reason = judge(vector)
    return {
        "id": vector.get("id"),
        "verdict": "reject" if reason else "accept",
        "reason": reason,
        "ms": round((clock.monotonic_ns() - began) / 1e6, 3),
    }


def _lines(stream: TextIO) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers.

    Raises:
        click.UsageError: a line is longer than `MAX_LINE`.
    """
    read: Iterable[str] = iter(lambda: stream.readline(MAX_LINE + 1), "")
    for number, line in enumerate(read, 1):
        if len(line) > MAX_LINE:
            raise click.UsageError(f"line {number} is longer than {MAX_LINE} characters")
        if line.strip():
            yield number, line
