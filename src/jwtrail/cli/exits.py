"""Exit codes, and what becomes of an error: one line on stderr and a code, never a traceback for what a user can mend."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from jwtrail.cli.plain import visible
from jwtrail.errors import ConfigError, CorruptionError, IntegrityError, JwtrailError, KqlError, QueryError

__all__ = [
    "BROKEN",
    "ERROR",
    "FOUND",
    "INTERRUPTED",
    "OK",
    "SIGN_IN",
    "USAGE",
    "code_of",
    "one_line",
    "orderly",
]

OK = 0
ERROR = 1
USAGE = 2
FOUND = 3
SIGN_IN = 4
BROKEN = 5
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

_FORBIDDEN = "run it as the user that the data directory belongs to"
"""Its files are for that user alone."""

_CODES: tuple[tuple[type[JwtrailError], int], ...] = (
    (IntegrityError, BROKEN),
    (CorruptionError, BROKEN),
    (QueryError, USAGE),
    (ConfigError, USAGE),
)


def code_of(error: JwtrailError) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ERROR)


def one_line(error: JwtrailError) -> str:
    """`jwtrail: error: where: message`, with the hint on a line of its own; a query's error points at the place."""
    place = f"{visible(error.where)}: " if error.where else ""
    lines = [f"jwtrail: error: {place}{visible(error.message)}"]
    if isinstance(error, KqlError):
        lines += [f"  {line}" for line in _caret(error)]
    if error.hint:
        lines.append(f"  hint: {visible(error.hint)}")
    return "\n".join(lines)


@contextmanager
def orderly() -> Iterator[None]:
    """Turns what ends a command into a message and an exit code."""
    try:
        yield
    except JwtrailError as error:
        click.echo(one_line(error), err=True)
        sys.exit(code_of(error))
    except BrokenPipeError:
        # The reader has what it wanted. The interpreter would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except OSError as error:
        if error.filename is None:  # nothing a user named: a bug, and worth its traceback
            raise
        click.echo(f"jwtrail: error: {visible(str(error.filename))}: {error.strerror}", err=True)
        if isinstance(error, PermissionError):
            click.echo(f"  hint: {_FORBIDDEN}", err=True)
        sys.exit(ERROR)
    except KeyboardInterrupt:
        _interrupted()
    except RuntimeError as error:
        # What DuckDB makes of Ctrl+C while it runs a statement: of an audit or an export as well as of a query.
        if str(error) != "Query interrupted":
            raise
        _interrupted()


def _interrupted() -> NoReturn:
    click.echo(err=True)
    sys.exit(INTERRUPTED)


def _caret(error: KqlError) -> list[str]:
    line, marks = error.caret.split("\n")
    # A tab would move the carets, and what is made visible gets longer: one character each keeps them below the place.
    flat = "".join(letter if letter.isprintable() else "�" for letter in line)
    return [flat, marks]
