"""What each of some rules costs: measured one after the other, each alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from jwtrail import clock
from jwtrail.cli.common import draw, note
from jwtrail.cli.plain import visible
from jwtrail.cli.progress import progress

if TYPE_CHECKING:
    from jwtrail.detect.backtest import Backtest, RuleCost
    from jwtrail.detect.ruleset import RuleSet
    from jwtrail.query.page import SearchRequest
    from jwtrail.query.store import Store
    from jwtrail.runtime.history import Replay

__all__ = ["costs_of", "draw_costs"]


def costs_of(
    ruleset: "RuleSet", request: "SearchRequest", store: "Store", replay: "Callable[[RuleSet], Replay]"
) -> "dict[str, RuleCost]":
    """By id, what each rule that is on costs.

    Args:
        request: the stretch that `replay` runs rules over.
    """
    from msgspec.structs import replace  # noqa: PLC0415

    from jwtrail.detect.backtest import RuleCost, fitting  # noqa: PLC0415

    found = dict[str, RuleCost]()
    on = [meta.id for meta in ruleset.metas() if ruleset.is_on(meta)]
    with progress("measuring each rule") as tell:
        for done, rule in enumerate(on, 1):
            one = ruleset.only(rule)
            began = clock.cpu_ns()
            read = replay(one).read
            used = clock.cpu_ns() - began
            fitted = store.count(replace(request, query=fitting(one)))
            found[rule] = RuleCost(fitted=fitted, read=read, cpu_ms=round(used / 1_000_000))
            if tell:
                tell(done, len(on))
    return found


def draw_costs(made: "Backtest") -> None:
    """Show them to a person, the dearest first."""
    rows = [
        (rule.code, visible(rule.title), f"{cost.fitted:,}", f"{cost.read:,}", f"{cost.cpu_ms / 1000:.2f}")
        for rule, cost in made.costs()
    ]
    draw(("code", "rule", "fitted", "read", "CPU s"), rows, flexible=("rule",))
    note("Each rule alone; together they share what they read.")
