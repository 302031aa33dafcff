"""What files of claims say their numbers with: lines by arm and seed, and numbers as printed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from bionet.studies.report.arm_results import ArmResults, arm_results
from bionet.studies.report.statistics import Interval, interquartile_mean, mean, paired

HERE = Path(__file__).parent
Line = dict[str, Any]


@final
@dataclass(frozen=True)
class Shown:
    """A number with its interval, in the units in which a text prints it.

    In a claim `{0.v}` is the value to one digit, `{0.plus}` the same with its sign, `{0.less}` that
    of the opposite without one, `{0.b}` the interval, `{0.lessb}` that of the opposite; `{0:.2f}`
    says the digits.
    """

    value: float
    low: float
    high: float
    digits: int = 1

    @classmethod
    def of(cls, found: Interval, scale: float = 100.0, digits: int = 1) -> Shown:
        """An interval of the statistics, in per cent or points."""
        return cls(scale * found.value, scale * found.low, scale * found.high, digits)

    @property
    def v(self) -> str:
        """The value."""
        return f"{self.value:.{self.digits}f}"

    @property
    def plus(self) -> str:
        """The value with its sign."""
        return f"{self.value:+.{self.digits}f}"

    @property
    def less(self) -> str:
        """How far something is behind."""
        return f"{-self.value:.{self.digits}f}"

    @property
    def b(self) -> str:
        """The interval in brackets."""
        return f"[{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"

    @property
    def lessb(self) -> str:
        """The interval of how far something is behind."""
        return f"[{-self.high:.{self.digits}f}, {-self.low:.{self.digits}f}]"

    @property
    def full(self) -> str:
        """The value and its interval; the value alone where nothing spreads."""
        return self.v if self.low == self.high else f"{self.v} {self.b}"

    @property
    def gap(self) -> str:
        """A difference with its sign and its interval."""
        return f"{self.plus} {self.b}"

    def to(self, digits: int) -> Shown:
        """The same with another number of digits."""
        return Shown(self.value, self.low, self.high, digits)

    def __format__(self, form: str) -> str:
        return format(self.value, form) if form else self.v


@final
class Study:
    """The final lines of a study file, by arm."""

    def __init__(self, place: str) -> None:
        self.lines = read(HERE / "studies" / place / "results.jsonl")
        self.arms = {arm.name: arm for arm in arm_results(self.lines)}

    def __getitem__(self, arm: str) -> ArmResults:
        return self.arms[arm]

    def values(self, arm: str) -> dict[int, float]:
        """Accuracy by seed."""
        return self[arm].values("accuracy")

    def reached(self, arm: str) -> Shown:
        """The mean over seeds in per cent."""
        return Shown.of(mean(list(self.values(arm).values())))

    def interquartile(self, arm: str) -> Shown:
        """The interquartile mean over seeds in per cent."""
        return Shown.of(interquartile_mean(list(self.values(arm).values())))

    def less(self, arm: str, other: str) -> Shown:
        """Points by which an arm is above another one, paired by seed."""
        return Shown.of(paired(self.values(arm), self.values(other)).difference)

    def spent(self, arm: str, cost: str) -> float:
        """The median of a cost."""
        return statistics.median(self[arm].spent(cost).values())

    def after(self, arm: str, cost: str, amount: float) -> Shown:
        """Validation accuracy at the last point of each curve that costs at most so much."""
        curves = self[arm].curves("accuracy", cost)
        last = [[y for x, y in curve if x <= amount] for curve in curves]
        return Shown.of(mean([seed[-1] for seed in last if seed]))

    def ends(self, arm: str) -> Shown:
        """Validation accuracy at the end of each curve."""
        return Shown.of(mean([curve[-1][1] for curve in self[arm].curves("accuracy", "epoch")]))


def read(path: Path) -> list[Line]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def shown(values: Sequence[float], scale: float = 100.0, digits: int = 1) -> Shown:
    """The mean of some values with its interval."""
    return Shown.of(mean(list(values)), scale, digits)


def difference(ours: dict[int, float], theirs: dict[int, float], digits: int = 1) -> Shown:
    """The difference of two sets of values by seed, in points."""
    return Shown.of(paired(ours, theirs).difference, digits=digits)


def span(values: Sequence[float], form: str) -> str:
    """The least and the largest, as a text prints a range; one number where they print alike."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"
