"""`jwtrail serve`: the daemon with its console."""

from pathlib import Path

import click

from jwtrail.cli.common import data_option, settings_of, store_option

__all__ = ["serve"]


@click.command(short_help="The daemon: seals the trail, detects, answers, serves the console.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; loopback only. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="TCP port of the console; 0 takes a free one.")
@click.option("--no-console", is_flag=True, help="Work without console and HTTP API.")
@store_option
@data_option
def serve(
    *,
    host: str | None,
    port: int | None,
    no_console: bool,
    store: str | None,
    data: Path | None,
) -> None:
    """Run the daemon: it orders and seals what the workers write, detects, answers, and serves the console.

    It prints a sign-in link for the console. Ctrl+C or SIGTERM ends it in good order; nothing is lost either way.
    With --store the console shows, and detection follows, what was shipped to that engine.
    """
    from jwtrail.web import serve as server  # noqa: PLC0415

    more = {
        "serve.host": host,
        "serve.port": port,
        "serve.console": False if no_console else None,
        "store": store,
    }
    server.serve(settings_of(data, **more))
