"""`jwtrail export`: the trail for others."""

from pathlib import Path

import click

from jwtrail.cli.common import counted, data_option, json_line, layout_of, note

__all__ = ["export"]


@click.group(short_help="Hand the trail on.")
def export() -> None:
    """The trail, or what proves it, for others."""


@export.command(short_help="The log as a C2SP tiled log, without a field of any event.")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="What was written as one JSON document.")
@data_option
def tlog(directory: Path, as_json: bool, data: Path | None) -> None:
    """Write the log to DIR as a C2SP tiled log: a checkpoint, tiles and entries, and no field of any event.

    Any static web server can serve it, and tools that are not ours verify it. A copy that is in DIR already is brought
    up to date; exit code 5 when the log does not continue it. So a copy on another machine is a mirror.
    """
    from jwtrail.trail.publish import copy_log  # noqa: PLC0415
    from jwtrail.trail.reader import TrailReader  # noqa: PLC0415

    reader = TrailReader(layout_of(data))
    copied = copy_log(reader, directory)
    if as_json:
        json_line(copied)
        return
    note(
        f"Wrote {counted(copied.files, 'file')} for {counted(copied.size, 'event')}; its key: {reader.vkey()}"
    )
