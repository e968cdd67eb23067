"""Every limit on a rule file holds, and says so."""

import pytest

from jwtrail.predicate.checks import MAX_PIECES, MAX_REGEX
from jwtrail.sigma import load_rules
from jwtrail.sigma.correlation import MAX_COUNT, MAX_RULES
from jwtrail.sigma.load import MAX_FILES
from jwtrail.sigma.lower import MAX_CONDITION
from jwtrail.sigma.records import MAX_MINUTES, MAX_OFFSET_S, MAX_REPEAT

RULE = """
title: x
id: 11111111-1111-4111-8111-111111111111
name: base
logsource: {{product: jwtrail}}
detection: {{selection: {{{item}}}, condition: {condition}}}
"""
COUNT = """
title: y
id: 33333333-3333-4333-8333-333333333333
correlation: {{type: event_count, rules: {rules}, group-by: [user.id], timespan: {span}, condition: {{gte: {count}}}}}
"""


def rule(item="event.action: a", condition="selection", more=""):
    return RULE.format(item=item, condition=condition) + more


def count(rules="[base]", span="10m", number="5"):
    return COUNT.format(rules=rules, span=span, count=number)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rule(f"url.path|re: '{'a' * (MAX_REGEX + 1)}'"), "regular expression longer"),
        (rule(f"url.path: '{'a*' * MAX_PIECES}'"), "pieces"),
        (rule(condition="selection" + " or selection" * (MAX_CONDITION // 12)), "condition longer"),
        (rule("url.path|re: '(((a{100}){100}){100})'"), "invalid"),
        (rule() + "---" + count(number=str(MAX_COUNT + 1)), "from 1 to"),
        (rule() + "---" + count(number="0"), "from 1 to"),
        (rule() + "---" + count(number="1.5"), "from 1 to"),
        (rule() + "---" + count(span="33d"), "longer than 32 days"),
        (rule() + "---" + count(rules=f"[{'base, ' * (MAX_RULES + 1)}]"), f"more than {MAX_RULES} rules"),
        (rule(more=f"jwtrail: {{response: {{kind: block, minutes: {MAX_MINUTES + 1}}}}}"), "<= "),
        (
            rule(
                more=f"jwtrail: {{examples: [{{name: x, events: [{{set: {{}}, repeat: {MAX_REPEAT + 1}}}]}}]}}"
            ),
            "<= ",
        ),
        (
            rule(
                more=f"jwtrail: {{examples: [{{name: x, events: [{{set: {{}}, at: {MAX_OFFSET_S + 1}}}]}}]}}"
            ),
            "<= ",
        ),
        (rule(f"event.action: [{', '.join(map(str, range(6_000)))}]"), "more than"),
    ],
)
def test_a_limit_is_refused_by_name(text, says):
    loaded = load_rules({"limit.yml": text})
    assert len(loaded.refused) == 1
    assert says in str(loaded.refused[0])
    assert loaded.refused[0].line > 0


def test_more_files_than_anybody_writes_are_refused_at_once():
    loaded = load_rules({str(number): "" for number in range(MAX_FILES + 1)})
    assert "rule files" in str(loaded.refused[0])


def test_what_lies_just_within_the_limits_loads():
    within = (
        rule(f"url.path|re: '{'a' * (MAX_REGEX - 48)}'") + "---" + count(number=str(MAX_COUNT), span="32d")
    )
    assert load_rules({"in.yml": within}).refused == ()
