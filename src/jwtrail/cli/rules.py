"""`jwtrail rules`: the detection rules, and their own tests."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jwtrail import clock
from jwtrail.cli.common import (
    LEVEL_STYLES,
    config_option,
    counted,
    data_option,
    draw,
    is_terminal,
    json_line,
    note,
    open_store,
    settings_of,
)
from jwtrail.cli.detect import replay, stretch
from jwtrail.cli.exits import ERROR, FOUND, one_line
from jwtrail.cli.plain import visible
from jwtrail.cli.profiling import costs_of, draw_costs
from jwtrail.cli.rulesexport import export

if TYPE_CHECKING:
    from jwtrail.detect.ruleset import RuleSet

__all__ = ["rules"]

directories = click.argument(
    "paths",
    metavar="[DIR]...",
    nargs=-1,
    type=click.Path(file_okay=False, exists=True, path_type=Path),
)


@click.group(short_help="The detection rules.")
def rules() -> None:
    """The detection rules: those that come with jwtrail, those of the settings, and directories named here."""


@rules.command("list")
@directories
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@config_option
def list_(paths: tuple[Path, ...], as_json: bool) -> None:
    """Every rule, whether it is on, and what it would do."""
    from jwtrail.web.rules import rules_page  # noqa: PLC0415

    ruleset = _loaded(paths)
    page = rules_page(ruleset)
    if as_json or not is_terminal():
        for rule in page.rules:
            json_line(rule)
    else:
        from rich.text import Text  # noqa: PLC0415

        rows = [
            (
                rule.code,
                Text("on", "green") if rule.enabled else Text("off", "dim"),
                Text(rule.level, LEVEL_STYLES.get(rule.level, "")),
                visible(rule.name),
                rule.kind.replace("_", " "),
                rule.response or "-",
            )
            for rule in page.rules
        ]
        draw(("code", "", "level", "rule", "looks at", "answer"), rows, flexible=("rule", "answer"))
    _tell_silent(ruleset)
    _tell_refused(ruleset)


def _tell_silent(ruleset: "RuleSet") -> None:
    """Without a database of addresses some rules have nothing to compare."""
    from jwtrail.detect.needs import without_database  # noqa: PLC0415

    if not settings_of().enrich.databases and (codes := without_database(ruleset)):
        note(f"Silent until enrich.databases names a file: {', '.join(codes)}")


@rules.command()
@directories
@config_option
def lint(paths: tuple[Path, ...]) -> None:
    """Say which rules are not in use, with file, line and column. Exit code 3 when there is one."""
    ruleset = _loaded(paths)
    _tell_refused(ruleset)
    good = len(ruleset.everything())
    note(f"{good} rules are good, {len(ruleset.refused)} are refused.")
    if ruleset.refused:
        sys.exit(FOUND)


@rules.command()
@directories
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document a line. [default when not a terminal]"
)
@config_option
def test(paths: tuple[Path, ...], as_json: bool) -> None:
    """Run the examples of rules: attacks they must find, and near misses they must not. Exit code 1 when one fails.

    Those of the rules in DIR, or without one of every rule there is.
    """
    from jwtrail.detect.examples import run_examples  # noqa: PLC0415

    ruleset = _untuned(paths)
    asked = {
        meta.id for meta in ruleset.metas() if not paths or any(map(Path(meta.file).is_relative_to, paths))
    }
    results = [result for result in run_examples(ruleset) if result.rule in asked]
    if as_json or not is_terminal():
        for result in results:
            json_line(
                {
                    "rule": result.rule,
                    "code": result.code,
                    "title": result.title,
                    "example": result.example,
                    "expected": result.expected,
                    "alerts": len(result.alerts),
                    "passed": result.passed,
                    "problem": result.problem,
                }
            )
    else:
        from rich.text import Text  # noqa: PLC0415

        rows = [
            (
                Text("✓", "green") if result.passed else Text("✗", "bold red"),
                result.code,
                visible(result.example),
                f"{len(result.alerts)} of {result.expected}",
                visible(result.problem),
            )
            for result in results
        ]
        draw(("", "code", "example", "alerts", "problem"), rows, flexible=("example", "problem"))
    failed = sum(not result.passed for result in results)
    _tell_refused(ruleset)
    note(f"{len(results) - failed} of {len(results)} examples pass.")
    if failed or ruleset.refused:
        sys.exit(ERROR)


@rules.command(short_help="What the rules of a file would have said over the past.")
@click.argument("file", metavar="FILE|DIR", type=click.Path(exists=True, path_type=Path))
@stretch
@click.option("--json", "as_json", is_flag=True, help="One JSON document. [default when not a terminal]")
@click.option(
    "--profile",
    is_flag=True,
    help="Also what each rule costs alone: events that fit it, those that had to be read, CPU time.",
)
@data_option
def backtest(
    *,
    file: Path,
    start: str | None,
    end: str | None,
    warm_up: str | None,
    as_json: bool,
    profile: bool,
    data: Path | None,
) -> None:
    """What the rules of a file or directory would have said, by day and group, and what they cost. Nothing is answered or recorded.

    \b
    jwtrail rules backtest my-rules/export.yml --from now-30d
    """
    from jwtrail.detect.backtest import alone, summary  # noqa: PLC0415
    from jwtrail.query.page import SearchRequest  # noqa: PLC0415
    from jwtrail.query.times import parse_time  # noqa: PLC0415

    ruleset = alone(file, settings_of(data).detect)
    _tell_refused(ruleset)
    if ruleset.refused and not ruleset.active().alerting:
        sys.exit(ERROR)  # no alert of a rule that did not run says nothing
    found = replay(ruleset, start, end, warm_up, data)
    now = clock.now_us()
    request = SearchRequest(
        from_us=parse_time(start, now) if start else None, to_us=parse_time(end, now) if end else None
    )
    made = summary(
        ruleset,
        found.alerts,
        events=open_store(data).count(request),
        took_ms=found.took_ms,
        costs=costs_of(
            ruleset, request, open_store(data), lambda one: replay(one, start, end, warm_up, data, quiet=True)
        )
        if profile
        else None,
    )
    if as_json or not is_terminal():
        json_line(made)
    else:
        for rule in made.rules:
            note(f"{rule.code or rule.id} {visible(rule.title)}: {counted(rule.alerts, 'alert')}")
        rows = [(*row[:2], visible(row[2]), f"{row[3]:,}") for row in made.rows()]
        if rows:
            draw(("day", "rule", "group", "alerts"), rows, flexible=("group",))
        if profile:
            draw_costs(made)
        note(
            f"{counted(made.alerts, 'alert')} on {counted(made.events, 'event')}, {made.per_10k:.2f} on 10,000; {made.took_ms:,} ms."
        )
    if ruleset.refused:
        sys.exit(ERROR)


rules.add_command(export)


def _loaded(paths: tuple[Path, ...]) -> "RuleSet":
    from jwtrail.detect.ruleset import configured  # noqa: PLC0415

    return configured(settings_of().detect, paths)


def _untuned(paths: tuple[Path, ...]) -> "RuleSet":
    """The same rules as their authors wrote them: their examples know nothing of this service's lists and thresholds."""
    from jwtrail.config import DetectSettings  # noqa: PLC0415
    from jwtrail.detect.ruleset import configured  # noqa: PLC0415

    settings = settings_of().detect
    return configured(DetectSettings(rules=settings.rules, lists=settings.lists), paths)


def _tell_refused(ruleset: "RuleSet") -> None:
    for error in ruleset.refused:
        note(one_line(error))
