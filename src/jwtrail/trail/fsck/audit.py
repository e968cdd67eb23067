"""The audit of a whole data directory."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from jwtrail.errors import CorruptionError, NoteError
from jwtrail.tlog.checkpoint import Checkpoint, open_checkpoint
from jwtrail.tlog.merkle import leaf_hash
from jwtrail.tlog.note import Verifier
from jwtrail.trail.fsck.erasures import ErasureAudit
from jwtrail.trail.fsck.listed import ListAudit
from jwtrail.trail.fsck.logs import LogAudit, order_runs
from jwtrail.trail.fsck.report import Findings, Report, small
from jwtrail.trail.fsck.rows import Leaf, SegmentAudit
from jwtrail.trail.fsck.strays import name_strays
from jwtrail.trail.fsck.tiles import TileFiles
from jwtrail.trail.fsck.tree import TreeAudit
from jwtrail.trail.manifest import Manifest, Position, SegmentInfo, read_manifest
from jwtrail.trail.recompute import Engine
from jwtrail.trail.retired import reading

__all__ = ["verify"]

_TRIES = 4

_SNAPSHOTS = 20
"""Looks at what is not sealed. Each takes as long as reading the logs of one segment, far less than filling them."""

MAX_LOST = 1 << 26
"""Events that may be missing while the rest is still looked at, 64 of the largest segments: how many are gone is what files say
that anybody may have written, and each of them costs time."""

MAX_LOST_LINES = 1 << 20
"""Of them lines of logs, as many as take some seconds: the order is a small file, and its numbers are anybody's."""

Tell = Callable[[int, int], None]
_SEGMENT = re.compile(r"([0-9]{12})-([0-9]{12})(?:\.([0-9]{1,6}))?\.parquet")
_WRITER = re.compile(r"[0-9a-f]{16}")


def verify(
    root: Path, *, vkey: str | None = None, mirror: Path | None = None, progress: Tell | None = None
) -> Report:
    """Check everything below a data directory against everything else. Only reads; a daemon may run meanwhile.

    Args:
        root: the data directory.
        vkey: the verifier key the checkpoint must be signed with. Without it the key in the directory is
            used, and whoever could replace both would not be noticed.
        mirror: the file that holds the last checkpoint too.
        progress: called with (events checked, events in all) now and then.

    Returns:
        What was found. Damage is never raised, only reported.

    Raises:
        NoteError: `vkey` is malformed.
    """
    verifier = Verifier.parse(vkey) if vkey is not None else None
    with reading(root / "segments"):
        for _ in range(_TRIES):
            audit = _snapshot(root, verifier, mirror, progress)
            report = audit.run()
            # Only an erasure removes a segment under us; what looked damaged may only have been replaced.
            if report.ok or not audit.replaced():
                break
    return report


def _snapshot(root: Path, verifier: Verifier | None, mirror: Path | None, tell: Tell | None) -> "_Audit":
    """What a seal moves, read in one piece: segments stay as they are, so they may take longer than a seal is away."""
    for _ in range(_SNAPSHOTS):
        audit = _Audit(root, verifier, mirror, tell)
        if not audit.moved():
            break
    return audit


