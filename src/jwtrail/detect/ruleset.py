"""The rules in use: the packaged ones and the user's own, with the operator's choice of them."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from jwtrail.detect.tuning import LISTS, Tuned, tuned_correlation, tuned_rule, with_ttl
from jwtrail.errors import ConfigError, RuleError
from jwtrail.predicate.ir import And, Equals, Predicate
from jwtrail.sigma import Correlation, Loaded, Meta, Rule, load_rules

__all__ = [
    "MAX_FILE",
    "Active",
    "Choices",
    "RuleSet",
    "asks_for_alerts",
    "configured",
    "load_ruleset",
    "packaged_texts",
]

_CODE = re.compile(r"([A-Za-z]+)([0-9]{1,9})(.*)")

MAX_FILE = 1024 * 1024
"""Bytes of one rule file that are read at all; `sigma` allows less, and says so with the place."""


class Active(Struct, frozen=True):
    """What has to run: the rules that may alert, and those that they are made of.

    Args:
        alerting: ids of the rules that raise alerts.
    """

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    alerting: frozenset[str]

    def everything(self) -> tuple[Rule | Correlation, ...]:
        """All of them, each after those it is made of."""
        return (*self.rules, *self.correlations)


class RuleSet(Struct, frozen=True, kw_only=True):
    """Rules, and which of them are switched on.

    Args:
        refused: what did not load, each with file, line and column.
        disabled: codes or ids that are switched off; `enabled` those shipped disabled that are switched on.
    """

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    refused: tuple[RuleError, ...] = ()
    disabled: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()

    def everything(self) -> tuple[Rule | Correlation, ...]:
        """All rules, each after those it is made of."""
        return (*self.rules, *self.correlations)

    def metas(self) -> tuple[Meta, ...]:
        """The heads of all rules that can raise alerts, switched on or not, by code and title."""
        heads = (rule.meta for rule in self.everything())
        return tuple(sorted((meta for meta in heads if meta.alerts), key=_in_order))

    def is_on(self, meta: Meta) -> bool:
        """Whether this rule raises alerts."""
        keys = {meta.id, meta.code} - {""}
        if not meta.alerts or keys & self.disabled:
            return False
        return meta.enabled or bool(keys & self.enabled)

    def active(self) -> Active:
        """The rules that are on, and everything below them."""
        below = {one.meta.id: one.sources for one in self.correlations}
        alerting = frozenset(rule.meta.id for rule in self.everything() if self.is_on(rule.meta))
        needed, todo = set(alerting), list(alerting)
        while todo:
            fresh = set(below.get(todo.pop(), ())) - needed
            needed |= fresh
            todo += fresh
        return Active(
            tuple(rule for rule in self.rules if rule.meta.id in needed),
            tuple(one for one in self.correlations if one.meta.id in needed),
            alerting,
        )

    def only(self, rule_id: str) -> "RuleSet":
        """The same rules with one of them switched on alone."""
        others = frozenset(rule.meta.id for rule in self.everything() if rule.meta.id != rule_id)
        return RuleSet(
            rules=self.rules, correlations=self.correlations, disabled=others, enabled=frozenset({rule_id})
        )


def _in_order(meta: Meta) -> tuple[str, int, str, str]:
    """A2 before A10, B3 before B3b; rules without a code first, by title."""
    found = _CODE.fullmatch(meta.code)
    letters, number, rest = found.groups() if found else (meta.code, "0", "")
    return letters, int(number), rest, meta.title


def asks_for_alerts(predicate: Predicate) -> bool:
    """Whether only alerts can fit, because the rule says so with `event.kind: alert`."""
    match predicate:
        case Equals(field="event.kind", value="alert"):
            return True
        case And(items=items):
            return any(map(asks_for_alerts, items))
    return False


def load_ruleset(
    directories: Iterable[Path | str] = (),
    *,
    packaged: bool = True,
    disabled: Iterable[str] = (),
    enabled: Iterable[str] = (),
    lists: Mapping[str, Sequence[str]] | None = None,
    tune: Mapping[str, Tuned] | None = None,
    max_token_ttl_s: int = 0,
) -> RuleSet:
    """The packaged rules and those in some directories (`*.yml` and `*.yaml`, below them too).

    A rule that does not load stands in `refused` and hinders no other.

    Args:
        lists: values of placeholders, by name; those of `tuning.LISTS` are there, empty, without being given.
        tune: by a rule's code or id.
        max_token_ttl_s: in place of what rules compare `jwt.ttl` with; 0 leaves them as they are.

    Raises:
        ConfigError: a directory cannot be read, a rule is switched on, off or tuned that does not exist, or tuned in a
            way that makes no sense.
    """
    texts: dict[str, str] = dict(packaged_texts()) if packaged else {}
    refused: list[RuleError] = []
    for directory in directories:
        _read_directory(Path(directory), texts, refused)
    loaded = _tuned(
        load_rules(texts, dict.fromkeys(LISTS, ()) | dict(lists or {})), tune or {}, max_token_ttl_s
    )
    return RuleSet(
        rules=loaded.rules,
        correlations=loaded.correlations,
        refused=(*refused, *loaded.refused),
        disabled=_known(loaded, disabled, "disabled"),
        enabled=_known(loaded, enabled, "enabled"),
    )


class Choices(Protocol):
    """The operator's choices: `config.DetectSettings`."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Directories of further rules."""

    @property
    def disabled(self) -> tuple[str, ...]:
        """Codes or ids of rules that do not run."""

    @property
    def enabled(self) -> tuple[str, ...]:
        """Codes or ids of rules that run though they are off by default."""

    @property
    def tune(self) -> Mapping[str, Tuned]:
        """By a rule's code or id."""

    @property
    def max_token_ttl_s(self) -> int:
        """Longest life of a token, seconds; 0 for what the rules say."""

    def named_lists(self) -> Mapping[str, tuple[str, ...]]:
        """Values of placeholders."""


