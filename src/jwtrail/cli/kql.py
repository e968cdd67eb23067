"""`jwtrail kql`: how a query is understood, stage by stage."""

import re
from collections.abc import Callable

import click
import msgspec

from jwtrail import clock
from jwtrail.cli.common import note

__all__ = ["FORMS", "explained", "kql", "note_equals"]

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_EQUALS = re.compile(r"([@\w.]+)\s*={1,2}(?!=)")


def _ast(query: str, now_us: int) -> str:  # noqa: ARG001  # a tree knows no time
    from jwtrail.kql import parse  # noqa: PLC0415
    from jwtrail.kql.ast import to_json  # noqa: PLC0415

    return _pretty(to_json(parse(query)))


def _dsl(query: str, now_us: int) -> str:  # noqa: ARG001  # date math is left to the engine
    from jwtrail.kql import parse  # noqa: PLC0415
    from jwtrail.kql.kibana import kibana_dsl  # noqa: PLC0415

    return _pretty(kibana_dsl(parse(query)))


def _predicate(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415

    return _pretty(compile_kql(query, now_us))


def _text(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.text import to_text  # noqa: PLC0415

    return to_text(compile_kql(query, now_us))


def _sql(query: str, now_us: int) -> str:
    from jwtrail.ecs import CATALOGUE  # noqa: PLC0415
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.sql import to_sql  # noqa: PLC0415

    text, parameters = to_sql(compile_kql(query, now_us), frozenset(CATALOGUE))
    shown = "".join(f"\n-- ${number}: {value!r}" for number, value in enumerate(parameters, 1))
    return text + shown


def _engine(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.dsl import to_dsl  # noqa: PLC0415

    return _pretty(to_dsl(compile_kql(query, now_us)))


def _python(query: str, now_us: int) -> str:
    from jwtrail.kql import compile_kql  # noqa: PLC0415
    from jwtrail.predicate.python import to_python  # noqa: PLC0415

    return to_python(compile_kql(query, now_us)).rstrip()


FORMS: dict[str, tuple[str, Callable[[str, int], str]]] = {
    "ast": ("the tree, as Kibana's parser gives it", _ast),
    "dsl": ("what Kibana asks an engine, whatever the fields are", _dsl),
    "text": ("how it was read, with the types of our fields", _text),
    "predicate": ("the same as JSON", _predicate),
    "sql": ("what the store is asked (DuckDB)", _sql),
    "engine": ("what we ask Elasticsearch and OpenSearch", _engine),
    "python": ("what runs on live events", _python),
}
"""Each form of a query: its meaning in words, and how it is made. The first two know grammar only, the others fields."""

_EXPLAINED = ("text", "sql", "engine", "python")


# A query may begin with `-`; what is no option of ours is the query.
def note_equals(query: str) -> None:
    """Say that `field = value` is not what it looks like: to KQL, and so to Kibana, these are words to look for anywhere."""
    from jwtrail.ecs import CATALOGUE  # noqa: PLC0415

    for name in _EQUALS.findall(_QUOTED.sub('""', query)):
        if name in CATALOGUE:
            note(
                f"jwtrail: note: {name} = … is looked for as words; a field is compared with a colon: {name}: …"
            )


@click.command(
    short_help="Show how a query is understood.", context_settings={"ignore_unknown_options": True}
)
@click.argument("query")
@click.option("--to", "form", type=click.Choice(list(FORMS)), default="ast", show_default=True)
def kql(query: str, form: str) -> None:
    """Show what QUERY becomes.

    \b
    ast        its tree, as Kibana's parser gives it
    dsl        what Kibana 8.12 asks an engine, whatever fields there are
    text       how we read it, with the types of our fields
    predicate  the same as JSON
    sql        what the embedded store is asked
    engine     what we ask Elasticsearch and OpenSearch
    python     what runs on live events

    The first two know the grammar only and take any field name; the others
    refuse a field that does not exist. A bad query ends with 2 and points at
    the place.

    \b
    jwtrail kql 'url.path: /admin* and not user.id: root' --to dsl
    """
    click.echo(FORMS[form][1](query, clock.now_us()))


def explained(query: str, now_us: int) -> str:
    """A query in the forms that know our fields, for `search --explain`; a back end that refuses it says why."""
    from jwtrail.errors import PredicateError  # noqa: PLC0415

    parts = []
    for name in _EXPLAINED:
        meaning, make = FORMS[name]
        try:
            made = make(query, now_us)
        except PredicateError as refused:
            made = f"not possible: {refused}"
        parts.append(f"── {name}: {meaning}\n{made}")
    return "\n\n".join(parts)


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
