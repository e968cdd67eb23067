"""The manifest against the signed list of segments: each byte of each file is one that the key vouched for."""

import base64
import hashlib
from pathlib import Path

from jwtrail.errors import NoteError
from jwtrail.tlog.note import Verifier, open_note
from jwtrail.trail.fsck.report import Findings
from jwtrail.trail.manifest import Manifest

__all__ = ["ListAudit"]

_NAME = "tlog/segments"
_BAD = -1


class ListAudit:
    """What the signed list says. Read before the manifest, which is never behind it.

    Args:
        path: `tlog/segments`.
        verifier: the log's key.
        findings: where to.
    """

    def __init__(self, path: Path, verifier: Verifier | None, findings: Findings) -> None:
        self._findings = findings
        self._count: int | None = None
        self._digests: tuple[str, ...] = ()
        if verifier is None:
            return
        try:
            name, count, *digests = open_note(path.read_bytes(), (verifier,)).splitlines()
            self._count, self._digests = int(count), tuple(digests)
        except FileNotFoundError:
            return
        except (NoteError, ValueError, OSError) as error:
            findings.add("bad_signature", str(error), file=_NAME)
            self._count = _BAD
            return
        if name != f"{verifier.name}/segments":
            findings.add("bad_signature", "what is signed is not a list of segments", file=_NAME)
            self._count = _BAD

    @property
    def is_empty(self) -> bool:
        """Whether it is signed that nothing is sealed: a file in `segments/` is then one that a crash left unnamed."""
        return self._count == 0

    def vouches(self, manifest: Manifest) -> int:
        """How many segments, from the first, the manifest describes as it was signed; 0 when it departs from the list."""
        count = self._count or 0
        return (
            count if 0 < count <= len(manifest.segments) and _digest(manifest, count) in self._digests else 0
        )

    def compare(self, manifest: Manifest) -> None:
        """Say where the manifest departs from the list."""
        size = len(manifest.segments)
        if self._count is None:
            if size:
                self._findings.add("unsigned", "the signed list of segments is gone", file=_NAME)
            return
        if self._count == _BAD:
            return
        if self._count > size or _digest(manifest, self._count) not in self._digests:
            what = "the manifest does not name the files that were signed"
            self._findings.add("altered_file", what, file="manifest.json")
        elif size > self._count:
            what = f"{size - self._count} segments wait to be listed"
            self._findings.add("unsigned", what, file=_NAME, note=size == self._count + 1)


def _digest(manifest: Manifest, count: int) -> str:
    listed = "".join(f"{one.sha256}  {one.file}\n" for one in manifest.segments[:count])
    return base64.b64encode(hashlib.sha256(listed.encode()).digest()).decode()
