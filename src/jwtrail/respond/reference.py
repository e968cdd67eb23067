"""docs/reference/rules.md, written from the rules themselves."""

from jwtrail.detect import RuleSet
from jwtrail.respond.settings import PACKAGED, Answer
from jwtrail.sigma import Correlation, Meta, Rule, TemporalOrdered, ValueCount

__all__ = ["rules_page"]

_HEAD = """# Detection rules

Made from the packaged rules by `respond.reference.rules_page`; do not edit by hand.

Each rule is a [Sigma](https://sigmahq.io) file in `src/jwtrail/rules`, tags itself with ATT&CK and the OWASP API Security
Top 10 (2023), and carries examples that must match and near misses that must not (`jwtrail rules test` runs them).

## What a correlation means here

- A window slides and is never tied to the clock: `[t - span, t]`, both ends included, anchored at each match, where `t` is
  the newest event time its group has seen. An event that arrives late counts at its own time; one from before the window
  does not count.
- An event without a group key is ignored, never grouped under null. Keys compare exactly.
- *In order* means in the order of the trail, so two events of one instant are still ordered. A-C-B is not A-B-C; other
  events may lie between. After it fired, a sequence starts anew.
- After an alert a group is quiet for one time span unless the rule sets `suppress`. Quiet time holds alerts back, not what
  they are part of: a correlation that refers to another sees every match of it.
- What our own answers cause (`jwtrail.flags: self_inflicted`) never counts, and alerts do not alert.
- An alert's id follows from rule, group and first event. The same events give the same alerts in any batches, after any
  restart, live or replayed.
- A rule that only a correlation refers to raises no alerts of its own, unless the correlation says `generate: true` or the
  rule itself `jwtrail: {alert: true}`.
- State is bounded (20,000 groups a rule); what had to be forgotten early is counted.

## What an answer may do

Only what was verified is acted on: the token's id or family, the user of a verified token, or the address. A claim of a
token that did not verify never chooses whom. An address behind which four or more users were seen in the last day is never
blocked, only throttled, and only without a valid token. Every answer ends. A rule without an answer in the list below only
says what it would do (`jwtrail.response.dry_run: true`) until `[respond.answers]` names it.

## The rules

| code | rule | level | fires on | answer |
|---|---|---|---|---|
"""


def rules_page(ruleset: RuleSet) -> str:
    """The page for these rules, in Markdown."""
    by_id = {rule.meta.id: rule for rule in ruleset.everything()}
    metas = ruleset.metas()
    rows = "".join(
        f"| {meta.code} | {meta.title} | {meta.level} | {_fires(by_id[meta.id], by_id)} | {_answer(meta)} |\n"
        for meta in metas
    )
    return _HEAD + rows + "".join(_section(meta) for meta in metas)


def _fires(rule: Rule | Correlation, by_id: dict[str, Rule | Correlation]) -> str:
    if isinstance(rule, Rule):
        return "one event"
    names = [by_id[one].meta.name.replace("_", " ") or by_id[one].meta.title for one in rule.rules]
    group = ", ".join(f"`{field}`" for field in rule.meta.group_by)
    window = f"in {_span(rule.span_us)} by {group}"
    if isinstance(rule.shape, TemporalOrdered):
        return f"{', then '.join(names)}, {window}"
    if isinstance(rule.shape, ValueCount):
        fields = ", ".join(f"`{field}`" for field in rule.shape.fields)
        return f"{rule.shape.count} different {fields} of {', '.join(names)} {window}"
    return f"{rule.shape.count} of {', '.join(names)} {window}"


def _answer(meta: Meta) -> str:
    answer = PACKAGED.get(meta.code)
    if answer is not None:
        return _words(answer)
    if meta.response is None or meta.response.kind == "notify":
        return "none"
    return f"{meta.response.kind} the {meta.response.target}, only said"


def _words(answer: Answer) -> str:
    if answer.kind == "revoke":
        return f"revoke the {answer.target}"
    rate = f" to {answer.per_minute} requests a minute" if answer.kind == "throttle" else ""
    gentle = ", requests without a valid token only" if answer.unauthenticated_only else ""
    return f"{answer.kind} the {answer.target}{rate} for {answer.minutes} min{gentle}"


def _section(meta: Meta) -> str:
    tags = ", ".join((*meta.techniques, *meta.owasp))
    lines = [
        f"\n### {meta.code} {meta.title}\n",
        " ".join(meta.description.split()),
        "",
        f"- Tags: {tags}",
        f"- Id: `{meta.id}`, file `{meta.file}`",
        *(f"- Can be harmless: {text.rstrip('.')}." for text in meta.falsepositives),
    ]
    if meta.response is not None:
        lines.append(f"- Why this answer: {meta.response.why}")
    lines.append(
        f"- Examples: {'; '.join(_example(example.name, example.alerts) for example in meta.examples)}."
    )
    return "\n".join(lines) + "\n"


def _example(name: str, alerts: int) -> str:
    return f"{name} ({alerts or 'no'} alert{'s' if alerts != 1 else ''})"


def _span(span_us: int) -> str:
    seconds = span_us // 1_000_000
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