def configured(choices: Choices, more: Iterable[Path] = ()) -> RuleSet:
    """The packaged rules, those of the settings, and those of some more directories, as the operator chose.

    Raises:
        ConfigError: as `load_ruleset`.
    """
    return load_ruleset(
        [*map(Path, choices.rules), *more],
        disabled=choices.disabled,
        enabled=choices.enabled,
        lists=choices.named_lists(),
        tune=choices.tune,
        max_token_ttl_s=choices.max_token_ttl_s,
    )


def packaged_texts() -> Iterator[tuple[str, str]]:
    """Name (`a_forgery/a1_unsigned_token.yml`) and text of every packaged rule file, in order."""
    yield from _walk(files("jwtrail") / "rules", "")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yml"):
            yield prefix + entry.name, entry.read_text(encoding="utf-8")


def _read_directory(directory: Path, texts: dict[str, str], refused: list[RuleError]) -> None:
    if not directory.exists():
        raise ConfigError("no such directory of rules", where=str(directory), hint="see `[detect] rules`")
    for path in [directory] if directory.is_file() else sorted(directory.rglob("*")):
        if path.suffix not in (".yml", ".yaml") or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                texts[str(path)] = file.read(MAX_FILE).decode()
        except UnicodeDecodeError as error:
            refused.append(RuleError(f"not UTF-8: {error.reason} at byte {error.start}", file=str(path)))
        except OSError as error:
            refused.append(RuleError(f"cannot be read: {error.strerror}", file=str(path)))


def _tuned(loaded: Loaded, tune: Mapping[str, Tuned], ttl_s: int) -> Loaded:
    _known(loaded, tune, "tune")
    rules = [with_ttl(rule, ttl_s) for rule in loaded.rules] if ttl_s else list(loaded.rules)
    correlations = list(loaded.correlations)
    for key, tuning in tune.items():
        rules = [tuned_rule(rule, tuning, key) if _is(rule, key) else rule for rule in rules]
        correlations = [tuned_correlation(one, tuning, key) if _is(one, key) else one for one in correlations]
    return replace(loaded, rules=tuple(rules), correlations=tuple(correlations))


def _is(rule: Rule | Correlation, key: str) -> bool:
    return key in (rule.meta.id, rule.meta.code)


def _known(loaded: Loaded, names: Iterable[str], setting: str) -> frozenset[str]:
    metas = [rule.meta for rule in loaded.rules] + [rule.meta for rule in loaded.correlations]
    known = {key for meta in metas for key in (meta.id, meta.code) if key}
    chosen = frozenset(names)
    for name in sorted(chosen - known):
        close = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"no rule {name!r}",
            where=f"[detect] {setting}",
            hint=f"did you mean {close[0]}?" if close else "`jwtrail rules list` shows codes and ids",
        )
    return chosen
