"""Having a checkpoint cosigned by somebody who remembers the last one: the log cannot go back or fork before them."""

import http.client
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from jwtrail.errors import ConfigError, IntegrityError, NoteError, ProofError, TrailError
from jwtrail.tlog.checkpoint import open_checkpoint
from jwtrail.tlog.witness import MAX_ANSWER, WitnessKey, add_checkpoint, known_size
from jwtrail.trail.durable import replace_file
from jwtrail.trail.layout import Layout
from jwtrail.trail.reader import Signed, TrailReader

__all__ = ["Post", "Witnessed", "post_to", "witness"]

TIMEOUT_S = 10.0

OK, FORBIDDEN, NOT_FOUND, CONFLICT, BAD_PROOF = 200, 403, 404, 409, 422

Post = Callable[[bytes], tuple[int, str]]
"""Sends a request to `<witness>/add-checkpoint`; status and body of the answer."""


class Witnessed(Struct, frozen=True):
    """What a witness confirmed.

    Args:
        size: events that the cosigned checkpoint covers.
        at: seconds since the epoch, by the witness's clock.
        witness: its name.
    """

    size: int
    at: int
    witness: str


def post_to(url: str) -> Post:
    """A way to a witness.

    Args:
        url: its prefix, `https://…`; `http` only to this machine.

    Raises:
        ConfigError: not such a URL.
        TrailError: (when called) it cannot be reached.
    """
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or parts.scheme not in (("http", "https") if local else ("https",)):
        raise ConfigError(f"not the URL of a witness: {url!r}", hint="https://… ; http only to this machine")
    host, port = parts.hostname, parts.port

    def post(body: bytes) -> tuple[int, str]:
        if parts.scheme == "https":
            link: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            link = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            link.request("POST", parts.path.rstrip("/") + "/add-checkpoint", body)
            answer = link.getresponse()
            return answer.status, answer.read(MAX_ANSWER).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise TrailError(f"the witness cannot be reached: {error}", where=url) from error
        finally:
            link.close()

    return post


def witness(layout: Layout, reader: TrailReader, key: WitnessKey, post: Post) -> Witnessed:
    """Have the last checkpoint cosigned, and keep it with the cosignature in `tlog/witnessed`.

    Raises:
        IntegrityError: the witness knows a checkpoint that this log does not continue: it was rolled back or forked.
        ConfigError: the witness does not know this log or its key.
        TrailError: it cannot be reached or answers otherwise, or nothing was signed yet.
    """
    signed = reader.signed()
    if signed is None:
        raise TrailError("nothing was signed yet", hint="jwtrail serve signs")
    old = _last(layout, reader)
    status, body = _ask(reader, signed, old, post)
    if status == CONFLICT:  # it knows another size than we remember: the one it knows counts
        old = known_size(body)
        if old > signed.checkpoint.size:
            raise IntegrityError(
                f"the witness has seen {old} events, only {signed.checkpoint.size} are signed here",
                where=key.name,
                hint="was this data directory restored from a copy?",
            )
        status, body = _ask(reader, signed, old, post)
    _refuse(status, body, old, key)
    line, at = key.cosigned(signed.checkpoint.text, body)
    replace_file(layout.witnessed, signed.note + line.encode())
    return Witnessed(signed.checkpoint.size, at, key.name)


def _last(layout: Layout, reader: TrailReader) -> int:
    """Size of what was cosigned last; a damaged memory is none, as the witness has its own."""
    try:
        return open_checkpoint(layout.witnessed.read_bytes(), reader.vkey()).size
    except (FileNotFoundError, NoteError):
        return 0


def _ask(reader: TrailReader, signed: Signed, old: int, post: Post) -> tuple[int, str]:
    size = signed.checkpoint.size
    try:
        proof = reader.consistency(old, size) if 0 < old < size else ()
    except ProofError as error:
        raise TrailError(
            f"the witness has seen {old} events: {error.message}",
            hint="its operator must forget this log, and trust what it sees first from now on",
        ) from error
    return post(add_checkpoint(min(old, size), proof, signed.note))


def _refuse(status: int, body: str, old: int, key: WitnessKey) -> None:
    if status == OK:
        return
    said = body.strip()[:200]
    if status in (BAD_PROOF, CONFLICT):
        raise IntegrityError(
            f"the {old} events that the witness has seen are not the first of this log: {said}",
            where=key.name,
            hint="the log was forked or written anew; what the witness holds is the evidence",
        )
    if status in (FORBIDDEN, NOT_FOUND):
        raise ConfigError(f"the witness does not know this log or its key: {said}", where=key.name)
    raise TrailError(f"the witness answered {status}: {said}", where=key.name)
