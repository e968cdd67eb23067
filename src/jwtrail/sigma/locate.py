"""Where in its file a rule is wrong: pySigma names the mistake, the document knows the places."""

import re
from collections.abc import Iterator
from typing import Any

import sigma.exceptions as sx
from sigma.rule.attributes import SigmaLevel, SigmaStatus
from sigma.rule.detection import SigmaDetectionItem

from jwtrail.errors import RuleError
from jwtrail.sigma.document import Document, Path
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.policy import POLICY

__all__ = ["from_lowering", "from_msgspec", "from_sigma"]

_PLACES: tuple[tuple[type[sx.SigmaError], Path], ...] = (
    (sx.SigmaIdentifierError, ("id",)),
    (sx.SigmaTitleError, ("title",)),
    (sx.SigmaNameError, ("name",)),
    (sx.SigmaTaxonomyError, ("taxonomy",)),
    (sx.SigmaRelatedError, ("related",)),
    (sx.SigmaLevelError, ("level",)),
    (sx.SigmaStatusError, ("status",)),
    (sx.SigmaTagError, ("tags",)),
    (sx.SigmaDateError, ("date",)),
    (sx.SigmaModifiedError, ("modified",)),
    (sx.SigmaFieldsError, ("fields",)),
    (sx.SigmaFalsePositivesError, ("falsepositives",)),
    (sx.SigmaAuthorError, ("author",)),
    (sx.SigmaDescriptionError, ("description",)),
    (sx.SigmaReferencesError, ("references",)),
    (sx.SigmaLogsourceError, ("logsource",)),
    (sx.SigmaConditionError, ("detection", "condition")),
    (sx.SigmaDetectionError, ("detection",)),
    (sx.SigmaTimespanError, ("correlation", "timespan")),
    (sx.SigmaCorrelationTypeError, ("correlation", "type")),
    (sx.SigmaCorrelationConditionError, ("correlation", "condition")),
    (sx.SigmaCorrelationRuleError, ("correlation",)),
)
_NO_LOOKING = "RE2 syntax: no look-around and no back references, so that matching stays linear"
_HINTS: tuple[tuple[type[sx.SigmaError], str], ...] = (
    (sx.SigmaRegularExpressionError, _NO_LOOKING),
    (sx.SigmaLevelError, ", ".join(level.name.lower() for level in SigmaLevel)),
    (sx.SigmaStatusError, ", ".join(status.name.lower() for status in SigmaStatus)),
    (sx.SigmaIdentifierError, "a UUID, such as `uuidgen` makes"),
    (sx.SigmaDateError, "2026-11-23"),
    (sx.SigmaModifiedError, "2026-11-23"),
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")


def from_sigma(document: Document, error: sx.SigmaError) -> RuleError:
    """A mistake that pySigma found."""
    message = " ".join(str(arg) for arg in error.args) or type(error).__name__
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), "")
    for path, key, value in _items(document):
        try:
            SigmaDetectionItem.from_mapping(key, value, policy=POLICY)
        except sx.SigmaError as found:
            if found.args == error.args:
                return document.error(message, path, hint)
    for kind, path in _PLACES:
        if isinstance(error, kind):
            return document.error(message, path, hint)
    return document.error(message)


def from_lowering(document: Document, error: LowerError) -> RuleError:
    """A mistake found while lowering; it stands at the first use of its field."""
    if error.field is None:
        return document.error(error.message, ("detection",), error.hint)
    for path, key, _ in _items(document):
        if key is not None and key.split("|")[0] == error.field:
            return document.error(error.message, path, error.hint)
    return document.error(error.message, ("detection",), error.hint)


def from_msgspec(document: Document, text: str, top: Path) -> RuleError:
    """A value below `top` of the wrong shape; msgspec says where as ``… - at `$.response.kind` ``."""
    message, _, place = text.partition(" - at `$")
    steps = tuple(name or int(number) for name, number in _STEP.findall(place))
    return document.error(message, top + steps)


def _items(document: Document) -> Iterator[tuple[Path, str | None, Any]]:
    """Every `field|modifier: value` of the detections, with its path."""
    detection = document.data.get("detection")
    if isinstance(detection, dict):
        for name, definition in detection.items():
            if name != "condition":
                yield from _definition(("detection", str(name)), definition)


def _definition(path: Path, definition: Any) -> Iterator[tuple[Path, str | None, Any]]:
    if isinstance(definition, dict):
        for key, value in definition.items():
            yield (*path, str(key)), str(key), value
    elif isinstance(definition, list) and any(isinstance(part, dict | list) for part in definition):
        for number, part in enumerate(definition):
            yield from _definition((*path, number), part)
    else:
        yield path, None, definition
