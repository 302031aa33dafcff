"""Metric against cost: fronts, curves with bands, equal costs, and thresholds.

Final values are those of the test split. Learning curves, and all that is read from them, are of
the validation split, as it is looked at after each epoch.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from bionet.studies.report.arm_results import ArmResults, is_share, lower_is_better
from bionet.studies.report.statistics import LEAST, Interval, mean

GRID: Final = 60
"""Points of a band whose seeds were not measured at the same costs."""

Points = Sequence[tuple[float, float]]


@final
@dataclass(frozen=True)
class Band:
    """The mean of learning curves along a cost, with its interval at each point.

    Attributes:
        x: the costs.
        y: the interval at each of them.
    """

    x: tuple[float, ...]
    y: tuple[Interval, ...]


@final
@dataclass(frozen=True)
class Reach:
    """The cost of reaching a threshold for the first time.

    Attributes:
        median: over all seeds, those that never reach it counted as infinite; infinity where half
            of the seeds or more never do and the median falls among them.
        lowest: of the seeds that reach it; infinity where none does.
        highest: of the seeds that reach it; infinity where none does.
        reached: how many seeds reach it.
        seeds: how many seeds there are.
    """

    median: float
    lowest: float
    highest: float
    reached: int
    seeds: int


def front(
    reached: Mapping[str, float], spent: Mapping[str, float], *, lower: bool = False
) -> list[str]:
    """The names that nothing beats, from cheap to dear.

    One is beaten by another that reaches at least as much for at most as much, and differs.

    Args:
        reached: what each has reached.
        spent: what each has spent; one whose cost is not known is left out.
        lower: whether less is better.

    Example:
        >>> front({"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 5.0, "b": 2.0, "c": 3.0})
        ['b', 'a']
    """
    sign = 1.0 if lower else -1.0
    points = {name: (spent[name], sign * reached[name]) for name in reached if name in spent}
    unbeaten = [
        name
        for name, here in points.items()
        if not any(at != here and at[0] <= here[0] and at[1] <= here[1] for at in points.values())
    ]
    return sorted(unbeaten, key=lambda name: points[name])


def band(curves: Sequence[Points]) -> Band | None:
    """The mean of the curves of several seeds; None where fewer than two have points.

    Where all seeds have as many points, a point of the band is the mean cost and the mean value of
    theirs. Where they have not, as under a budget in seconds, they are read off at common costs,
    along straight lines between their points.

    Args:
        curves: (cost, value) points of each seed, costs ascending.
    """
    if len(curves) < LEAST:
        return None
    own = [[x for x, _ in curve] for curve in curves]
    first, last = max(x[0] for x in own), min(x[-1] for x in own)
    if len({len(x) for x in own}) == 1:
        at = [sum(column) / len(column) for column in zip(*own, strict=True)]
        columns = [list(each) for each in zip(*(_values(curve) for curve in curves), strict=True)]
    elif first < last:
        at = np.linspace(first, last, GRID).tolist()
        columns = np.stack([np.interp(at, _costs(c), _values(c)) for c in curves], -1).tolist()
    else:  # one seed ended before another one had begun
        at = [sum(x[-1] for x in own) / len(own)]
        columns = [[curve[-1][1] for curve in curves]]
    return Band(tuple(at), tuple(mean(column) for column in columns))


def at_cost(curve: Points, amount: float) -> float | None:
    """The value after the last epoch that ended within a cost; None where none did."""
    place = bisect.bisect_right(_costs(curve), amount)
    return curve[place - 1][1] if place else None


def equal_cost(arms: Sequence[ArmResults], metric: str, cost: str) -> float | None:
    """The cost that every seed of every trained arm has spent; None where there is no such."""
    ends = [[curve[-1][0] for curve in arm.curves(metric, cost)] for arm in arms if not arm.control]
    return min(map(min, ends)) if ends and all(ends) else None


def reach(curves: Sequence[Points], threshold: float, *, lower: bool = False) -> Reach:
    """Returns the cost of each seed of an arm when an epoch first ended at a threshold or beyond.

    Args:
        curves: (cost, value) points of each seed.
        threshold: the value to be reached.
        lower: whether less is better.

    Example:
        >>> reach([[(1, 0.5), (2, 0.9)], [(1, 0.9)], [(1, 0.1)]], 0.8)
        Reach(median=2, lowest=1, highest=2, reached=2, seeds=3)
    """
    costs = [
        next((x for x, y in curve if (y <= threshold if lower else y >= threshold)), math.inf)
        for curve in curves
    ]
    found = [cost for cost in costs if cost < math.inf] or [math.inf]
    count = sum(cost < math.inf for cost in costs)
    middle = statistics.median(costs) if costs else math.inf
    return Reach(middle, min(found), max(found), count, len(costs))


def thresholds(
    arms: Sequence[ArmResults], metric: str, control: str | None, against: str | None
) -> dict[str, float]:
    """The levels that a report takes where it was given none, by what they are.

    They follow from the last points of the learning curves: what the frozen control ends with, the
    arm that others are compared with, and the lowest of the trained arms. Each mean is rounded to
    the easier side, to a whole per cent where it is a share, and else to two digits.
    """
    lower, share = lower_is_better(metric), is_share(metric, arms)
    ends = {arm.name: [curve[-1][1] for curve in arm.curves(metric, "epoch")] for arm in arms}
    means = {name: sum(values) / len(values) for name, values in ends.items() if values}
    trained = [means[arm.name] for arm in arms if arm.name in means and not arm.control]
    levels: dict[str, float] = {}
    if trained:
        levels["what every trained arm ends with"] = (max if lower else min)(trained)
    for name in (control, against):
        if name in means:
            levels[f"what {name} ends with"] = means[name]
    found: dict[str, float] = {}
    for name, level in levels.items():
        easier = _easier(level, share=share, lower=lower)
        if easier not in found.values():
            found[name] = easier
    return dict(sorted(found.items(), key=lambda each: each[1], reverse=lower))


def _costs(curve: Points) -> list[float]:
    return [x for x, _ in curve]


def _values(curve: Points) -> list[float]:
    return [y for _, y in curve]


def _easier(level: float, *, share: bool, lower: bool) -> float:
    step = 0.01 if share else 10.0 ** (math.floor(math.log10(abs(level))) - 1) if level else 1.0
    count = round(level / step, 9)
    return round((math.ceil(count) if lower else math.floor(count)) * step, 12)
