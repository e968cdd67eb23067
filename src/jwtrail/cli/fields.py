"""`jwtrail fields`: what can be searched for."""

import click
import msgspec

from jwtrail.cli.common import draw, is_terminal, json_line, note

__all__ = ["fields"]


@click.command(short_help="The fields of an event.")
@click.argument("word", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a field.")
def fields(word: str, as_json: bool) -> None:
    """The fields of an event; only those with WORD in their name or meaning when it is given."""
    from jwtrail.ecs import CATALOGUE  # noqa: PLC0415

    wanted = word.lower()
    found = [
        field
        for name, field in sorted(CATALOGUE.items())
        if wanted in name.lower() or wanted in field.doc.lower()
    ]
    if not found:
        note(f"No field has {word!r} in its name or meaning.")
        return
    if as_json or not is_terminal():
        for field in found:
            json_line(msgspec.structs.asdict(field))
        return
    rows = [(f.name, f.type + ("[]" if f.many else ""), f.klass, f.doc) for f in found]
    draw(("field", "type", "class", "meaning"), rows, flexible=("meaning",), wrap=True)
