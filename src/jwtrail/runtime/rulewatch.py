"""Notices when rule files change, so that the daemon takes them without a restart."""

from collections.abc import Iterable
from pathlib import Path

from jwtrail.sigma.load import MAX_FILES

__all__ = ["RuleWatch"]


class RuleWatch:
    """Looks at names, sizes and times of the rule files below some directories; reads none of them."""

    def __init__(self, directories: Iterable[str | Path]) -> None:
        self._directories = tuple(map(Path, directories))
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether anything is different from the last time this was asked, or from the beginning."""
        now = self._look()
        different = now != self._seen
        self._seen = now
        return different

    def _look(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for directory in self._directories:
            for path in directory.rglob("*.y*ml"):
                try:
                    info = path.stat()
                except OSError:  # gone between listing and looking; the next look sees it so
                    continue
                found.append((str(path), info.st_size, info.st_mtime_ns))
                if len(found) > MAX_FILES:
                    break
        return tuple(sorted(found))
