"""The signed list of segments: which files, byte for byte, the log's key vouches for (docs/formats/segment.md, section 4).

The tree covers events. What a file says besides, such as the statistics by which a search passes over rows, or when an
event was ingested, is covered by this.
"""

import base64
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from jwtrail.errors import IntegrityError, NoteError
from jwtrail.tlog.merkle import HASH_SIZE
from jwtrail.tlog.note import Signer, Verifier, b64decode, open_note, sign_note
from jwtrail.trail.durable import replace_file
from jwtrail.trail.manifest import SegmentInfo

__all__ = ["ListKeeper", "Listed", "SignedList", "digest_of"]

MAX_LAG = 1
"""Segments that the list may be behind: it is signed right after the manifest, so a crash in between leaves one."""

_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_SUFFIX = "/segments"


def digest_of(segments: Sequence[SegmentInfo]) -> bytes:
    """SHA-256 of what `sha256sum` would print for these files, in order."""
    return sha256("".join(f"{one.sha256}  {one.file}\n" for one in segments).encode()).digest()


class Listed(Struct, frozen=True):
    """The first `count` segments, by the digest of their list."""

    count: int
    digest: bytes

    @classmethod
    def of(cls, segments: Sequence[SegmentInfo]) -> "Listed":
        return cls(len(segments), digest_of(segments))

    def names(self, segments: Sequence[SegmentInfo]) -> bool:
        """Whether these are the files that were signed, and perhaps as many more as the list may be behind."""
        return (
            self.count <= len(segments) <= self.count + MAX_LAG
            and digest_of(segments[: self.count]) == self.digest
        )


class SignedList(Struct, frozen=True):
    """What is signed.

    Args:
        origin: name of the log.
        lists: one; two while files are being replaced, either of which may be found.
    """

    origin: str
    lists: tuple[Listed, ...]

    def sign(self, signer: Signer) -> bytes:
        """As a signed note."""
        lines = [self.origin + _SUFFIX]
        for one in self.lists:
            lines += [str(one.count), base64.b64encode(one.digest).decode()]
        return sign_note("".join(line + "\n" for line in lines), (signer,)).encode()

    @classmethod
    def open(cls, note: bytes, verifier: Verifier) -> "SignedList":
        """The inverse of `sign`.

        Raises:
            NoteError: malformed, or not signed by this key.
        """
        name, *rest = open_note(note, (verifier,)).removesuffix("\n").split("\n")
        if name != verifier.name + _SUFFIX:
            raise NoteError(f"not a list of segments of {verifier.name}")
        if len(rest) not in (2, 4) or not all(_COUNT.fullmatch(count) for count in rest[::2]):
            raise NoteError("a list of segments has a count and a digest, or two of both")
        digests = [b64decode(line, "a digest") for line in rest[1::2]]
        if any(len(digest) != HASH_SIZE for digest in digests):
            raise NoteError(f"a digest does not have {HASH_SIZE} bytes")
        return cls(verifier.name, tuple(map(Listed, map(int, rest[::2]), digests)))

    def names(self, segments: Sequence[SegmentInfo]) -> bool:
        """Whether a manifest of these segments is one that was signed."""
        return any(one.names(segments) for one in self.lists)


class ListKeeper:
    """Signs the list. Used by the one keeper.

    Args:
        path: `tlog/segments`.
        signer: the log's key.
    """

    def __init__(self, path: Path, signer: Signer) -> None:
        self._path = path
        self._signer = signer
        self._covered: tuple[SegmentInfo, ...] | None = None

    def restore(self, segments: tuple[SegmentInfo, ...]) -> None:
        """Check that the manifest names the files that were signed.

        Raises:
            IntegrityError: it does not, or the list is gone or malformed.
        """
        try:
            found = SignedList.open(self._path.read_bytes(), self._signer.verifier)
        except FileNotFoundError:
            if segments:
                raise self._refusal("the signed list of segments is gone") from None
            return
        except NoteError as error:
            raise self._refusal(f"the list of segments does not verify: {error.message}") from error
        if not found.names(segments):
            raise self._refusal("the manifest does not name the files that were signed")

    def _refusal(self, message: str) -> IntegrityError:
        return IntegrityError(
            message,
            where=str(self._path),
            hint="`jwtrail trail verify` says what was altered; put it back from a backup",
        )

    def cover(self, segments: tuple[SegmentInfo, ...]) -> None:
        """Sign this list unless it is signed already. Durable when it returns.

        Raises:
            WriteError: the old list stands; the next call tries again.
        """
        if segments != self._covered:
            self._write(Listed.of(segments))
            self._covered = segments

    def replacing(self, old: tuple[SegmentInfo, ...], new: tuple[SegmentInfo, ...]) -> None:
        """Sign both lists, before one takes the place of the other: a crash in between leaves either.

        Raises:
            WriteError: the old list stands.
        """
        self._write(Listed.of(old), Listed.of(new))
        self._covered = None

    def _write(self, *lists: Listed) -> None:
        replace_file(self._path, SignedList(self._signer.name, lists).sign(self._signer))
