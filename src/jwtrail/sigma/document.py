"""A rule file as data that knows where each part was written. Safe YAML, bounded, no duplicate keys."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml
from msgspec import Struct

from jwtrail.errors import RuleError

__all__ = ["MAX_DEPTH", "MAX_DOCUMENTS", "MAX_NODES", "MAX_TEXT", "Document", "Path", "read_documents"]

MAX_TEXT = 256 * 1024
"""Characters of one rule file. The largest public Sigma rule has 40,000."""

MAX_DOCUMENTS = 64
"""Documents of one file: a rule, its correlations, its filters."""

MAX_NODES = 20_000
"""Nodes of one file, and of one document with every alias written out, which stops a billion laughs."""

MAX_DEPTH = 40
"""Levels of nesting; Sigma itself needs seven."""

Path = tuple[str | int, ...]
"""Keys and list positions from the top of a document to one of its parts."""


class Document(Struct, frozen=True):
    """One YAML document.

    Args:
        file: name of the file, for messages.
        data: the mapping it holds.
        node: the same with positions.
    """

    file: str
    data: dict[str, Any]
    node: Any

    def error(self, message: str, path: Path = (), hint: str = "") -> RuleError:
        """The error for what stands at `path`, or for the nearest part above it that exists."""
        line, column = self.place(path)
        return RuleError(message, file=self.file, line=line, column=column, hint=hint)

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column, both from 1, of the key (or list item) at the end of `path`."""
        node = mark = self.node
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return mark.start_mark.line + 1, mark.start_mark.column + 1


def read_documents(file: str, text: str) -> tuple[list[Document], list[RuleError]]:
    """Every document of a rule file, and an error for each that is not one."""
    if len(text) > MAX_TEXT:
        return [], [
            RuleError(
                f"longer than {MAX_TEXT} characters", file=file, line=1, column=1, hint="split the file"
            )
        ]
    documents: list[Document] = []
    errors: list[RuleError] = []
    try:
        for node, loader in _nodes(text):
            if len(documents) + len(errors) == MAX_DOCUMENTS:
                errors.append(_at(node, file, f"more than {MAX_DOCUMENTS} documents", "split the file"))
                break
            try:
                documents.append(_document(file, node, loader))
            except RuleError as error:
                errors.append(error)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        errors.append(RuleError(f"not YAML: {error.problem}", file=file, line=line, column=column))
    except yaml.YAMLError as error:
        errors.append(RuleError(f"not YAML: {error}", file=file, line=1, column=1))
    except _TooMuchError as error:
        errors.append(_at(error.event, file, error.message))
    return documents, errors


class _TooMuchError(Exception):
    def __init__(self, message: str, event: Any) -> None:
        super().__init__(message)
        self.message = message
        self.event = event


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it, as its wheels are: an eighth of the time, which every command that needs rules pays."""

_OPEN = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSE = (yaml.SequenceEndEvent, yaml.MappingEndEvent)
_LEAF = (yaml.ScalarEvent, yaml.AliasEvent)


def _bound(text: str) -> None:
    """Refuse what is too much before anything is made of it; what is no YAML is told when it is read."""
    depth = nodes = 0
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, _Loader):
            if isinstance(event, _CLOSE):
                depth -= 1
                continue
            opens = isinstance(event, _OPEN)
            nodes += opens or isinstance(event, _LEAF)
            depth += opens
            if nodes > MAX_NODES:
                raise _TooMuchError(f"more than {MAX_NODES} parts", event)
            if depth > MAX_DEPTH:
                raise _TooMuchError(f"nested more than {MAX_DEPTH} levels deep", event)


def _nodes(text: str) -> Iterator[tuple[Any, Any]]:
    _bound(text)
    loader = _Loader(text)
    try:
        while loader.check_node():
            yield loader.get_node(), loader
    finally:
        loader.dispose()


def _document(file: str, node: Any, loader: Any) -> Document:
    if not isinstance(node, yaml.MappingNode):
        raise _at(node, file, "not a mapping", "a rule starts with `title:`")
    _check(node, file, {}, ())
    try:
        return Document(file, loader.construct_document(node), node)
    except (yaml.MarkedYAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None) or node.start_mark
        raise RuleError(
            f"not YAML: {getattr(error, 'problem', error)}",
            file=file,
            line=mark.line + 1,
            column=mark.column + 1,
        ) from None


def _check(node: Any, file: str, sizes: dict[int, int], above: tuple[int, ...]) -> int:
    """How many nodes there are below and with this one, aliases written out; refuses what is too much or twofold."""
    if id(node) in above:
        raise _at(node, file, "an alias that contains itself")
    if (known := sizes.get(id(node))) is not None:
        return known
    if len(above) > MAX_DEPTH:
        raise _at(node, file, f"nested more than {MAX_DEPTH} levels deep")
    inside = (*above, id(node))
    size = 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _at(key, file, "a key that is not a text")
            if key.value in seen:
                raise _at(
                    key, file, f"the key {key.value!r} stands here twice", "YAML would drop the first one"
                )
            seen.add(key.value)
            size += 1 + _check(value, file, sizes, inside)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_check(item, file, sizes, inside) for item in node.value)
    if size > MAX_NODES:
        raise _at(node, file, f"more than {MAX_NODES} parts", "aliases count as often as they are used")
    sizes[id(node)] = size
    return size


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _at(node: Any, file: str, message: str, hint: str = "") -> RuleError:
    mark = node.start_mark
    return RuleError(message, file=file, line=mark.line + 1, column=mark.column + 1, hint=hint)
