"""`jwtrail subject`: what is held about a person, and its end."""

import sys
from pathlib import Path

import click

from jwtrail import clock
from jwtrail.cli.common import (
    counted,
    data_option,
    is_terminal,
    json_line,
    layout_of,
    note,
    settings_of,
)
from jwtrail.cli.plain import visible
from jwtrail.cli.progress import progress
from jwtrail.cli.recorded import record

__all__ = ["subject"]


@click.group(short_help="What is held about a person.")
def subject() -> None:
    """Access and erasure requests. ID is the person's user.id."""


@subject.command()
@click.argument("person", metavar="ID")
@click.option("--reason", default="", help="Ticket or words for the record; must not name the person.")
@data_option
def export(person: str, reason: str, data: Path | None) -> None:
    """Print everything held about a person: one JSON document a line.

    Events of others are among them when they tell of the person. Rows that are not events say their table in _table.
    Records of restricted people, this one or others, are among them only with a --reason.
    """
    from jwtrail.query.hidden import Hidden  # noqa: PLC0415
    from jwtrail.runtime.subjects import held_about  # noqa: PLC0415
    from jwtrail.trail.restriction import read_restrictions  # noqa: PLC0415

    path = layout_of(data).restricted
    restricted = any(one.person == person for one in read_restrictions(path))
    hidden = None if reason else Hidden(path)
    count = 0
    with progress("reading") as tell:
        found = list(held_about(settings_of(data), person, tell, hidden=hidden))
    for count, doc in enumerate(found, 1):  # noqa: B007
        json_line(doc)
    # Recorded afterwards, and without the name: else each export would be part of the next.
    record(
        data,
        "data-exported",
        f"{counted(count, 'record')} about one person",
        jwtrail_records=count,
        jwtrail_ticket=reason or None,
    )
    note(counted(count, "record"))
    if restricted:
        what = "shown for the reason given" if reason else "left out; --reason with a ticket shows them"
        note(f"This person is restricted: records that wait to be erased are {what}")


@subject.command()
@click.argument("person", metavar="ID")
@click.option("--reason", default="", help="Ticket or words for the record; must not name the person.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="What was done as one JSON document.")
@data_option
def erase(person: str, *, reason: str, yes: bool, as_json: bool, data: Path | None) -> None:
    """Take a person out of the trail for ever; every hash and proof still holds.

    Records lose all personal fields, also those of others that tell of the person. The daemon must be stopped meanwhile,
    the application may go on. What a retention profile still wants is hidden from every search, and the daemon erases it
    when the period is over: jwtrail subject list, jwtrail subject cancel.
    """
    import getpass  # noqa: PLC0415

    from jwtrail.runtime.subjects import erase as run  # noqa: PLC0415

    layout_of(data)
    if not yes:
        click.confirm("This cannot be undone. Erase?", abort=True, err=True)
    with progress("searching") as tell:
        done = run(settings_of(data), person, by=getpass.getuser(), reason=reason, tell=tell)
    if as_json:
        json_line(done)
        return
    click.echo(f"{counted(done.events, 'record')} erased, {counted(done.state_rows, 'row')} of state removed")
    if done.kept_rows:
        note(
            f"still in force and kept until {done.kept_until[:19]}: {counted(done.kept_rows, 'revocation')}; erase again after that"
        )
    if done.restricted:
        note(
            f"{counted(done.restricted, 'record')} must be kept: nobody sees it from now on, and jwtrail serve erases it"
            f" after {done.restricted_until}"
        )
    if done.hashes:
        note(
            "copies elsewhere: --json lists the event.hash of each record, its document id where it was shipped to"
        )
    sys.stdout.flush()


@subject.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@data_option
def show(*, as_json: bool, data: Path | None) -> None:
    """List who is restricted, and when the daemon erases them."""
    from jwtrail.trail.restriction import read_restrictions  # noqa: PLC0415

    found = read_restrictions(layout_of(data).restricted)
    for one in found:
        scheduled = clock.iso(one.until_us)
        if as_json or not is_terminal():
            json_line({
                "person": one.person, "records": one.records, "since": clock.iso(one.at_us), "erased_after": scheduled,
                "by": one.by, "ticket": one.ticket,
            })  # fmt: skip
        else:
            ticket = f" ({one.ticket})" if one.ticket else ""
            click.echo(
                visible(f"{one.person}  {counted(one.records, 'record')}, erased after {scheduled}{ticket}")
            )
    if not found:
        note("Nobody is restricted.")


@subject.command()
@click.argument("person", metavar="ID")
@click.option("--reason", required=True, help="Ticket or words for the record; must not name the person.")
@data_option
def cancel(person: str, reason: str, data: Path | None) -> None:
    """Show a restricted person's records again, and do not erase them. What is erased already does not come back."""
    from jwtrail.runtime.restricting import lift  # noqa: PLC0415

    gone = lift(layout_of(data).restricted, person)
    record(
        data,
        "restriction-lifted",
        f"{counted(gone.records, 'record')} shown again",
        jwtrail_records=gone.records,
        jwtrail_ticket=reason,
    )
    note(f"{counted(gone.records, 'record')} shown again; nothing of it will be erased")
