"""Logs and their order, read with the standard library's JSON and put into canonical form anew."""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from jwtrail.ecs.catalogue import CATALOGUE
from jwtrail.ecs.vocabulary import IMPORTED
from jwtrail.trail.fsck.erasures import ANNOUNCED, PRUNED, RECORDS, Announced
from jwtrail.trail.fsck.report import Findings

__all__ = ["LogAudit", "Run", "order_runs"]

_START = bytes(32)
_WAL = "jwtrail.wal"
_CLOSE = "jwtrail.close"


_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What taking apart a line raises that somebody made to hurt: wrong types, numbers beyond all bounds, endless brackets."""

_FILE = re.compile(r"[0-9]{12}(\.[1-9][0-9]{0,5})?\.ndjson")

MAX_RUNS = 4_000_000
"""Runs of the order, one of them a read of one log at least: days of a trail that cannot be sealed."""


class Run(Struct, frozen=True, gc=False):
    """Consecutive lines of a writer with consecutive indexes, from `index` and `number` on. `count` is what the file says."""

    index: int
    writer: str
    number: int
    count: int


class _Read(Struct, frozen=True):
    """A line that could be read."""

    number: int
    entry: bytes
    chain: bytes


def order_runs(path: Path, size: int, findings: Findings) -> Iterator[Run]:
    """The runs of events that are in order and not sealed; not more than `MAX_RUNS`."""
    name = "head/order.ndjson"
    expected, offset, given = size, 0, 0
    for line in findings.lines(path, name):
        if not line.endswith(b"\n"):
            return
        try:
            first, runs = _order_record(line[:-1])
        except _MALFORMED:
            findings.add("unreadable", "not an order record", file=name, offset=offset, index=expected)
            return
        offset += len(line)
        if first + sum(run.count for run in runs) <= size:
            continue
        if first != expected:
            findings.add(
                "missing_range", f"the order goes on at {first}", file=name, index=expected, last=first - 1
            )
            return
        given += len(runs)
        if given > MAX_RUNS:
            what = f"more than {MAX_RUNS} runs; what follows is not looked at"
            findings.add("unreadable", what, file=name, offset=offset, index=expected)
            return
        yield from runs
        expected += sum(run.count for run in runs)


def _order_record(line: bytes) -> tuple[int, list[Run]]:
    body, _, end = line.rpartition(b',"sum":"')
    if end != hashlib.sha256(body).hexdigest()[:16].encode() + b'"}':
        raise ValueError("the sum is not that of the record")
    record = json.loads(line)
    first, runs = int(record["first"]), []
    index = first
    for writer, number, count in record["runs"]:
        runs.append(Run(index, str(writer), int(number), int(count)))
        index += runs[-1].count
    if first < 0 or any(run.number < 1 or run.count < 1 for run in runs):
        raise ValueError("a number is out of range")
    return first, runs


class LogAudit:
    """The log of one writer, read to its end.

    Args:
        directory: `wal/<writer>`.
        number: up to where the writer's lines are sealed.
        chain: chain value there.
        findings: where to.

    Attributes:
        entries: of each line that is not sealed, by its number.
        announced: what lines among them say was taken away.
    """

    def __init__(self, directory: Path, number: int, chain: bytes, findings: Findings) -> None:
        self.writer = directory.name
        self.entries: dict[int, bytes] = {}
        self.announced = Announced()
        self._expected = number + 1
        self._chain: bytes | None = chain
        self._findings = findings
        # What is called otherwise is no log: it is named as foreign.
        named = (path for path in directory.glob("*.ndjson") if _FILE.fullmatch(path.name))
        files = sorted(named, key=_reading_order)
        for at, path in enumerate(files):
            self._file(path, [_reading_order(later)[0] for later in files[at + 1 :]])

    def _file(self, path: Path, later: list[int]) -> None:
        name = f"wal/{self.writer}/{path.name}"
        offset = 0
        for line in self._findings.lines(path, name):
            repeated = any(first <= self._expected for first in later)
            if not line.endswith(b"\n"):
                if not repeated:
                    self._torn(name, offset, last=not later)
                return
            problem = self._line(line)
            if problem and not (repeated and self._expected not in self.entries):
                self._findings.add(
                    "altered_row", f"number {self._expected}: {problem}", file=name, offset=offset
                )
                self._chain = None
            offset += len(line)

    def _torn(self, name: str, offset: int, *, last: bool) -> None:
        what = "the last line has no end" if last else "a line has no end, and no later file repeats it"
        self._findings.add("torn_tail" if last else "writer_gap", what, file=name, offset=offset, note=last)

    def _line(self, line: bytes) -> str:
        """Take a line; what is wrong with it, or an empty text."""
        try:
            doc = json.loads(line)
            if _CLOSE in doc:
                mark = doc[_CLOSE]
                fits = mark["n"] == self._expected - 1 and mark["h"] == _text(
                    self._chain or _bytes(mark["h"])
                )
                return "" if fits else "the clean-close mark does not fit"
            if 0 < int(doc[_WAL]["n"]) < self._expected:
                return self._again(doc[_WAL])
            if unknown := sorted(doc.keys() - CATALOGUE.keys() - {_WAL}):
                return self._waits(int(doc[_WAL]["n"]), unknown[0])
            read = _read(doc, self.writer)
            canonical, announced = _canonical_line(doc), _announced(doc)
        except _MALFORMED as error:
            return f"not a line of the log ({error})"
        if canonical != line:
            return "the line is not in its one form"
        if read.number > self._expected and self._chain is not None:
            missing = self._expected
            self._findings.add(
                "writer_gap", f"numbers {missing} to {read.number - 1} of writer {self.writer} are missing"
            )
            self._chain = None
        if self._chain is not None and hashlib.sha256(self._chain + read.entry).digest() != read.chain:
            return "the chain value does not follow"
        self._expected, self._chain = read.number + 1, read.chain
        self.entries[read.number] = read.entry
        self.announced = self.announced.more(announced)
        return ""

    def _waits(self, number: int, field: str) -> str:
        """A line of another version: it has no index, or its index has no line, which is said where the order is followed."""
        detail = f"number {number} waits: it has a field that this version does not know, {field[:100]}"
        self._findings.add("unreadable", detail, file=f"wal/{self.writer}", note=True)
        self._expected, self._chain = number + 1, None
        return ""

    def _again(self, wal: dict[str, Any]) -> str:
        """A line that is sealed, or written again after an error: the last one still says where the chain stands."""
        last = int(wal["n"]) == self._expected - 1
        return (
            "another chain value was recorded" if last and self._chain not in (None, _bytes(wal["h"])) else ""
        )


def _announced(doc: dict[str, Any]) -> Announced:
    action = doc.get("event.action")
    if action not in (ANNOUNCED, PRUNED) or IMPORTED in doc.get("tags", ()):
        return Announced()
    records = int(doc.get(RECORDS, 0))
    return Announced(erased=records) if action == ANNOUNCED else Announced(pruned=records)


def _read(doc: dict[str, Any], writer: str) -> _Read:
    wal = doc[_WAL]
    if wal["w"] != writer:
        raise ValueError(f"a line of writer {wal['w']}")
    salt = _bytes(wal["s"])
    public, personal = _parts(doc)
    entry = b"".join((
        b"\x01",
        bytes.fromhex(doc["event.id"].replace("-", "")),
        hashlib.sha256(_json(public)).digest(),
        hashlib.sha256(salt + _json(personal)).digest(),
    ))  # fmt: skip
    return _Read(int(wal["n"]), entry, _bytes(wal["h"]))


def _parts(doc: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    public: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for name in sorted(doc):
        if name != _WAL:
            (public if CATALOGUE[name].klass == "public" else personal)[name] = doc[name]
    return public, personal


def _canonical_line(doc: dict[str, Any]) -> bytes:
    public, personal = _parts(doc)
    return _json(public | {_WAL: doc[_WAL]} | personal) + b"\n"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(data) != text:
        raise ValueError("base64url in another spelling")
    return data


def _reading_order(path: Path) -> tuple[int, int]:
    first, _, attempt = path.name.removesuffix(".ndjson").partition(".")
    return int(first), int(attempt or 0)
