"""The list of segments (docs/formats/segment.md, section 3)."""

from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from jwtrail.errors import CorruptionError
from jwtrail.tlog.merkle import HASH_SIZE, TILE_WIDTH
from jwtrail.trail.durable import replace_file

__all__ = ["Manifest", "Position", "SegmentInfo", "read_manifest", "write_manifest"]

VERSION = 1
MAX_BYTES = 256 << 20
"""Of a manifest: some hundred thousand segments, while a day's are merged into as few as hold a million rows each."""
_CHAIN_START = bytes(32)


class SegmentInfo(Struct, frozen=True, kw_only=True):
    """One segment.

    Args:
        file: name below `segments/`.
        first: its first index.
        last: its last index.
        rows: how many events.
        bytes: size of the file.
        min_time: smallest `@timestamp`.
        max_time: largest `@timestamp`.
        columns: names of the columns in the file, sorted.
        catalogue: version of the field catalogue that typed them.
        sha256: of the file, hexadecimal.
    """

    file: str
    first: int
    last: int
    rows: int
    bytes: int
    min_time: str
    max_time: str
    columns: tuple[str, ...]
    catalogue: int
    sha256: str


class Position(Struct, frozen=True):
    """Up to where a writer's lines are sealed.

    Args:
        n: the last sealed number; 0 for none.
        h: chain value there, base64url.
    """

    n: int = 0
    h: str = ""

    @classmethod
    def at(cls, number: int, chain: bytes) -> "Position":
        return cls(number, urlsafe_b64encode(chain).rstrip(b"=").decode())

    @property
    def chain(self) -> bytes:
        return urlsafe_b64decode(self.h + "=" * (-len(self.h) % 4)) if self.h else _CHAIN_START


class Manifest(Struct, frozen=True):
    """All segments, in order.

    Args:
        version: of this format.
        size: how many events they hold.
        segments: them.
        writers: for each writer that still has logs, up to where they are sealed.
        edge: leaf hashes of the events behind the last full tile of 256, base64. With them the tree is continued after a
            restart without reading a segment, so one that is damaged does not stop what is new; the checkpoint vouches for them.
    """

    version: int = VERSION
    size: int = 0
    segments: tuple[SegmentInfo, ...] = ()
    writers: dict[str, Position] = {}
    edge: str = ""

    @property
    def edge_leaves(self) -> list[bytes]:
        """`edge`, one by one; empty when it is not there or does not have the right number."""
        try:
            data = b64decode(self.edge, validate=True)
        except ValueError:
            return []
        leaves = [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
        return leaves if len(data) == self.size % TILE_WIDTH * HASH_SIZE else []

    def edge_with(self, size: int, leaves: Sequence[bytes]) -> str:
        """The edge of a larger size.

        Args:
            leaves: hashes of the events that are new, at least of the last 256.
        """
        wanted = size % TILE_WIDTH
        every = [*self.edge_leaves, *leaves]
        return b64encode(b"".join(every[-wanted:])).decode() if wanted and len(every) >= wanted else ""

    @property
    def begin(self) -> int:
        """The smallest index that is still here: events before it were removed. A trail keeps its newest segment."""
        return self.segments[0].first if self.segments else 0


_decoder = msgspec.json.Decoder(Manifest)


def read_manifest(path: Path) -> Manifest:
    """The manifest; an empty one when there is no file.

    Raises:
        CorruptionError: malformed, of an unknown version, or its segments do not follow each other.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptionError(f"not a manifest: more than {MAX_BYTES} bytes", where=str(path))
        manifest = _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptionError(f"not a manifest: {error}", where=str(path)) from error
    if manifest.version != VERSION:
        raise CorruptionError(
            f"version {manifest.version} is not known", where=str(path), hint="a newer jwtrail wrote it"
        )
    expected = manifest.begin
    for segment in manifest.segments:
        if segment.first != expected or segment.last - segment.first + 1 != segment.rows:
            raise CorruptionError(
                f"segment {segment.file} does not begin at index {expected}", where=str(path)
            )
        expected = segment.last + 1
    if expected != manifest.size:
        raise CorruptionError(
            f"the size is {manifest.size} but the segments end at {expected}", where=str(path)
        )
    return manifest


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Replace the manifest durably.

    Raises:
        WriteError: see `replace_file`; either may stand.
    """
    replace_file(path, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
