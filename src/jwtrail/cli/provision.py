"""`jwtrail provision`: make an engine and its dashboards ready for our events."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jwtrail.cli.common import config_option, json_line, note, settings_of
from jwtrail.cli.plain import visible
from jwtrail.errors import ConfigError

if TYPE_CHECKING:
    from jwtrail.config import Settings
    from jwtrail.elastic.provision import Report

__all__ = ["provision"]

FILE = "jwtrail-saved-objects.ndjson"
_DONE = {"create": "created", "update": "updated", "extend": "extended"}


@click.command(short_help="Make an engine and its dashboards ready.")
@click.argument("url", required=False)
@click.option("--kibana", metavar="URL", help="Import data view, searches and dashboards into this Kibana.")
@click.option("--dashboards", metavar="URL", help="The same into this OpenSearch Dashboards.")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write data view, searches and dashboards as a file, for import by hand.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace saved objects that are there, with what people changed in them.",
)
@click.option(
    "--console",
    metavar="URL",
    help="Where the console is; ids become links to it. [default: serve.public_url]",
)
@click.option(
    "--grant",
    "grants",
    metavar="ROLE=USER",
    multiple=True,
    help="Give USER the role writer, reader or keeper, beside those who have it (OpenSearch). May be repeated.",
)
@click.option(
    "--dry-run", is_flag=True, help="Look, change nothing, and print every request as a line of JSON."
)
@click.option("--json", "as_json", is_flag=True, help="What was done as one JSON document.")
@config_option
def provision(
    url: str | None,
    *,
    kibana: str | None,
    dashboards: str | None,
    out: Path | None,
    overwrite: bool,
    console: str | None,
    grants: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make templates, policies, data streams and roles in an Elasticsearch or OpenSearch, and dashboards for people.

    URL is elasticsearch://HOST:PORT or opensearch://HOST:PORT, with +http for plain HTTP. It may be run again: what is
    there is left alone, what an older jwtrail made is brought up to date, what a newer one made is refused.
    Credentials come from the settings: engine.user and engine.password_file, or engine.api_key_file.
    """
    if not (url or kibana or dashboards or out):
        raise click.UsageError("Give the URL of an engine, --kibana, --dashboards or --out.")
    settings = settings_of()
    if url:
        report = _engine(url, settings, grants, dry_run=dry_run)
        _tell(report, dry_run=dry_run, as_json=as_json)
    if kibana or dashboards or out:
        _people(settings, kibana, dashboards, out, console, overwrite=overwrite, dry_run=dry_run)


def _engine(url: str, settings: "Settings", grants: tuple[str, ...], *, dry_run: bool) -> "Report":
    from jwtrail.elastic.client import connect  # noqa: PLC0415
    from jwtrail.elastic.lifecycle import Keeping  # noqa: PLC0415
    from jwtrail.elastic.provision import provision as carry_out  # noqa: PLC0415
    from jwtrail.elastic.roles import grants_of  # noqa: PLC0415
    from jwtrail.trail.retention import Retention  # noqa: PLC0415

    keeping = Keeping.parse(
        settings.engine.delete_after, retention_days=Retention.parse(settings.trail.retention).days
    )
    users = grants_of(grants)
    with connect(url, settings.engine) as engine:
        return carry_out(engine, keeping, namespace=settings.engine.namespace, grants=users, dry_run=dry_run)


def _tell(report: "Report", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        json_line(report)
        return
    if dry_run:
        for change in report.changes:
            json_line(change)
    else:
        for change in report.changes:
            click.echo(f"{_DONE[change.action]} {change.kind} {change.name}")
    for one in report.left_out:
        note(f"left out: {one.what}: {visible(one.why)}")
    if report.changes:
        note(
            f"{report.engine}: {len(report.changes)} {'to do' if dry_run else 'done'}, {len(report.unchanged)} there."
        )
    else:
        note(f"{report.engine}: nothing to do.")


def _write(directory: Path, lines: bytes) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / FILE).write_bytes(lines)
    except OSError as error:
        raise ConfigError(f"cannot write the file: {error.strerror}", where=str(directory / FILE)) from error
    click.echo(directory / FILE)


def _people(
    settings: "Settings",
    kibana: str | None,
    dashboards: str | None,
    out: Path | None,
    console: str | None,
    *,
    overwrite: bool,
    dry_run: bool,
) -> None:
    from jwtrail.ship.saved import saved_objects, written  # noqa: PLC0415
    from jwtrail.ship.saved.kibana import Interface, import_objects  # noqa: PLC0415

    objects = saved_objects(console_url=console if console is not None else settings.serve.public_url)
    if out is not None and not dry_run:
        _write(out, written(objects))
    targets: tuple[tuple[Interface, str | None], ...] = (("kibana", kibana), ("dashboards", dashboards))
    for interface, address in targets:
        if address is None:
            continue
        if dry_run:  # what would be imported
            for one in objects:
                json_line(one)
            continue
        done = import_objects(address, interface, objects, settings.engine, overwrite=overwrite)
        there = f", {done.there} there already (--overwrite replaces them)" if done.there else ""
        note(
            f"{visible(address)}: {done.made} objects imported{there}."
            if done.made
            else f"{visible(address)}: nothing to do{there}."
        )
