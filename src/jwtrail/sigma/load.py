"""Sigma rule files to records. A bad rule is refused with its place; the others still load."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule, SigmaRuleBase

from jwtrail.errors import PredicateError, RuleError
from jwtrail.sigma.correlation import is_at_end, parse_correlation, read_correlation, references
from jwtrail.sigma.document import Document, read_documents
from jwtrail.sigma.errors import LowerError
from jwtrail.sigma.lists import Lists
from jwtrail.sigma.locate import from_lowering, from_sigma
from jwtrail.sigma.lower import lower_rule
from jwtrail.sigma.meta import read_meta
from jwtrail.sigma.policy import POLICY
from jwtrail.sigma.records import Correlation, Loaded, Meta, Rule
from jwtrail.sigma.spelling import spelled
from jwtrail.sigma.watch import quiet_us, read_watch
from jwtrail.sigma.watches import Absence

__all__ = ["MAX_FILES", "load_rules"]

MAX_FILES = 5_000
"""Files of one rule set; all of SigmaHQ is some 4,000."""

T = TypeVar("T")
R = TypeVar("R", Rule, Correlation)


def load_rules(texts: Mapping[str, str], lists: Lists | None = None) -> Loaded:
    """Every rule, correlation and filter of some files.

    Args:
        texts: the text of each file by its name; the order decides which of two rules with one id is the second.
        lists: values of placeholders (`%name%` with the modifier `expand`); an empty list fits nothing.
    """
    if len(texts) > MAX_FILES:
        error = RuleError(f"more than {MAX_FILES} rule files", hint="point at a smaller directory")
        return Loaded(refused=(error,))
    return _Loader(lists or {}).load(texts)


class _Loader:
    """Collects what loads and what does not; used once."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.rules: list[Rule] = []
        self.correlations: list[Correlation] = []
        self.refused: list[RuleError] = []
        self.ids: dict[str, str] = {}
        self.filters: list[SigmaFilter] = []
        self.silent: set[str] = set()
        self.at_end: set[str] = set()

    def load(self, texts: Mapping[str, str]) -> Loaded:
        documents = []
        for file, text in texts.items():
            found, errors = read_documents(file, text)
            documents += found
            self.refused += errors
        kinds: dict[str, list[Document]] = {"filter": [], "detection": [], "correlation": []}
        for document in documents:
            kind = next((key for key in ("correlation", "filter", "detection") if key in document.data), "")
            if kind:
                kinds[kind].append(document)
            else:
                self.refused.append(
                    document.error("neither detection, correlation nor filter", hint=_old_action(document))
                )
        for document in kinds["filter"]:
            if (parsed := self._guarded(document, _parse_filter, document)) is not None:
                self.filters.append(parsed)
        for document in kinds["detection"]:
            self._guarded(document, self._rule, document)
        for document in kinds["filter"]:
            self._guarded(document, self._check_filter, document)
        self._all_correlations(kinds["correlation"])
        return Loaded(
            rules=tuple(_settled(rule, self.silent) for rule in self.rules),
            correlations=tuple(_settled(correlation, self.silent) for correlation in self.correlations),
            refused=tuple(self.refused),
        )

    def _rule(self, document: Document) -> None:
        parsed = SigmaRule.from_dict(spelled(document.data), collect_errors=True, policy=POLICY)
        _raise_first(document, parsed)
        for one in self.filters:
            one.apply_on_rule(parsed)
        meta = read_meta(document, parsed)
        self._check_unique(document, meta)
        watch = read_watch(document)
        if not meta.suppress_us:
            meta = replace(meta, suppress_us=quiet_us(watch))
        rule = Rule(meta=meta, predicate=lower_rule(parsed, self.lists), watch=watch)
        self.rules.append(rule)
        if isinstance(rule.watch, Absence):
            self.at_end.add(meta.id)
        self._register(meta)

    def _all_correlations(self, documents: list[Document]) -> None:
        """Loads each after those it refers to; a round without progress leaves what misses something or runs in a ring."""
        waiting = [
            (document, parsed)
            for document in documents
            if (parsed := self._guarded(document, parse_correlation, document)) is not None
        ]
        while waiting:
            ready = [pair for pair in waiting if self._knows_all(*pair)]
            for document, parsed in ready or waiting:
                self._guarded(document, self._correlation, document, parsed)
            if not ready:
                return
            waiting = [pair for pair in waiting if pair not in ready]

    def _knows_all(self, document: Document, parsed: SigmaCorrelationRule) -> bool:
        """Its rules are loaded; the one its share is taken against too."""
        extension = document.data.get("jwtrail")
        share = extension.get("share") if isinstance(extension, dict) else None
        against = [str(share.get("against"))] if isinstance(share, dict) else []
        return all(name.lower() in self.ids for name in (*references(parsed), *against))

    def _correlation(self, document: Document, parsed: SigmaCorrelationRule) -> None:
        correlation = read_correlation(document, parsed, self.ids)
        self._check_unique(document, correlation.meta)
        for number, rule in enumerate(correlation.rules):
            if rule in self.at_end:
                raise document.error(
                    "a rule that fires when its window ends cannot be part of another",
                    ("correlation", "rules", number),
                )
        if is_at_end(correlation.shape):
            self.at_end.add(correlation.meta.id)
        self.correlations.append(correlation)
        self._register(correlation.meta)
        if not parsed.generate:
            self.silent.update(correlation.sources)

    def _check_filter(self, document: Document) -> None:
        """A filter that names a rule which is not there would silently leave alerts in."""
        named = document.data["filter"].get("rules") if isinstance(document.data["filter"], dict) else None
        for number, name in enumerate(named if isinstance(named, list) else [named]):
            if isinstance(name, str) and name.lower() not in self.ids and name.lower() != "any":
                path = ("filter", "rules", number) if isinstance(named, list) else ("filter", "rules")
                raise document.error(
                    f"no rule {name!r} is loaded", path, "name rules by `name:` or `id:`, or write `any`"
                )

    def _check_unique(self, document: Document, meta: Meta) -> None:
        for key in ("id", "name"):
            value = getattr(meta, key)
            if value and value.lower() in self.ids:
                raise document.error(f"another rule has the {key} {value} already", (key,))

    def _register(self, meta: Meta) -> None:
        self.ids[meta.id.lower()] = meta.id
        if meta.name:
            self.ids[meta.name.lower()] = meta.id

    def _guarded(self, document: Document, step: Callable[..., T], *args: Any) -> T | None:
        """The step's value; whatever is wrong with the rule becomes one entry of `refused`."""
        try:
            return step(*args)
        except RuleError as error:
            self.refused.append(error)
        except LowerError as error:
            self.refused.append(from_lowering(document, error))
        except SigmaError as error:
            self.refused.append(from_sigma(document, error))
        except PredicateError as error:
            self.refused.append(document.error(error.message, ("detection",), error.hint))
        except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
            # pySigma takes the shape of a document for granted in many places.
            self.refused.append(document.error(f"malformed: {error or type(error).__name__}"))
        return None


def _raise_first(document: Document, parsed: SigmaRuleBase) -> None:
    for error in parsed.errors:
        raise from_sigma(document, error)


def _parse_filter(document: Document) -> SigmaFilter:
    parsed = SigmaFilter.from_dict(spelled(document.data), collect_errors=True, policy=POLICY)
    _raise_first(document, parsed)
    return parsed


def _old_action(document: Document) -> str:
    return "`action:` was removed from Sigma; write each rule out" if "action" in document.data else ""


def _settled(item: R, silent: set[str]) -> R:
    """Sigma's `generate`: a rule that a correlation refers to raises no alerts of its own unless it says so."""
    meta = item.meta
    alerts = meta.id not in silent if meta.alert is None else meta.alert
    return replace(item, meta=replace(meta, alerts=alerts))
