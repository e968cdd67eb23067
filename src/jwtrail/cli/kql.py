"""`jwtrail kql`: how a query is understood."""

from collections.abc import Callable

import click
import msgspec

from jwtrail import clock

__all__ = ["FORMS", "explained", "kql"]


def _ast(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415

    return _pretty(compile_kql(query, now_us))


def _sql(query: str, now_us: int) -> str:
    from jwtrail.ecs import CATALOGUE  # noqa: PLC0415
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.sql import to_sql  # noqa: PLC0415

    text, parameters = to_sql(compile_kql(query, now_us), frozenset(CATALOGUE))
    shown = "".join(f"\n-- ${number}: {value!r}" for number, value in enumerate(parameters, 1))
    return text + shown


def _dsl(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.dsl import to_dsl  # noqa: PLC0415

    return _pretty(to_dsl(compile_kql(query, now_us)))


def _python(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.python import to_python  # noqa: PLC0415

    return to_python(compile_kql(query, now_us)).rstrip()


def _text(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.text import to_text  # noqa: PLC0415

    return to_text(compile_kql(query, now_us))


FORMS: dict[str, tuple[str, Callable[[str, int], str]]] = {
    "text": ("how it was read", _text),
    "ast": ("its tree", _ast),
    "sql": ("what the store is asked (DuckDB)", _sql),
    "dsl": ("what Elasticsearch and OpenSearch are asked", _dsl),
    "python": ("what runs on live events", _python),
}
"""Each form of a query: its meaning in words, and how it is made."""


@click.command(short_help="Show how a query is understood.")
@click.argument("query")
@click.option("--to", "form", type=click.Choice(list(FORMS)), default="ast", show_default=True)
def kql(query: str, form: str) -> None:
    """Show what QUERY becomes: its tree (ast), SQL, Query DSL, or Python.

    \b
    jwtrail kql 'url.path: /admin* and not user.id: root' --to dsl
    """
    click.echo(FORMS[form][1](query, clock.now_us()))


def explained(query: str, now_us: int) -> str:
    """A query in every form, for `search --explain`."""
    parts = [
        f"── {name}: {meaning}\n{make(query, now_us)}"
        for name, (meaning, make) in FORMS.items()
        if name != "ast"  # the text says the same in one line
    ]
    return "\n\n".join(parts)


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
