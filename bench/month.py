"""Precision and recall of the whole pack on a simulated month of 300 people with every attack once."""

import time

from jwtrail.config import DetectSettings
from jwtrail.detect import Detector
from jwtrail.detect.ruleset import configured
from jwtrail.simulate import KNOWN, Found, Plan, scored, simulated


def run(calls: int) -> None:
    plan = Plan(days=30 if calls >= 2000 else 12, people=300 if calls >= 2000 else 120)
    events, labels = simulated(plan)
    detector = Detector(configured(DetectSettings(**KNOWN)))
    began = time.process_time()
    alerts = [
        alert for start in range(0, len(events), 500) for alert in detector.feed(events[start : start + 500])
    ]
    seconds = time.process_time() - began
    score = scored(labels, [Found(alert.code, alert.events) for alert in alerts], len(events))
    print(f"\nsimulated: {plan.days} days, {plan.people} people, {len(events):,} events")
    print(
        f"  recall                            {score.recall:10.3f}  {score.found} of {score.attacks} attacks"
    )
    print(
        f"  precision                         {score.precision:10.3f}  {score.alerts} alerts, {score.idle} in vain"
    )
    print(f"  in vain for 10,000 benign events  {score.idle_per_10k:10.2f}  {score.idle_by}")
    print(f"  match and correlate               {len(events) / seconds:10,.0f} events/s")
    for missed in score.missed:
        print(f"  missed                            {missed}")
