"""`jwtrail demo`: a shop, its customers, six attackers, and what becomes of them."""

import sys
from pathlib import Path

import click

from jwtrail.errors import ConfigError

__all__ = ["demo"]


@click.command(short_help="A sample shop under attack, watched live.")
@click.option(
    "--duration", type=click.FloatRange(1, 86_400), metavar="SECONDS", help="[default: until Ctrl+C]"
)
@click.option("--headless", is_flag=True, help="No running line, no wait for a browser.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON document on stdout.")
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data there. [default: a temporary directory]",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 16), help="Worker processes.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port of the shop; a free one when taken.",
)
@click.option(
    "--console-port",
    type=click.IntRange(0, 65_535),
    default=7070,
    show_default=True,
    help="Port of the console; a free one when taken.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same traffic.")
@click.option("--users", default=50, show_default=True, type=click.IntRange(1, 1000), help="Customers.")
def demo(
    *,
    duration: float | None,
    headless: bool,
    as_json: bool,
    data: Path | None,
    workers: int,
    port: int,
    console_port: int,
    seed: int,
    users: int,
) -> None:
    """Run a sample shop with real HTTP traffic and six attacks, and open the console on it.

    The last attack ends about ten seconds after the start; a shorter demo leaves some out. At the end: for each attack, how long until the alert, and until the stolen token was refused.
    """
    try:
        from jwtrail.demo import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed, which only the demo needs", hint="pip install 'jwtrail[demo]'"
        ) from error
    sys.exit(
        run.main(
            duration=duration,
            headless=headless,
            as_json=as_json,
            data=data,
            workers=workers,
            port=port,
            console_port=console_port,
            seed=seed,
            users=users,
        )
    )
