"""The command line: a table of commands, each imported when it is called, so that `jwtrail --version` stays instant."""

import difflib
from importlib import import_module
from typing import Any, NamedTuple

import click

from jwtrail import __version__
from jwtrail.cli.exits import orderly

__all__ = ["COMMANDS", "Lazy", "cli"]


class Entry(NamedTuple):
    """Where a command is, and its line in the overview (so that the overview imports nothing)."""

    place: str
    help: str


COMMANDS: dict[str, Entry] = {
    "demo": Entry("demo:demo", "A sample shop under attack, watched live."),
    "serve": Entry("serve:serve", "The daemon: seals the trail, detects, answers, serves the console."),
    "search": Entry("search:search", "Search everything recorded, with KQL."),
    "saved": Entry("saved:saved", "Searches kept under a name."),
    "tail": Entry("tail:tail", "Follow events as they arrive."),
    "stats": Entry("stats:stats", "Count values of fields; the busiest users, addresses, tokens."),
    "alerts": Entry("alerts:alerts", "What was detected, and its triage."),
    "explain": Entry("explain:explain", "One event: token, verdict, proof, rules, alerts, answers."),
    "detect": Entry("detect:detect", "Run the detection rules over the past."),
    "simulate": Entry("simulate:simulate", "A month of a service, with labelled attacks."),
    "rules": Entry("rules:rules", "The detection rules."),
    "kql": Entry("kql:kql", "Show how a query is understood."),
    "trail": Entry("trail:trail", "Verify the trail, prove an event."),
    "subject": Entry("subject:subject", "What is held about a person: hand out, erase."),
    "import": Entry("importing:import_", "Take access records from elsewhere."),
    "ship": Entry("ship:ship", "Ship the trail to an engine, a file or another receiver."),
    "export": Entry("exporting:export", "Hand the trail on."),
    "provision": Entry("provision:provision", "Make an engine and its dashboards ready."),
    "verify-proof": Entry("trail:verify_proof", "Check a proof offline."),
    "token": Entry("token:token", "Look into a token."),
    "keys": Entry("keys:keys", "The keys that sign tokens."),
    "config": Entry("config:config", "Settings and where they come from."),
    "fields": Entry("fields:fields", "The fields of an event."),
    "completion": Entry("completion:completion", "Completion for your shell."),
}


class Lazy(click.Group):
    """Imports a command when it is asked for by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.place.partition(":")
        command: click.Command = getattr(import_module(f"jwtrail.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = difflib.get_close_matches(args[0], COMMANDS, n=1) if args and args[0] not in COMMANDS else []
        if close:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        with orderly():
            return super().invoke(ctx)


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 error, 2 usage or bad query, "
    "3 something was found, 4 sign-in needed, 5 integrity broken, 130 interrupted.",
)
@click.version_option(__version__, message="jwtrail %(version)s")
def cli() -> None:
    """JWTs issued and verified, a trail nobody can alter unseen, and detection that answers by itself."""
