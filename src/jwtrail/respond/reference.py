"""docs/reference/rules.md, written from the rules themselves."""

from jwtrail.detect import RuleSet
from jwtrail.respond.settings import PACKAGED, Answer
from jwtrail.sigma import (
    Absence,
    Backwards,
    Bound,
    Correlation,
    Dormant,
    EventCount,
    Meta,
    NewTerms,
    Rule,
    Statistical,
    Step,
    Stepping,
    Temporal,
    TemporalOrdered,
    Travel,
    ValueCount,
    ValueMeasure,
    ValuePercentile,
)

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
- `lt`, `lte`, `eq`, `neq`, ranges with an upper end, a temporal condition with `not`, and absence are judged when their window
  ends. It opens with a match of the group, and is closed once event time is 2 s past its end; the trail's time, never a clock.
  Such a rule cannot be part of another one.
- In order, `not` between two rules (`denied and not granted and allowed`) says what must not come between them.
- `value_sum`, `value_avg`, `value_median` and `value_percentile` (nearest rank) take the events that hold a number in the field.
- While a health rule is active (group I), the alerts of the rules that it explains are marked as held back and not answered.
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
blocked, only throttled, and only without a valid token; a rule that knows an address and not who behind it did something
revokes nothing there. A sign-in ends only when it came from where the guesses at it came from. Every answer ends, a
revocation after the last token that it concerns. A rule without an answer in the list below only
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
        return _watched(rule)
    names = [by_id[one].meta.name.replace("_", " ") or by_id[one].meta.title for one in rule.rules]
    group = ", ".join(f"`{field}`" for field in rule.meta.group_by)
    window = f"in {_span(rule.span_us)}" + (f" by {group}" if group else "")
    share = ""
    if rule.share is not None:
        against = by_id[rule.share.against].meta.name.replace("_", " ")
        share = f", at least {rule.share.percent} % of them and {against}"
    return f"{_counted(rule, ', '.join(names))} {window}{share}"


def _counted(rule: Correlation, names: str) -> str:
    match rule.shape:
        case TemporalOrdered():
            return f"{names.replace(', ', ', then ')},"
        case EventCount(count=count, bounds=bounds):
            return f"{_bounds(bounds) if bounds else count} of {names}"
        case ValueCount(count=count, bounds=bounds, fields=counted):
            fields = ", ".join(f"`{field}`" for field in counted)
            return f"{_bounds(bounds) if bounds else count} different {fields} of {names}"
        case Temporal(count=count):
            return f"{count} of {names}"
        case ValueMeasure(field=field, bounds=bounds):
            kind = rule.shape.__struct_config__.tag
            which = f" {rule.shape.percentile}" if isinstance(rule.shape, ValuePercentile) else ""
            return f"{str(kind).removeprefix('value_')}{which} of `{field}` {_bounds(bounds)} of {names}"
    return f"a condition on {names}"


def _bounds(bounds: tuple[Bound, ...]) -> str:
    return " and ".join(f"{bound.op} {bound.value:,}" for bound in bounds)


def _watched(rule: Rule) -> str:
    group = ", ".join(f"`{field}`" for field in rule.meta.group_by)
    by = f" by {group}" if group else ""
    match rule.watch:
        case Absence(span_us=span):
            return f"silence for {_span(span)}{by}"
        case NewTerms(fields=fields, history_us=history):
            terms = ", ".join(f"`{field}`" for field in fields)
            return f"a {terms} not seen for {_span(history)}{by}"
        case Statistical(
            measure=measure, field=field, factor=factor, percentile=percentile, bucket_us=bucket
        ):
            what = f"{measure} of `{field}`" if field else "count"
            return f"{what} in {_span(bucket)} over {factor:g} times its own p{percentile}{by}"
        case Step(field=field, over=over):
            return f"`{field}` grows by more than {over}{by}"
        case Backwards(by_us=back):
            return f"`@timestamp` goes back by more than {_span(back)}{by}"
        case Dormant(idle_us=idle, count=count, span_us=span):
            return f"{count} in {_span(span)} after silence for {_span(idle)}{by}"
        case Travel(distance=distance, speed=speed):
            return f"{distance:g} km at more than {speed:g} km/h{by}"
        case Stepping(field=field, count=count, percent=percent, span_us=span):
            return (
                f"{count} different `{field}` in {_span(span)}, more than {percent} % of the steps by one{by}"
            )
    return "one event"


def _answer(meta: Meta) -> str:
    answer = PACKAGED.get(meta.code)
    if answer is not None:
        return _words(answer)
    if meta.response is None or meta.response.kind == "notify":
        return "none"
    return f"{meta.response.kind} the {meta.response.target}, only said"


def _words(answer: Answer) -> str:
    if answer.kind == "revoke":
        spared = ", told only where several users share the address" if answer.spare_shared else ""
        return f"revoke the {answer.target}{spared}"
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
        lines.append(f"- Why this answer: {' '.join(meta.response.why.split())}")
    lines.append(
        f"- Examples: {'; '.join(_example(example.name, example.alerts) for example in meta.examples)}."
    )
    return "\n".join(lines) + "\n"


def _example(name: str, alerts: int) -> str:
    return f"{name} ({alerts or 'no'} alert{'s' if alerts != 1 else ''})"


def _span(span_us: int) -> str:
    seconds = span_us // 1_000_000
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
