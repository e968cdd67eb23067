"""Read a jwtrail data directory with nothing of jwtrail: only docs/formats, DuckDB and an Ed25519 implementation.

    python examples/read_trail.py DATA [INDEX]

Recomputes the entry of every sealed event from its typed columns, the tree over them, and checks the signed checkpoint when
it covers sealed events alone (stop the daemon, or wait for a seal). With INDEX it prints that event and its entry.
"""

import base64
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

import duckdb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# docs/reference/fields.md: which fields are personal; what is derived is in no commitment.
PERSONAL = ("client.", "labels", "message", "network.", "related.", "source.", "url.", "user.", "user_agent.")
PERSONAL_TOO = {
    "error.message", "http.request.referrer", "jwt.claims", "jwt.cnf", "jwt.family", "jwt.fingerprint", "jwt.jti",
    "jwt.parent", "jwt.proof", "jwtrail.alert.group", "jwtrail.network", "jwtrail.object.id",
    "jwtrail.response.target", "jwtrail.subject.ids",
}  # fmt: skip
FLATTENED = {"jwt.claims", "labels"}  # stored as their canonical JSON
DERIVED = {"event.sequence", "event.hash", "event.ingested", "jwtrail.writer", "jwtrail.writer_seq"}
STORED_BESIDE = {"jwtrail.salt", "jwtrail.personal_commitment"}


def is_personal(name: str) -> bool:
    return name.startswith((*PERSONAL, "jwt.unverified.")) or name in PERSONAL_TOO


def canonical(row: dict, *, personal: bool) -> bytes:
    """RFC 8785 JSON of one class of a row's fields (docs/formats/entry.md)."""
    members = []
    for name in sorted(row.keys() - DERIVED - STORED_BESIDE):
        value = row[name]
        if value is None or is_personal(name) is not personal:
            continue
        if isinstance(value, datetime):
            value = value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        text = value if name in FLATTENED else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        members.append(f'"{name}":{text}')
    return ("{" + ",".join(members) + "}").encode()


def entry(row: dict) -> bytes:
    """The 81 bytes of an event."""
    # What an erasure left. It counts only where nothing personal is left beside it.
    kept = row.get("jwtrail.personal_commitment")
    assert kept is None or (row["jwtrail.salt"] is None and canonical(row, personal=True) == b"{}"), (
        "not erased"
    )
    personal = kept or hashlib.sha256(row["jwtrail.salt"] + canonical(row, personal=True)).digest()
    identity = bytes.fromhex(row["event.id"].replace("-", ""))
    return b"\x01" + identity + hashlib.sha256(canonical(row, personal=False)).digest() + personal


def root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, from the leaves upwards; an odd last node is lifted."""
    while len(leaves) > 1:
        pairs = [leaves[at : at + 2] for at in range(0, len(leaves), 2)]
        leaves = [
            hashlib.sha256(b"\x01" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs
        ]
    return leaves[0] if leaves else hashlib.sha256(b"").digest()


def checkpoint(data: Path) -> tuple[int, bytes]:
    """Size and root of the signed checkpoint, its signature checked (docs/formats/checkpoint.md, section 2)."""
    name, _, rest = (data / "keys/log.vkey").read_text().strip().partition("+")
    key_id, _, key = rest.partition("+")
    text, _, signatures = (data / "tlog/checkpoint").read_text().partition("\n\n")
    signed = [line.split(" ")[2] for line in signatures.splitlines() if line.startswith(f"— {name} ")]
    raw = next(raw for raw in map(base64.b64decode, signed) if raw[:4].hex() == key_id)
    public = base64.b64decode(key)[1:]
    Ed25519PublicKey.from_public_bytes(public).verify(
        raw[4:], f"{text}\n".encode()
    )  # raises when it does not hold
    origin, size, encoded = text.split("\n")[:3]
    assert origin == name, "a checkpoint of another log"
    return int(size), base64.b64decode(encoded)


def main(data: Path, index: int | None = None) -> None:
    leaves = []
    for segment in json.loads((data / "manifest.json").read_text())["segments"]:
        rows = duckdb.execute(
            "FROM read_parquet(?) ORDER BY file_row_number", [str(data / "segments" / segment["file"])]
        )
        names = [column[0] for column in rows.description]
        for values in rows.fetchall():
            row = dict(zip(names, values, strict=True))
            made = entry(row)
            digest = base64.urlsafe_b64encode(hashlib.sha256(made).digest()).rstrip(b"=").decode()
            assert (row["event.sequence"], row["event.hash"]) == (len(leaves), digest), (
                f"row {len(leaves)} was altered"
            )
            if len(leaves) == index:
                print(
                    canonical(row, personal=False).decode(),
                    canonical(row, personal=True).decode(),
                    made.hex(),
                    sep="\n",
                )
            leaves.append(hashlib.sha256(b"\x00" + made).digest())
    size, signed = checkpoint(data)
    print(f"{len(leaves)} sealed events give their hashes; the signed checkpoint covers {size}")
    if size <= len(leaves):
        assert root(leaves[:size]) == signed, "the events are not those that were signed"
        print(f"the root of the first {size} is the signed one")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
