"""Spaces of tuning: the values that a field of a config or an option of a method can take.

A space is a plain frozen value, checked when it is made. Optuna is not needed to write one
down; `bionet.studies.run.tuning` hands it over when a study is tuned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class Uniform:
    """Any number from `low` to `high`.

    Raises:
        ValueError: the ends are not finite or not in order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _need_order("Uniform", self.low, self.high)


@final
@dataclass(frozen=True)
class LogUniform:
    """Any number from `low` to `high`, each power of ten as likely as the next.

    Raises:
        ValueError: the ends are not finite, not in order, or not above 0.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _need_order("LogUniform", self.low, self.high)
        _need_positive("LogUniform", self.low)


@final
@dataclass(frozen=True)
class Whole:
    """Any whole number from `low` to `high`, both included.

    Args:
        low: the least.
        high: the largest.
        log: whether each doubling is as likely as the next.

    Raises:
        TypeError: an end is no whole number.
        ValueError: the ends are not in order, or not above 0 with `log`.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if not isinstance(end, int) or isinstance(end, bool):
                raise TypeError(f"Whole: both ends need to be whole numbers, got {end!r}.")
        _need_order("Whole", self.low, self.high)
        if self.log:
            _need_positive("Whole with log=True", self.low)


@final
@dataclass(frozen=True)
class Choice:
    """One of a few values: numbers, words, True and False, or None.

    Raises:
        TypeError: a value is none of those.
        ValueError: fewer than two values, or one of them twice.

    Example:
        >>> Choice("adam", "sgd").values
        ('adam', 'sgd')
    """

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        for value in values:
            if not (value is None or isinstance(value, (bool, int, float, str))):
                raise TypeError(
                    "Choice: needs numbers, words, True, False or None, got "
                    f"{value!r} of type {type(value).__name__}."
                )
        if len(values) < 2 or len(set(values)) < len(values):
            raise ValueError(f"Choice: needs two or more different values, got {values!r}.")
        object.__setattr__(self, "values", values)


Space = Uniform | LogUniform | Whole | Choice


def nearest(space: Space, value: Any) -> Any:
    """The value of a space that is nearest to another one.

    Of a choice it is the value itself, or the first one. What is no number has no nearest one among
    numbers: it becomes the middle, on a scale of powers where the space has one.

    Example:
        >>> nearest(Uniform(0.0, 1.0), 3), nearest(Whole(1, 9), None), nearest(Choice(1, 2), 2)
        (1.0, 5, 2)
    """
    if isinstance(space, Choice):
        return value if value in space.values else space.values[0]
    powers = isinstance(space, LogUniform) or (isinstance(space, Whole) and space.log)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
        value = math.sqrt(space.low * space.high) if powers else (space.low + space.high) / 2
    value = min(max(value, space.low), space.high)
    return round(value) if isinstance(space, Whole) else float(value)


def _need_order(where: str, low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{where}: needs two finite ends with low < high, got {low} and {high}.")


def _need_positive(where: str, low: float) -> None:
    if low <= 0:
        raise ValueError(f"{where}: needs a lower end above 0, got {low}.")
