"""Writes the pages of docs/reference that are made from the code's own tables: `python docs/build.py` (or `make docs`)."""

from collections.abc import Callable
from pathlib import Path

import click

from jwtrail import config
from jwtrail.cli.main import cli
from jwtrail.detect.ruleset import configured
from jwtrail.ecs import ACTIONS, CATALOGUE, REASONS
from jwtrail.respond.reference import rules_page
from jwtrail.runtime.metrics import METRICS

HERE = Path(__file__).parent / "reference"
MADE = "Made from the code by `make docs`; do not edit by hand."


def fields() -> str:
    rows = []
    for field in CATALOGUE.values():
        kind = f"{field.type}[]" if field.many else field.type
        rows.append(f"| `{field.name}` | {kind} | {field.klass} | {field.doc} |")
    return _page(
        "Fields of an event",
        "Names are the Elastic Common Schema's where it has one. *Personal* fields stand behind the personal commitment and go when a person is erased; "
        "*derived* ones are given after the event was written.",
        "| field | type | class | meaning |",
        rows,
    )


def reasons() -> str:
    rows = [
        f"| `{reason.code}` | {reason.klass.replace('_', ' ')} | {reason.doc} |"
        for reason in REASONS.values()
    ]
    return _page(
        "Reasons (`event.reason`)",
        "A closed list; codes never change. *Forged*: nobody sends these by mistake. *Suspicious*: an attack, or a fault that looks like one. *Broken client*, *routine*, "
        "*sign in*: what they say. *Operator*: found when a key is loaded.",
        "| reason | class | meaning |",
        rows,
    )


def actions() -> str:
    rows = [
        f"| `{action.name}` | {', '.join(action.category)} | {', '.join(action.type)} | `{action.dataset}` |"
        for action in ACTIONS.values()
    ]
    return _page(
        "Actions (`event.action`)",
        "A closed list; what an application records under a name of its own goes to `jwtrail.audit`.",
        "| action | category | type | data set |",
        rows,
    )


def metrics() -> str:
    rows = [
        f"| `{row.name}{'_total' if row.kind == 'counter' else ''}` | {row.kind} | {', '.join(row.labels)} | {row.doc} |"
        for row in METRICS.values()
    ]
    return _page(
        "Metrics",
        "`jwtrail serve` answers `/metrics` in Prometheus' text format, signed in or with `serve.public_metrics`. The daemon sees every event, so it counts for all workers, from its start on. "
        "No label holds a user, a token, an address or a path.",
        "| metric | kind | labels | meaning |",
        rows,
    )


def settings() -> str:
    rows = []
    for row in config.table():
        default = "" if row.default in ("", None, ()) else f"`{row.default}`"
        default = (
            ", ".join(f"`{item}`" for item in row.default)
            if isinstance(row.default, tuple) and row.default
            else default
        )
        rows.append(f"| `{row.name}` | {row.type.replace('|', 'or')} | {default} | {row.doc} |")
    return _page(
        "Settings",
        "Strongest first: keyword arguments and flags · `JWTRAIL_*` (two underscores nest: `JWTRAIL_TOKENS__ISSUER`) · `./jwtrail.toml` or `[tool.jwtrail]` of "
        "`./pyproject.toml` · `~/.config/jwtrail/config.toml` · defaults. An unknown name is an error. `jwtrail config show` prints what is in force, and from where.",
        "| setting | type | default | meaning |",
        rows,
    )


def command_line() -> str:
    parts = [
        "# Command line",
        "",
        MADE,
        "",
        "Exit codes: 0 done, 1 error, 2 usage, 3 found something, 4 sign-in needed, 5 integrity broken, 130 interrupted.",
        "",
    ]
    _describe(cli, "jwtrail", None, parts)
    return "\n".join(parts).rstrip() + "\n"


def _describe(command: click.Command, path: str, parent: click.Context | None, parts: list[str]) -> None:
    look = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent, **look)
    parts += [f"## `{path}`", "", "```", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                _describe(inner, f"{path} {name}", context, parts)


def _page(title: str, words: str, head: str, rows: list[str]) -> str:
    line = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([f"# {title}", "", words, "", MADE, "", head, line, *rows]) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "fields.md": fields,
    "reasons.md": reasons,
    "actions.md": actions,
    "metrics.md": metrics,
    "settings.md": settings,
    "rules.md": lambda: rules_page(configured(config.DetectSettings())),
    "cli.md": command_line,
}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
