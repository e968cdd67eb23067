"""`jwtrail token issue|revoke|unrevoke|trace|sessions`: the life of a token, from the operator's side."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import (
    console,
    counted,
    data_option,
    draw,
    is_terminal,
    json_line,
    note,
    open_store,
    settings_of,
)
from jwtrail.cli.look import ago, line
from jwtrail.cli.plain import visible
from jwtrail.cli.recorded import record
from jwtrail.state.records import RevocationKind

if TYPE_CHECKING:
    from jwtrail.ecs import Event
    from jwtrail.state.records import IssuedToken, Revocation
    from jwtrail.tokens.sessions import Session

__all__ = ["issue", "revoke", "sessions", "trace", "unrevoke"]

MAX_TRACED = 500
"""Events of one token that are shown."""


def _no_token(context: click.Context, parameter: click.Parameter, value: str) -> str:  # noqa: ARG001  # click's signature
    """Refuse a whole token, unshown: it would end in the trail, and its holder is its user."""
    from jwtrail.ecs.cleantoken import has_token  # noqa: PLC0415

    if has_token(value):
        raise click.BadParameter(
            "that is a token, not an id, and every user of this machine could see it here; "
            "`jwtrail token inspect < FILE` says its jti"
        )
    return value


# How the event of a revocation is called, and the attribute that names what was revoked.
_ACTIONS: dict[str, tuple[str, str]] = {
    "jti": ("token-revoked", "jwt_jti"),
    "family": ("family-revoked", "jwt_family"),
    "subject": ("subject-revoked", "user_target_id"),
    "client": ("client-revoked", "jwt_client_id"),
    "key": ("key-revoked", "jwt_kid"),
}


@click.command(short_help="Sign a user in by hand.")
@click.argument("subject", metavar="SUBJECT", callback=_no_token)
@click.option("--scope", default="", help="Words divided by spaces.")
@click.option("--client", default="", help="client_id. [default: from the settings]")
@click.option("--role", "roles", multiple=True, help="May be given several times.")
@click.option("--tenant", default="")
@click.option("--device", default="", help="A label by which the user knows the device again.")
@click.option(
    "--act", default="", metavar="WHO", help="Who acts as the subject (RFC 8693): for impersonation."
)
@data_option
def issue(
    *, subject: str, scope: str, client: str, roles: tuple[str, ...], tenant: str, device: str, act: str,
    data: Path | None,
) -> None:  # fmt: skip
    """Sign a user in by hand: an access and a refresh token on stdout, an event in the trail.

    Whoever reads the output is that user: keep it out of logs and shell histories.
    """
    from jwtrail.cli.verifying import new_ring_of, state_of  # noqa: PLC0415
    from jwtrail.tokens.issuer import Issuer  # noqa: PLC0415

    settings = settings_of(data)
    ring = new_ring_of(settings)
    with state_of(settings) as state:
        pair = Issuer(settings.tokens, ring, state).issue(
            subject, scope=scope, client_id=client, roles=roles, tenant=tenant, device=device, act=act
        )
    record(
        settings.root,
        "impersonation-started" if act else "token-issued",
        f"token issued to {subject} by hand",
        user_target_id=subject,
        user_effective_id=subject if act else None,
        jwt_jti=pair.access.jti,
        jwt_family=pair.access.family,
        jwt_kid=pair.access.kid,
        jwt_client_id=pair.access.client_id,
        jwt_scope=pair.access.scope,
    )
    names = ("access_token", "refresh_token", "token_type", "expires_in", "scope")
    json_line({name: getattr(pair, name) for name in names})


@click.command(short_help="Revoke a token, a sign-in, a subject, a client or a key.")
@click.argument("kind", type=click.Choice(get_args(RevocationKind)))
@click.argument("value", metavar="VALUE", callback=_no_token)
@click.option("--reason", default="", help="Ticket or words for the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def revoke(*, kind: str, value: str, reason: str, yes: bool, data: Path | None) -> None:
    """Revoke a token by its jti, a sign-in, everything of a subject until now, of a client, or of a key.

    Running workers see it within moments. Says first how many live tokens it ends.

    \b
    jwtrail token revoke subject alice --reason INC-7
    """
    from jwtrail.cli.verifying import known_state_of, ring_of  # noqa: PLC0415
    from jwtrail.tokens.issuer import Issuer  # noqa: PLC0415

    settings = settings_of(data)
    target = cast("RevocationKind", kind)
    with known_state_of(settings) as state:
        radius = state.blast_radius(target, value, clock.now_us())
        told = f"{counted(radius.live_tokens, 'live token')} of {counted(radius.subjects, 'subject')}, of those issued here"
        if not yes:
            click.confirm(f"This ends {told}. Revoke {kind} {value}?", abort=True, err=True)
        issuer = Issuer(settings.tokens, ring_of(settings), state)
        row = issuer.revoke(target, value, cause="operator", by=getpass.getuser())
    action, attribute = _ACTIONS[kind]
    fields: dict[str, Any] = {attribute: value, "jwtrail_ticket": reason or None}
    record(settings.root, action, f"revoked {kind} {value}", **fields)
    json_line({**msgspec.structs.asdict(row), **msgspec.structs.asdict(radius)})
    note(f"revoked: {told}")


@click.command(short_help="Take a revocation back.")
@click.argument("kind", type=click.Choice(get_args(RevocationKind)))
@click.argument("value", metavar="VALUE", callback=_no_token)
@click.option("--reason", default="", help="Ticket or words for the record.")
@data_option
def unrevoke(*, kind: str, value: str, reason: str, data: Path | None) -> None:
    """Take a revocation back, whoever made it: what has not expired counts again. A key that was retired stays so.

    Running workers see it within moments. Again changes nothing. What the answer to an alert revoked is taken back by
    `jwtrail alerts undo`, which looks whether somebody else ended it too.

    \b
    jwtrail token unrevoke subject alice --reason "INC-7 was somebody else"
    """
    from jwtrail.cli.verifying import known_state_of  # noqa: PLC0415

    settings = settings_of(data)
    with known_state_of(settings) as state:
        if not state.unrevoke(cast("RevocationKind", kind), value):
            note(f"{kind} {visible(value)} is not revoked.")
            return
    fields: dict[str, Any] = {_ACTIONS[kind][1]: value, "jwtrail_ticket": reason or None}
    record(settings.root, "revocation-undone", f"took back the revocation of {kind} {value}", **fields)
    note(f"{kind} {visible(value)} counts again.")


@click.command()
@click.argument("jti", metavar="JTI", callback=_no_token)
@click.option("--json", "as_json", is_flag=True, help="As one JSON document. [default when not a terminal]")
@data_option
def trace(jti: str, as_json: bool, data: Path | None) -> None:
    """What became of a token: issued, used, exchanged, refused, revoked. By its jti, never by the token itself."""
    from jwtrail.cli.verifying import known_state_of  # noqa: PLC0415

    settings = settings_of(data)
    now = clock.now_us()
    with known_state_of(settings) as state:
        known = next(iter(state.tokens_of("jti", jti, now)), None)
        pairs: list[tuple[RevocationKind, str]] = [("jti", jti)]
        if known is not None:
            pairs += [("family", known.family), ("subject", known.subject), ("client", known.client_id), ("key", known.kid)]  # fmt: skip
        revoked = [row for row in state.revoked(pairs, now) if _hits(row, known)]
    events = _events(settings.root, jti)
    if as_json or not is_terminal():
        from jwtrail.ecs import document  # noqa: PLC0415

        json_line({"jti": jti, "live": known, "revoked": revoked, "events": [*map(document, events)]})
        return
    out = console()
    for event in events:
        out.print(line(event, dated=True), no_wrap=True, overflow="ellipsis")
    if not events:
        note("The trail knows no such token.")
    if revoked:
        out.print(f"revoked by {revoked[0].by}: {revoked[0].cause}", style="red")
    elif known is not None:
        out.print(
            f"live until {clock.iso(known.exp_us)[:19]}, {known.kind} of {known.subject}", style="green"
        )


@click.command()
@click.argument("subject", metavar="SUBJECT", callback=_no_token)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@data_option
def sessions(subject: str, as_json: bool, data: Path | None) -> None:
    """The sign-ins of a user that are not over, the last used first.

    \b
    jwtrail token revoke family ID      ends one
    jwtrail token revoke subject ID     ends all
    """
    from jwtrail.cli.verifying import known_state_of  # noqa: PLC0415
    from jwtrail.tokens.sessions import sessions_of  # noqa: PLC0415

    settings = settings_of(data)
    now = clock.now_us()
    with known_state_of(settings) as state:
        found = sessions_of(state, settings.tokens, subject, now)
    if as_json or not is_terminal():
        for session in found:
            json_line(msgspec.structs.asdict(session))
    elif found:
        draw(
            ("id", "device", "client", "from", "began", "used", "ends"),
            [_row(session, now) for session in found],
            flexible=("device", "client"),
        )
    else:
        note(f"{visible(subject)} is not signed in.")


def _row(session: "Session", now_us: int) -> tuple[str, ...]:
    """What people look for; a client chose some of the texts."""
    texts = (session.id, session.device, session.client_id, session.source)
    return (
        *map(visible, texts),
        ago(session.created_us, now_us),
        ago(session.used_us, now_us),
        clock.iso(session.ends_us)[:16].replace("T", " "),
    )


def _hits(row: "Revocation", token: "IssuedToken | None") -> bool:
    return row.kind != "subject" or (token is not None and token.at_us <= row.at_us)


def _events(root: Path, jti: str) -> "list[Event]":
    """Of the token itself and of those it was exchanged for, the oldest first."""
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415

    quoted = '"' + jti.replace("\\", "\\\\").replace('"', '\\"') + '"'
    request = SearchRequest(
        query=f"jwt.jti: {quoted} or jwt.parent: {quoted} or jwt.unverified.jti: {quoted}", limit=MAX_TRACED
    )
    return list(reversed(open_store(root).search(request).events))
