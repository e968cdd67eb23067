"""The manifest against the signed list of segments: each byte of each file is one that the key vouched for."""

import base64
import hashlib
from pathlib import Path

from jwtrail.errors import NoteError
from jwtrail.tlog.note import Verifier, open_note
from jwtrail.trail.fsck.report import Findings, small
from jwtrail.trail.manifest import Manifest

__all__ = ["ListAudit"]

_NAME = "tlog/segments"


class ListAudit:
    """What the signed list says. Read before the manifest, which is never behind it.

    Args:
        path: `tlog/segments`.
        verifier: the log's key.
        findings: where to.
    """

    def __init__(self, path: Path, verifier: Verifier | None, findings: Findings) -> None:
        self._findings = findings
        self._path = path
        self._lists: list[tuple[int, str]] = []
        self._bad = False
        self._note = self._read()
        if verifier is None or self._note is None:
            return
        try:
            name, *rest = open_note(self._note, (verifier,)).splitlines()
            self._lists = list(zip(map(int, rest[::2]), rest[1::2], strict=True))
        except (NoteError, ValueError) as error:
            self._refuse(str(error))
            return
        if name != f"{verifier.name}/segments" or not 1 <= len(self._lists) <= 2:
            self._refuse("what is signed is not a list of segments")

    def _read(self) -> bytes | None:
        try:
            return small(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refuse(str(error))
            return None

    def _refuse(self, detail: str) -> None:
        self._findings.add("bad_signature", detail, file=_NAME)
        self._bad = True

    @property
    def is_empty(self) -> bool:
        """Whether it is signed that nothing is sealed: a file in `segments/` is then one that a crash left unnamed."""
        return [count for count, _ in self._lists] == [0]

    def vouches(self, manifest: Manifest) -> int:
        """How many segments, from the first, the manifest describes as it was signed; 0 when it departs from the list."""
        return max((count for count, digest in self._lists if _digest(manifest, count) == digest), default=0)

    def changed(self) -> bool:
        """Whether another list was signed since: then the manifest that was read may be that one's."""
        try:
            return small(self._path) != self._note
        except OSError:
            return False

    def compare(self, manifest: Manifest) -> None:
        """Say where the manifest departs from the list."""
        if self._bad:
            return
        size = len(manifest.segments)
        if not self._lists:
            if size:
                gone = (
                    "the signed list of segments is gone" if self._note is None else "no key to check it with"
                )
                self._findings.add("unsigned", gone, file=_NAME)
            return
        behind = [size - count for count, digest in self._lists if _digest(manifest, count) == digest]
        if not behind:
            what = "the manifest does not name the files that were signed"
            self._findings.add("altered_file", what, file="manifest.json")
        elif min(behind):
            what = f"{min(behind)} segments wait to be listed"
            self._findings.add("unsigned", what, file=_NAME, note=min(behind) == 1)


def _digest(manifest: Manifest, count: int) -> str:
    """As it is signed, of the first `count` segments; empty when there are fewer."""
    if count > len(manifest.segments):
        return ""
    listed = "".join(f"{one.sha256}  {one.file}\n" for one in manifest.segments[:count])
    return base64.b64encode(hashlib.sha256(listed.encode()).digest()).decode()
