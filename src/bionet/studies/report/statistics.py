"""Means over seeds with intervals, and differences that are paired by seed.

An interval is the 95 % percentile bootstrap over seeds by `scipy.stats.bootstrap`: seeds are drawn
with replacement 9,999 times, always by the same generator, so the same numbers give the same
interval to the last bit. With few seeds such an interval is too short: it holds the true mean in
fewer than 95 of 100 studies, and `coverage` says in how many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

LEVEL: Final = 0.95
"""The part of studies that an interval is meant to hold the truth in."""
RESAMPLES: Final = 9_999
"""How often seeds are drawn."""
LEAST: Final = 2
"""The fewest numbers that have an interval."""


@final
@dataclass(frozen=True)
class Interval:
    """A number with its 95 % bootstrap interval over seeds.

    Attributes:
        value: the number.
        low: the lower end.
        high: the upper end.
        seeds: how many seeds it is made of.
    """

    value: float
    low: float
    high: float
    seeds: int

    @property
    def holds_zero(self) -> bool:
        """True if zero lies in the interval, its ends included."""
        return self.low <= 0 <= self.high


@final
@dataclass(frozen=True)
class Paired:
    """The paired difference of two arms: how much more one has on the same seeds.

    Attributes:
        difference: the mean difference, arm less other, whatever is better.
        wins: seeds on which the arm is better.
        losses: seeds on which the other one is.
        ties: seeds on which they are equal.
    """

    difference: Interval
    wins: int
    losses: int
    ties: int


def mean(values: Sequence[float]) -> Interval:
    """The mean, with its interval.

    Args:
        values: one number per seed.

    Raises:
        ValueError: there are fewer than two, or one of them is no finite number.

    Example:
        >>> found = mean([0.9, 0.92, 0.94])
        >>> round(found.value, 3), found.low, found.high
        (0.92, 0.9, 0.94)
    """
    return _interval(values, np.mean)


def interquartile_mean(values: Sequence[float]) -> Interval:
    """The mean without the lowest and the highest quarter, with its interval.

    A quarter is rounded down to whole seeds: of four or five seeds one at each end is left out, of
    two or three none. One seed that failed moves it less than the mean.

    Args:
        values: one number per seed.

    Raises:
        ValueError: there are fewer than two, or one of them is no finite number.

    Example:
        >>> round(interquartile_mean([0.1, 0.9, 0.92, 0.94, 1.0]).value, 3)
        0.92
    """
    return _interval(values, _interquartile)


def paired(
    values: Mapping[int, float], others: Mapping[int, float], *, lower: bool = False
) -> Paired:
    """The differences to another arm, seed by seed.

    Args:
        values: of the arm, by seed.
        others: of the other arm, by seed. Seeds that only one of them has are left out.
        lower: whether less is better, as with a loss.

    Raises:
        ValueError: they share fewer than two seeds.

    Example:
        >>> found = paired({0: 0.9, 1: 0.8, 2: 0.7}, {0: 0.8, 1: 0.8, 3: 0.1})
        >>> found.wins, found.losses, found.ties
        (1, 0, 1)
    """
    seeds = sorted(set(values) & set(others))
    gaps = [values[seed] - others[seed] for seed in seeds]
    ups, downs = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    wins, losses = (downs, ups) if lower else (ups, downs)
    return Paired(mean(gaps), wins, losses, len(gaps) - ups - downs)


def coverage(seeds: int) -> float:
    """In what part of studies the interval of a mean over so many seeds holds the true mean.

    This is for results that spread normally: the interval then is about the mean plus and minus
    1.96 times the standard deviation (divided by n, not n - 1) over the root of n, which a t
    distribution tells how often to trust. Of two seeds it goes from one to the other, and holds
    the true mean in half of the studies.

    Raises:
        ValueError: fewer than two seeds.

    Example:
        >>> round(coverage(5), 2), round(coverage(20), 2)
        (0.85, 0.93)
    """
    from scipy.special import ndtri, stdtr

    _need(seeds)
    if seeds == LEAST:
        return 0.5
    reach = float(ndtri((1 + LEVEL) / 2)) * math.sqrt((seeds - 1) / seeds)
    return 1 - 2 * float(stdtr(seeds - 1, -reach))


def _interval(values: Sequence[float], statistic: Callable[..., Any]) -> Interval:
    from scipy.stats import bootstrap

    found = np.asarray(values, float)
    _need(len(found))
    if not np.isfinite(found).all():
        raise ValueError(
            f"An interval needs finite numbers, got {found.tolist()}. Leave out the seeds without "
            "a value, and say so."
        )
    value = float(statistic(found, axis=-1))
    if np.ptp(found) == 0:  # rounding would make an interval of it
        return Interval(value, value, value, len(found))
    drawn = bootstrap(
        (found,), statistic, confidence_level=LEVEL, n_resamples=RESAMPLES, method="percentile",
        vectorized=True, rng=np.random.default_rng(0),
    )  # fmt: skip
    low, high = drawn.confidence_interval
    return Interval(value, float(low), float(high), len(found))


def _interquartile(rows: np.ndarray, axis: int) -> Any:
    from scipy.stats import trim_mean

    return trim_mean(rows, 0.25, axis=axis)


def _need(seeds: int) -> None:
    if seeds < LEAST:
        raise ValueError(
            f"An interval needs {LEAST} seeds or more, got {seeds}: one number says nothing about "
            "how much another seed would have given. Run more seeds."
        )
