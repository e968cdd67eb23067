"""`jwtrail rules export`: the rules for another system."""

from pathlib import Path

import click

from jwtrail.cli.common import config_option, note, settings_of
from jwtrail.cli.plain import visible

__all__ = ["export"]


@click.command(short_help="The rules for another system.")
@click.argument(
    "paths", metavar="[DIR]...", nargs=-1, type=click.Path(file_okay=False, exists=True, path_type=Path)
)
@click.option(
    "--elastic",
    is_flag=True,
    required=True,
    help="As detection rules of Elastic Security, one JSON document a line.",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where they go. [default: standard output]",
)
@config_option
def export(paths: tuple[Path, ...], *, elastic: bool, output: Path | None) -> None:  # noqa: ARG001
    """Rules that are on, as Elastic Security imports them, switched off; those it cannot express are named with the reason.

    Single events become `query` rules, counts `threshold`, first sights `new_terms`, ordered rules `eql`. They look at the
    data streams of `jwtrail ship`, with this service's lists, thresholds and exceptions. Nothing is approximated but the
    clock: Elastic asks once a minute, and counts look back a minute more.
    """
    import msgspec  # noqa: PLC0415

    from jwtrail.detect.ruleset import configured  # noqa: PLC0415
    from jwtrail.errors import RuleError  # noqa: PLC0415
    from jwtrail.ship.saved.detections import elastic_rules  # noqa: PLC0415

    ruleset = configured(settings_of().detect, paths)
    exported = elastic_rules(ruleset)
    lines = b"".join(msgspec.json.encode(rule) + b"\n" for rule in exported.rules)
    if output is None:
        click.echo(lines, nl=False)
    else:
        try:
            output.write_bytes(lines)
        except OSError as error:
            raise RuleError(f"cannot write the file: {error.strerror}", file=str(output)) from error
    for one in exported.left_out:
        note(f"not expressed: {one.code or one.id} {visible(one.title)}: {one.why}")
    note(f"{len(exported.rules)} rules, {len(exported.left_out)} cannot be expressed there.")
