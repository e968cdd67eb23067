"""`jwtrail token`: what a token says, and how far it gets with this server's keys."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import console, data_option, is_terminal, json_line, note, settings_of
from jwtrail.cli.exits import FOUND
from jwtrail.cli.issuing import issue, revoke, sessions, trace, unrevoke
from jwtrail.cli.look import moment
from jwtrail.cli.plain import visible
from jwtrail.cli.vectors import check
from jwtrail.tokens.verdict import Accepted, Rejected

__all__ = ["CHECKS", "token"]

MAX_INPUT = 65_536
"""Characters read from stdin; eight times the longest token that is accepted."""

MAX_SHOWN = 200
"""Characters of one value that are shown."""


class Check(NamedTuple):
    """One row of the verdict: what was looked at, and the reasons that fail it."""

    name: str
    reasons: frozenset[str]


def _check(name: str, reasons: str) -> Check:
    return Check(name, frozenset(reasons.split()))


CHECKS = (
    _check(
        "form",
        "token_missing token_too_large malformed_segments malformed_base64 unsupported_serialization "
        "encrypted_token_unexpected",
    ),
    _check("header", "malformed_header_json alg_missing alg_invalid"),
    _check("is signed", "alg_none"),
    _check("brings no key of its own", "header_key_injection header_url_injection"),
    _check("algorithm is allowed", "alg_confusion alg_not_allowed"),
    _check(
        "type and extensions",
        "crit_malformed crit_unsupported b64_unsupported typ_mismatch nested_token_unsupported",
    ),
    _check(
        "key is known", "kid_injection kid_invalid kid_unknown kid_missing alg_key_mismatch jwks_unavailable"
    ),
    _check("signature", "signature_missing signature_malformed signature_degenerate signature_invalid"),
    _check("payload", "malformed_payload_json json_too_deep duplicate_json_key claim_missing claim_invalid"),
    _check("issuer", "issuer_mismatch"),
    _check("audience", "audience_mismatch"),
    _check("time", "expired not_yet_valid issued_in_future lifetime_too_long"),
    _check("use", "token_use_mismatch"),
    _check("not revoked", "revoked_token revoked_session revoked_subject revoked_client key_revoked"),
)
"""In the order of the verifier. A reason that stands nowhere here fails the first check that fits nothing else: the form."""

_EITHER = ("json_too_deep", "duplicate_json_key")


@click.group(short_help="Look into a token.")
def token() -> None:
    """Tokens are read from stdin, never from the command line, where every user of the machine could see them."""


for command in (issue, revoke, sessions, trace, unrevoke, check):
    token.add_command(command)


@token.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON document. [default when not a terminal]")
@data_option
def inspect(as_json: bool, data: Path | None) -> None:
    """Decode the token on stdin and judge it with this server's keys. Exit code 3 when it does not count.

    A token of one of tokens.issuers is judged with the keys of that issuer, which are fetched.

    \b
    pbpaste | jwtrail token inspect
    """
    from jwtrail.cli.verifying import judged  # noqa: PLC0415

    if sys.stdin.isatty():
        note("Paste the token, then Enter. It is a credential: whoever has it is its user.")
        text = sys.stdin.readline(MAX_INPUT)
    else:
        text = sys.stdin.read(MAX_INPUT)
    raw = text.strip().removeprefix("Bearer ").strip()
    if not raw:
        raise click.UsageError("no token on stdin")
    refresh = (_part(raw, 0) or {}).get("typ") == "rt+jwt"
    verdict = judged(settings_of(data), raw, refresh=refresh)
    reason = verdict.reason if isinstance(verdict, Rejected) else ""
    rows = _rows(reason, raw)
    if as_json or not is_terminal():
        _print_json(raw, rows, verdict, reason)
    else:
        _print(raw, rows, reason)
    if not isinstance(verdict, Accepted):
        sys.exit(FOUND)


def _rows(reason: str, raw: str) -> list[tuple[str, str]]:
    """Each check with `passed`, `failed` or `not reached`."""
    if not reason:
        return [(check.name, "passed") for check in CHECKS]
    # Header and payload are JSON both; what is read first is to blame.
    shown = "malformed_header_json" if reason in _EITHER and not _header_is_read(raw) else reason
    failed = next((number for number, check in enumerate(CHECKS) if shown in check.reasons), 0)
    words = ("passed", "failed", "not reached")
    return [(check.name, words[(n >= failed) + (n > failed)]) for n, check in enumerate(CHECKS)]


def _header_is_read(raw: str) -> bool:
    from jwtrail.tokens.header import read_header  # noqa: PLC0415
    from jwtrail.tokens.refusal import Refusal  # noqa: PLC0415

    try:
        read_header(raw.partition(".")[0].encode())
    except Refusal:
        return False
    return True


def _print_json(raw: str, rows: list[tuple[str, str]], verdict: Any, reason: str) -> None:
    json_line(
        {
            "verdict": "accepted" if isinstance(verdict, Accepted) else "rejected",
            "reason": reason or None,
            "checks": [{"check": name, "result": result} for name, result in rows],
            "header": _part(raw, 0),
            "payload": _part(raw, 1),
        }
    )


def _print(raw: str, rows: list[tuple[str, str]], reason: str) -> None:
    from rich.text import Text  # noqa: PLC0415

    from jwtrail.ecs import REASONS  # noqa: PLC0415

    out = console()
    believed = rows[7][1] == "passed"
    for number, title in enumerate(("header", "payload")):
        trust = "signed" if believed else "claimed, not proved"
        out.print(Text.assemble((f"\n{title}", "bold"), (f"  {trust}", "green" if believed else "yellow")))
        part = _part(raw, number)
        if part is None:
            out.print(Text("  not readable", "dim"))
        for name, value in (part or {}).items():
            out.print(Text.assemble((f"  {visible(name):<12} ", "cyan"), _told(name, value)), soft_wrap=True)
    out.print(Text("\nchecks", "bold"))
    marks = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "not reached": ("·", "dim")}
    for name, result in rows:
        mark, style = marks[result]
        why = f"  {reason}: {REASONS[reason].doc}" if result == "failed" else ""
        out.print(
            Text.assemble(
                (f"  {mark} ", style), (name, "dim" if result == "not reached" else ""), (why, style)
            )
        )
    verdict = Text(f"\nrejected: {reason}", "bold red") if reason else Text("\naccepted", "bold green")
    out.print(verdict)


def _part(raw: str, number: int) -> dict[str, Any] | None:
    from jwtrail.tokens import base64url  # noqa: PLC0415
    from jwtrail.tokens.refusal import Refusal  # noqa: PLC0415

    segments = raw.split(".")
    try:
        made = msgspec.json.decode(base64url.decode(segments[number].encode()))
    except (IndexError, Refusal, ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) else None


def _told(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    shown = visible(text[:MAX_SHOWN]) + ("…" if len(text) > MAX_SHOWN else "")
    if name in ("exp", "nbf", "iat") and isinstance(value, int | float):
        try:
            return f"{shown}  ({moment(clock.seconds_iso(value))[:19]} UTC)"
        except (ValueError, OverflowError):
            return shown
    return shown
