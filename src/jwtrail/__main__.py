"""`python -m jwtrail` and the `jwtrail` command."""

from jwtrail.cli.main import cli

__all__ = ["main"]


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    cli(prog_name="jwtrail")


if __name__ == "__main__":
    main()
