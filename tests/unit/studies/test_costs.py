import math

import numpy as np
import pytest

from bionet.studies.report.arm_results import ArmResults
from bionet.studies.report.costs import Reach, at_cost, band, equal_cost, front, reach, thresholds
from bionet.studies.report.statistics import mean

SLOW = [(10.0, 0.5), (20.0, 0.7), (30.0, 0.9)]
FAST = [(1.0, 0.6), (2.0, 0.8), (3.0, 0.8)]


def arm(name, *curves, metric="accuracy", control=False):
    """An arm whose seeds have these curves of (evaluations, value)."""
    lines = [
        {
            "seed": seed,
            "metric": metric,
            "metrics": {metric: curve[-1][1]},
            "config": {"control": control},
            "curve": [
                {"epoch": n, "evaluations": x, metric: y} for n, (x, y) in enumerate(curve, 1)
            ],
        }
        for seed, curve in enumerate(curves)
    ]
    return ArmResults(name, tuple(lines))


def test_the_front_is_what_nothing_beats():
    reached = {"dear": 0.9, "cheap": 0.8, "beaten": 0.7, "also-dear": 0.9, "unknown": 1.0}
    spent = {"dear": 5.0, "cheap": 2.0, "beaten": 3.0, "also-dear": 6.0}
    assert front(reached, spent) == ["cheap", "dear"]
    assert front({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}) == ["b"]
    assert front({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}) == ["a", "b"]  # equals, both unbeaten


def test_the_front_of_a_loss():
    assert front({"a": 1.0, "b": 2.0}, {"a": 5.0, "b": 2.0}, lower=True) == ["b", "a"]
    assert front({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0}, lower=True) == ["a"]


def test_a_band_of_equal_costs_has_their_points():
    found = band([FAST, [(x, y - 0.2) for x, y in FAST]])
    assert found.x == (1.0, 2.0, 3.0)
    assert [each.value for each in found.y] == pytest.approx([0.5, 0.7, 0.7])
    assert found.y[0] == mean([0.6, 0.6 - 0.2])


def test_seconds_differ_from_seed_to_seed():
    later = [(x + 1, y) for x, y in FAST]
    found = band([FAST, later])  # as many points: point by point
    assert found.x == (1.5, 2.5, 3.5)
    assert [each.value for each in found.y] == pytest.approx([0.6, 0.8, 0.8])
    found = band([FAST, SLOW[:1] + SLOW])  # nothing in common
    assert (found.x, [each.value for each in found.y]) == ((16.5,), [pytest.approx(0.85)])
    found = band([[(0.0, 0.0), (2.0, 1.0)], [(1.0, 0.0), (2.0, 0.5), (3.0, 1.0)]])
    assert (found.x[0], found.x[-1]) == (1.0, 2.0)
    middle = np.interp(1.5, found.x, [each.value for each in found.y])
    assert middle == pytest.approx((0.75 + 0.25) / 2)


def test_one_seed_has_no_band():
    assert band([FAST]) is None
    assert band([]) is None


def test_the_value_within_a_cost():
    assert [at_cost(SLOW, amount) for amount in (9, 10, 29, 1e9)] == [None, 0.5, 0.7, 0.9]
    arms = [arm("slow", SLOW, SLOW), arm("fast", FAST, FAST[:2])]
    assert equal_cost(arms, "accuracy", "evaluations") == 2.0
    frozen = arm("frozen", [(0.5, 0.6)], control=True)
    assert equal_cost([*arms, frozen], "accuracy", "evaluations") == 2.0
    assert equal_cost([*arms, arm("none", [(math.nan, 0.1)])], "accuracy", "evaluations") is None
    assert equal_cost([frozen], "accuracy", "evaluations") is None


def test_thresholds_are_reached_at_the_end_of_an_epoch():
    assert reach([SLOW, FAST], 0.8) == Reach(16.0, 2.0, 30.0, 2, 2)
    assert reach([SLOW, FAST, FAST], 0.85) == Reach(math.inf, 30.0, 30.0, 1, 3)
    assert reach([SLOW, FAST, FAST], 0.7) == Reach(2.0, 2.0, 20.0, 3, 3)
    assert reach([SLOW], 0.95) == Reach(math.inf, math.inf, math.inf, 0, 1)
    falling = [(1.0, 2.0), (2.0, 1.0)]
    assert reach([falling, falling], 1.5, lower=True) == Reach(2.0, 2.0, 2.0, 2, 2)
    assert reach([], 0.5).seeds == 0


def test_thresholds_follow_from_the_ends_of_the_curves():
    arms = [
        arm("slow", SLOW, [(1.0, 0.957)]),
        arm("fast", FAST, [(1.0, 0.811)]),
        arm("frozen", [(1.0, 0.756)], control=True),
    ]
    assert thresholds(arms, "accuracy", "frozen", "slow") == {
        "what frozen ends with": 0.75,
        "what every trained arm ends with": 0.8,
        "what slow ends with": 0.92,
    }
    assert list(thresholds(arms, "accuracy", None, "fast")) == ["what every trained arm ends with"]
    losses = [arm(name, [(1.0, end)], metric="loss") for name, end in (("a", 1.233), ("b", 0.456))]
    assert thresholds(losses, "loss", None, "b") == {
        "what every trained arm ends with": 1.3,
        "what b ends with": 0.46,
    }
    assert thresholds([arm("none", [(1.0, math.nan)])], "accuracy", None, None) == {}
