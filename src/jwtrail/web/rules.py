"""The rule set as it goes over the wire."""

from jwtrail.detect.ruleset import RuleSet
from jwtrail.sigma import Correlation, Meta, Proposal, Rule
from jwtrail.web.shapes import RefusedRule, RulesPage, RuleView

__all__ = ["proposed", "rules_page"]

_TARGETS = {"jti": "token", "family": "sign-in", "user": "user", "source": "source address"}


def proposed(proposal: Proposal | None) -> str:
    """What a rule would do, in words; empty when nothing."""
    if proposal is None:
        return ""
    if proposal.kind == "notify":
        return "notify"
    return f"{proposal.kind} the {_TARGETS[proposal.target]}"


def rules_page(ruleset: RuleSet, texts: dict[str, str] | None = None) -> RulesPage:
    """Every rule that can raise alerts, and what was refused.

    Args:
        texts: the rule files by name; a rule of a file that is not here is shown without its source.
    """
    kinds = {rule.meta.id: _kind(rule) for rule in ruleset.everything()}
    return RulesPage(
        rules=tuple(
            _view(meta, kinds[meta.id], enabled=ruleset.is_on(meta), source=(texts or {}).get(meta.file, ""))
            for meta in ruleset.metas()
        ),
        refused=tuple(
            RefusedRule(
                file=error.file, line=error.line, column=error.column, message=error.message, hint=error.hint
            )
            for error in ruleset.refused
        ),
    )


def _kind(rule: Rule | Correlation) -> str:
    if isinstance(rule, Correlation):
        return str(rule.shape.__struct_config__.tag)
    return str(rule.watch.__struct_config__.tag) if rule.watch is not None else "event"


def _view(meta: Meta, kind: str, *, enabled: bool, source: str) -> RuleView:
    return RuleView(
        id=meta.id,
        code=meta.code,
        name=meta.title,
        level=meta.level,
        kind=kind,
        enabled=enabled,
        description=meta.description,
        tags=meta.tags,
        falsepositives=meta.falsepositives,
        response=proposed(meta.response),
        file=meta.file,
        source=source,
    )
