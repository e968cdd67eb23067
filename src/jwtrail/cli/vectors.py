"""`jwtrail token check --batch`: tokens with everything they are judged by, one a line, for test vectors."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import click

from jwtrail import clock
from jwtrail.cli.common import note
from jwtrail.cli.exits import USAGE
from jwtrail.cli.plain import visible

__all__ = ["MAX_LINE", "answer_of", "check"]

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
    dpop. The answer has id, verdict (accept or reject), reason and ms. A line that is no vector is answered with reject, no
    reason, and error; then the exit code is 2.
    """
    unread = False
    for number, line in _lines(sys.stdin):
        answer = answer_of(line)
        click.echo(_json(answer))
        if "error" in answer:
            unread = True
            note(f"line {number}: {answer['error']}")
    if unread:
        sys.exit(USAGE)


def answer_of(line: str) -> dict[str, Any]:
    """The answer to a line, whatever it is; `error` says why it is no vector."""
    from jwtrail.tokens.vectors import judge  # noqa: PLC0415

    vector: Any = None
    began = clock.monotonic_ns()
    try:
        vector = json.loads(line)  # not msgspec: a token in a vector may hold half a surrogate pair
        if not isinstance(vector, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004, TRY301  # a bad vector, whatever is wrong with it
        reason = judge(vector)
        judged = {"verdict": "reject" if reason else "accept", "reason": reason}
    except (ValueError, RecursionError) as error:
        judged = {"verdict": "reject", "reason": None, "error": visible(str(error))}
    ms = round((clock.monotonic_ns() - began) / 1e6, 3)
    return {"id": vector.get("id") if isinstance(vector, dict) else None, **judged, "ms": ms}


def _json(answer: dict[str, Any]) -> str:
    """One line of ASCII; an id that JSON cannot hold (`1e999`), or that is too deep, is left out."""
    try:
        return json.dumps(answer, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return json.dumps({**answer, "id": None}, separators=(",", ":"))


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