class _Audit:
    def __init__(self, root: Path, verifier: Verifier | None, mirror: Path | None, tell: Tell | None) -> None:
        self._root = root
        self._findings = Findings()
        self._mirror = mirror
        self._tell = tell
        self._tiles = TileFiles(root / "tlog" / "tile", self._findings)
        name_strays(root, self._findings)
        # What was signed is read first: events are only ever added, so they cannot be behind it.
        self._key_is_theirs = verifier is not None
        self._verifier = verifier or self._own_verifier()
        self._signed = self._checkpoints()
        self._list = ListAudit(self._root / "tlog" / "segments", self._verifier, self._findings)
        self._manifest = self._read_manifest()
        self._engine = Engine()
        self._erasures = ErasureAudit(self._findings, self._engine)
        self._last: dict[str, int] = {}
        self._all_read = True
        self._lost = 0
        self._gave_up = False
        # The order first: a line is written before it is ordered, so every line of this order is in logs read after it.
        order = self._root / "head" / "order.ndjson"
        self._runs = list(order_runs(order, self._manifest.size, self._findings))
        self._logs = self._read_logs()

    def run(self) -> Report:
        tree = TreeAudit(self._root / "tlog" / "tile", self._signed, self._findings, self._tiles)
        tree.skip(self._manifest.begin, MAX_LOST)
        vouched = self._list.vouches(self._manifest)
        for number, info in enumerate(self._manifest.segments):
            self._segment(info, tree, vouched=number < vouched)
        self._positions()
        self._edge(tree)
        self._unsealed(tree)
        tree.finish()
        self._erasures.compare(self._manifest.begin)
        self._list.compare(self._manifest)
        signed = max(self._signed, default=0)
        self._compare_sizes(tree.size)
        newest = tree.roots.get(signed)
        return Report(
            not self._findings.broken,
            tree.size,
            signed,
            newest.hex() if newest else "",
            tuple(self._findings.all),
        )

    def moved(self) -> bool:
        """Whether events went from the logs to a segment since the audit began, or the list is not the manifest's."""
        return self._now().size != self._manifest.size or self._list.changed()

    def replaced(self) -> bool:
        """Whether a segment that was looked at is another one now."""
        segments = self._manifest.segments
        return self._now().segments[: len(segments)] != segments

    def _now(self) -> Manifest:
        try:
            return read_manifest(self._manifest_path())
        except (CorruptionError, OSError):
            return self._manifest

    # what was signed

    def _own_verifier(self) -> Verifier | None:
        path = self._root / "keys" / "log.vkey"
        try:
            return Verifier.parse(small(path).decode())
        except FileNotFoundError:
            mirrored = self._mirror is not None and self._mirror.exists()
            if mirrored or (self._root / "tlog" / "checkpoint").exists():
                self._findings.add("bad_signature", "the verifier key is gone", file="keys/log.vkey")
        except (NoteError, UnicodeDecodeError, OSError) as error:
            self._findings.add("bad_signature", str(error), file="keys/log.vkey")
        return None

    def _checkpoints(self) -> dict[int, tuple[str, Checkpoint]]:
        signed: dict[int, tuple[str, Checkpoint]] = {}
        if self._verifier is None:
            return signed
        places = [("tlog/checkpoint", self._root / "tlog" / "checkpoint")]
        witnessed = self._root / "tlog" / "witnessed"
        if witnessed.exists():  # what a witness has seen was a checkpoint of this log before
            places.append(("tlog/witnessed", witnessed))
        if self._mirror is not None:
            places.insert(0, (str(self._mirror), self._mirror))  # it is written first, so it is read first
        for name, path in places:
            try:
                found = open_checkpoint(small(path), self._verifier)
            except FileNotFoundError:
                self._missing_checkpoint(name)
                continue
            except (NoteError, OSError) as error:
                self._findings.add("bad_signature", str(error), file=name)
                continue
            _, other = signed.setdefault(found.size, (name, found))
            if other.root != found.root:
                self._findings.add("forked", f"two roots are signed for size {found.size}", file=name)
        return signed

    def _missing_checkpoint(self, name: str) -> None:
        """Nothing was signed yet, or it is gone: whoever has the key was given it by a log that signs."""
        checkpoint = self._root / "tlog" / "checkpoint"
        begun = self._manifest_path().exists() or checkpoint.exists() or self._segment_files()
        if begun or self._key_is_theirs:
            self._findings.add("unsigned", "there is no checkpoint", file=name)

    def _manifest_path(self) -> Path:
        return self._root / "manifest.json"

    def _compare_sizes(self, size: int) -> None:
        for signed, (name, _) in self._signed.items():
            if signed > size:
                self._findings.add(
                    "rolled_back",
                    f"{signed} events were signed, {size} are here",
                    index=size,
                    last=signed - 1,
                    file=name,
                )
        newest = max(self._signed, default=0)
        if newest < size:
            self._findings.add(
                "unsigned", f"{size - newest} events wait for the next checkpoint", index=newest, last=size - 1,
                note=bool(self._signed),
            )  # fmt: skip

    # what is sealed

    def _read_manifest(self) -> Manifest:
        try:
            manifest = read_manifest(self._manifest_path())
        except (CorruptionError, OSError) as error:
            self._findings.add("unreadable", str(error), file="manifest.json")
            return self._manifest_from_names()
        if self._manifest_path().exists() or not self._segment_files() or self._list.is_empty:
            return manifest
        self._findings.add("unreadable", "the manifest is gone, but segments are here", file="manifest.json")
        return self._manifest_from_names()

    def _segment_files(self) -> list[str]:
        names = (path.name for path in (self._root / "segments").glob("*.parquet"))
        return sorted(name for name in names if _SEGMENT.fullmatch(name))

    def _manifest_from_names(self) -> Manifest:
        """What the names of the segments say when the manifest cannot be read."""
        newest: dict[tuple[int, int], tuple[int, str]] = {}
        for name in self._segment_files():
            if found := _SEGMENT.fullmatch(name):
                place, edition = (int(found[1]), int(found[2])), (int(found[3] or 0), name)
                newest[place] = max(newest.get(place, edition), edition)
        segments: list[SegmentInfo] = []
        for (first, last), (_, name) in sorted(newest.items(), key=lambda item: (item[0][0], -item[0][1])):
            if segments and last <= segments[-1].last:
                continue  # a source of the merged segment before it
            segments.append(
                SegmentInfo(
                    file=name, first=first, last=last, rows=last - first + 1, bytes=0, min_time="",
                    max_time="", columns=(), catalogue=0, sha256="",
                )
            )  # fmt: skip
        return Manifest(size=segments[-1].last + 1 if segments else 0, segments=tuple(segments))

    def _segment(self, info: SegmentInfo, tree: TreeAudit, *, vouched: bool) -> None:
        audit = SegmentAudit(self._root / "segments", info, self._findings, self._engine, vouched=vouched)
        for leaves in () if self._gave_up else audit.leaves():
            if not self._extend(tree, leaves):
                return
            self._told(tree.size)
        path = self._root / "segments" / info.file
        if not path.is_file():
            self._all_read = False
            return
        self._erasures.segment(path, info)
        writers = audit.writers()
        self._all_read = self._all_read and writers is not None
        for writer, first, last, breaks in writers or ():
            # Where events were removed, the first lines of a writer may be among them.
            expected = self._last.get(writer, first - 1 if self._manifest.begin else 0) + 1
            if first != expected or breaks:
                detail = f"numbers of writer {writer} are not contiguous: {first} to {last}, {expected} was expected"
                self._findings.add("writer_gap", detail, segment=info.file, index=info.first, last=info.last)
            self._last[writer] = last

    def _positions(self) -> None:
        """Where the manifest says a writer's sealed lines end is where its rows end."""
        for writer, at in self._manifest.writers.items() if self._all_read else ():
            if at.n != self._last.get(writer, 0):
                detail = f"writer {writer} is said to be sealed up to {at.n}, its rows end at {self._last.get(writer, 0)}"
                self._findings.add("writer_gap", detail, file="manifest.json")

    def _edge(self, tree: TreeAudit) -> None:
        """What a restart goes on from is what the segments end with; a keeper refuses another."""
        edge, last = self._manifest.edge_leaves, self._manifest.size - 1
        if not self._manifest.edge or tree.edge in (None, edge):
            return
        first = last - len(edge) + 1
        if not self._findings.named(first, last):  # else the events were altered, not what follows from them
            detail = "the manifest's edge is not made of the last events"
            self._findings.add("altered_file", detail, index=first, last=last, file="manifest.json")

    def _told(self, size: int) -> None:
        if self._tell is not None:
            self._tell(size, max(size, self._manifest.size, max(self._signed, default=0)))

    # what is not sealed

    def _unsealed(self, tree: TreeAudit) -> None:
        most = min(MAX_LOST, self._lost + MAX_LOST_LINES)
        waiting = sum(len(log.entries) for log in self._logs.values())
        for run in self._runs:
            log = self._logs.get(run.writer)
            for step in range(run.count):
                entry = log.entries.get(run.number + step) if log is not None else None
                if entry is None:
                    detail = f"the line with number {run.number + step} is damaged or missing"
                    self._findings.add(
                        "missing_range", detail, index=run.index + step, file=f"wal/{run.writer}"
                    )
                waiting -= entry is not None
                if not self._extend(tree, (None if entry is None else leaf_hash(entry),), most):
                    return
        if waiting:
            what = f"written, and waiting for jwtrail serve to take them in: {waiting}"
            self._findings.add("unsigned", what, note=True)

    def _extend(self, tree: TreeAudit, leaves: Sequence[Leaf], most: int = MAX_LOST) -> bool:
        """Add to the tree; False once so much is missing that a file must have made it up."""
        self._lost += leaves.count(None)
        if self._lost > most:
            if not self._gave_up:
                what = f"{self._lost} events are missing, more than can be; what follows is not looked at"
                self._findings.insist("missing_range", what, index=tree.size)
                tree.give_up()
            self._gave_up = True
            return False
        tree.extend(leaves)
        return True

    def _read_logs(self) -> dict[str, LogAudit]:
        directory = self._root / "wal"
        found = sorted(path for path in directory.glob("*") if _WRITER.fullmatch(path.name))
        logs = {}
        for path in found:
            at = self._manifest.writers.get(path.name, Position())
            logs[path.name] = LogAudit(path, at.n, at.chain, self._findings)
            self._erasures.announced(logs[path.name].announced)
        return logs
