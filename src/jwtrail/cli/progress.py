"""A bar on stderr while a person looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jwtrail.cli.common import console

__all__ = ["progress"]


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function that takes (done, in all); None when nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing)
        yield lambda done, total: bar.update(task, completed=done, total=total)
