import numpy as np
import pytest
import scipy.stats

from bionet.studies.report.statistics import (
    RESAMPLES,
    Interval,
    coverage,
    interquartile_mean,
    mean,
    paired,
)

FIVE = [0.91, 0.93, 0.9, 0.97, 0.92]


def test_two_and_three_values_by_hand():
    # Of two values a quarter of the resamples takes the lower one twice, and a quarter the upper.
    assert mean([0.8, 0.9]) == Interval(pytest.approx(0.85), 0.8, 0.9, 2)
    # Of three values one resample in 27 (3.7 %, more than 2.5 %) takes the lowest three times.
    assert mean([1.0, 2.0, 6.0]) == Interval(3.0, 1.0, 6.0, 3)
    # The mean of a resample of these is how often it takes the 4: four times in one of 256, three
    # times or more in 13 of 256 (5 %), and never in 81 of 256.
    assert mean([0.0, 0.0, 0.0, 4.0]) == Interval(1.0, 0.0, 3.0, 4)


def test_the_interquartile_mean_by_hand():
    assert interquartile_mean([0.1, 0.9, 0.92, 0.94, 1.0]).value == pytest.approx(0.92)
    assert interquartile_mean([1.0, 2.0, 6.0]) == mean([1.0, 2.0, 6.0])  # nothing to leave out
    found = interquartile_mean([0.0, 0.5, 0.5, 1.0])
    assert found.value == 0.5
    assert found.low < 0.5 < found.high
    # The worst seed moves the mean, and leaves the interquartile mean where it is.
    assert interquartile_mean([*FIVE[:4], 0.1]).value > 0.91 > mean([*FIVE[:4], 0.1]).value


@pytest.mark.parametrize("count", [2, 5, 12])
def test_intervals_are_those_of_plain_numpy_and_of_scipy(count):
    values = np.random.default_rng(count).normal(0.9, 0.02, count)
    drawn = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    means = [sum(row) / count for row in values[drawn].tolist()]
    trimmed = scipy.stats.trim_mean(values[drawn], 0.25, axis=1)
    found, inner = mean(list(values)), interquartile_mean(list(values))
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))
    assert inner.value == pytest.approx(scipy.stats.trim_mean(values, 0.25))
    assert (inner.low, inner.high) == pytest.approx(tuple(np.percentile(trimmed, [2.5, 97.5])))
    theirs = scipy.stats.bootstrap((values,), np.mean, rng=0, method="percentile")
    ends = theirs.confidence_interval
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-12)


def test_the_same_numbers_give_the_same_bits():
    assert mean(FIVE) == mean(tuple(np.array(FIVE)))
    assert mean(FIVE) == mean(list(FIVE))
    assert mean([0.3] * 5) == Interval(0.3, 0.3, 0.3, 5)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_coverage_on_a_known_case(count):
    """Normal results with a true mean of 0: how often does the interval hold it?"""
    studies = np.random.default_rng(1).normal(size=(400, count))
    held = np.mean([mean(list(values)).holds_zero for values in studies])
    assert held == pytest.approx(coverage(count), abs=0.05)
    assert coverage(count) == pytest.approx({2: 0.5, 3: 0.75, 5: 0.85, 20: 0.93}[count], abs=0.006)


def test_coverage_comes_near_to_95_per_cent():
    assert coverage(2) < coverage(3) < coverage(10) < coverage(1000)
    assert coverage(1000) == pytest.approx(0.95, abs=0.001)


def test_paired_differences_by_hand():
    ours = {0: 0.9, 1: 0.8, 2: 0.7, 4: 0.5}
    theirs = {4: 0.5, 0: 0.8, 1: 0.9, 2: 0.6, 3: 0.0}
    found = paired(ours, theirs)
    assert (found.wins, found.losses, found.ties) == (2, 1, 1)
    assert found.difference == mean([0.9 - 0.8, 0.8 - 0.9, 0.7 - 0.6, 0.0])
    assert found.difference.value == pytest.approx(0.025)
    turned = paired(theirs, ours)
    assert (turned.wins, turned.losses) == (1, 2)
    assert turned.difference.value == pytest.approx(-0.025)


def test_less_of_a_loss_is_a_win():
    found = paired({0: 1.0, 1: 1.0}, {0: 2.0, 1: 3.0}, lower=True)
    assert (found.wins, found.losses) == (2, 0)
    assert found.difference.value == -1.5
    assert not found.difference.holds_zero


def test_pairing_takes_away_what_seeds_share():
    hard = {seed: 0.1 * seed for seed in range(5)}  # seeds differ by far more than arms
    ours = {seed: value + 0.01 for seed, value in hard.items()}
    assert not paired(ours, hard).difference.holds_zero
    assert mean(list(ours.values())).low < mean(list(hard.values())).high


def test_refusals(says):
    with says(
        ValueError,
        "An interval needs 2 seeds or more, got 1: one number says nothing about how much",
    ):
        mean([0.9])
    with says(ValueError, "An interval needs 2 seeds or more, got 0"):
        interquartile_mean([])
    with says(ValueError, "An interval needs 2 seeds or more, got 1"):
        paired({0: 1.0, 1: 1.0}, {1: 2.0, 2: 2.0})
    with says(ValueError, "An interval needs finite numbers, got [0.9, nan]."):
        mean([0.9, float("nan")])
    with says(ValueError, "An interval needs 2 seeds or more, got 1"):
        coverage(1)
