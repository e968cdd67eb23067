"""What lies in a data directory and is no part of the trail: harmless where nobody looks, damage where a part belongs."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from jwtrail import clock
from jwtrail.trail.fsck.report import Findings

__all__ = ["name_strays"]

LEFT_SECONDS = 3600
"""Age at which a file that was being made is one that something left behind: a segment of a million rows takes a minute."""

_DIRECTORIES = ("wal", "head", "segments", "tlog", "tlog/tile", "keys", "index")
_FILES = (
    "LOCK",
    "HOLD",
    "restricted.json",
    "manifest.json",
    "head/order.ndjson",
    "tlog/checkpoint",
    "tlog/segments",
    "tlog/witnessed",
)
_WRITER = re.compile(r"[0-9a-f]{16}")
_NAMES = {
    "head": re.compile(r"order\.ndjson"),
    "segments": re.compile(r"[0-9]{12}-[0-9]{12}(\.[1-9][0-9]{0,5})?\.parquet"),
    "tlog": re.compile(r"checkpoint|segments|witnessed|tile"),
}
_LOG = re.compile(r"[0-9]{12}(\.[1-9][0-9]{0,5})?\.ndjson")


def name_strays(root: Path, findings: Findings) -> None:
    """Name what is in the wrong place. Looks at names and kinds only; tiles are held against the tree elsewhere."""
    for name in (*_DIRECTORIES, *_FILES):
        path = root / name
        if os.path.lexists(path) and not (path.is_dir() if name in _DIRECTORIES else path.is_file()):
            what = "a directory" if name in _DIRECTORIES else "a file"
            findings.add("foreign", f"it is not {what}", file=name)
    for name, pattern in _NAMES.items():
        for one in _listed(root / name):
            _judge(one, f"{name}/{one.name}", pattern, findings)
    for one in _listed(root / "wal"):
        if not _WRITER.fullmatch(one.name):
            _foreign(f"wal/{one.name}", findings)
        elif not one.is_dir(follow_symlinks=False):
            findings.add("foreign", "it is not a directory", file=f"wal/{one.name}")
        else:
            for log in _listed(Path(one.path)):
                _judge(log, f"wal/{one.name}/{log.name}", _LOG, findings)


def _judge(one: "os.DirEntry[str]", name: str, pattern: re.Pattern[str], findings: Findings) -> None:
    if pattern.fullmatch(one.name):
        if name not in (*_DIRECTORIES, *_FILES) and not one.is_file(follow_symlinks=False):
            findings.add("foreign", "it is not a file", file=name)
    elif one.name.endswith(".tmp") and not one.is_dir(follow_symlinks=False):
        if _age(one) > LEFT_SECONDS:
            findings.add("foreign", "it was being made when something stopped", file=name, note=True)
    else:
        _foreign(name, findings)


def _foreign(name: str, findings: Findings) -> None:
    findings.add("foreign", "it is no part of the trail", file=name, note=True)


def _listed(directory: Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as found:
            yield from sorted(found, key=lambda one: one.name)
    except OSError:  # not there, or no directory: said above
        return


def _age(one: "os.DirEntry[str]") -> float:
    try:
        return clock.now_us() / 1e6 - one.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:  # its maker was quicker
        return 0.0
