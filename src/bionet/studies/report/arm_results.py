"""The results of each arm in the lines of a study: values by seed, costs, curves, method, task.

Everything that a report tells comes from here, and here from the lines alone. A value that is
missing, or no finite number, is left out, and `without` names its seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from bionet import zoo
from bionet.studies.run.store import Line

FROZEN = "frozen control"
COSTS: Final = {
    "evaluations": "loss evaluations",
    "seconds": "seconds of training",
    "memory": "peak memory, MiB",
}
"""The kinds of cost against which accuracy is held, with their names."""
CURVE_COSTS: Final = ("evaluations", "seconds")
"""Those along which there is a learning curve."""


@final
@dataclass(frozen=True)
class ArmResults:
    """An arm that has been run.

    Attributes:
        name: the name of the arm.
        lines: a line per seed, in the order of the seeds.
    """

    name: str
    lines: tuple[Line, ...]

    @property
    def seeds(self) -> int:
        """The number of seeds that have a line."""
        return len(self.lines)

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the arm."""
        return self.lines[0].get("config", {})

    @property
    def control(self) -> bool:
        """True if the recipe's frozen control was taken in place of the network."""
        return bool(self.config.get("control"))

    @property
    def metric(self) -> str:
        """The name of the main metric."""
        return str(self.lines[0].get("metric", "accuracy"))

    @property
    def task(self) -> str:
        """The data that it has learned."""
        return str(self.config.get("dataset", "unknown data"))

    @property
    def application(self) -> str:
        """The recipe's application; the data where the recipe is not registered here."""
        spec = zoo.REGISTRY.get(self.config.get("recipe", ""))
        return self.task if spec is None else spec.application

    @property
    def method(self) -> str:
        """The method that trained it."""
        if self.control:
            return FROZEN
        spec = zoo.REGISTRY.get(self.config.get("recipe", ""))
        return self.config.get("method") or (self.name if spec is None else spec.method)

    def values(self, metric: str) -> dict[int, float]:
        """A test metric by seed."""
        return self._by_seed([line["metrics"].get(metric) for line in self.lines])

    def without(self, metric: str) -> list[int]:
        """The seeds whose line has no such value."""
        known = self.values(metric)
        return [line["seed"] for line in self.lines if line["seed"] not in known]

    def spent(self, cost: str) -> dict[int, float]:
        """A cost by seed: one of `COSTS`, "examples", or "compile" for seconds of compiling."""
        return self._by_seed([_spent(line, cost) for line in self.lines])

    def curves(self, metric: str, cost: str) -> list[list[tuple[float, float]]]:
        """The learning curve of each seed on validation data, as (cost, value).

        Args:
            metric: what was measured.
            cost: "epoch", or one of `CURVE_COSTS`.
        """
        found = [
            [(point.get(cost), point.get(metric)) for point in line.get("curve") or ()]
            for line in self.lines
        ]
        kept = [[(x, y) for x, y in curve if finite(x) and finite(y)] for curve in found]
        return [[(float(x), float(y)) for x, y in curve] for curve in kept if curve]

    def _by_seed(self, values: Sequence[Any]) -> dict[int, float]:
        pairs = zip(self.lines, values, strict=True)
        return {line["seed"]: float(value) for line, value in pairs if finite(value)}


def arm_results(lines: Sequence[Line]) -> list[ArmResults]:
    """The arms of final lines, in the order in which they first come."""
    arms: dict[str, list[Line]] = {}
    for line in lines:
        if line["stage"] == "final":
            arms.setdefault(line["arm"], []).append(line)
    return [
        ArmResults(name, tuple(sorted(found, key=lambda line: line["seed"])))
        for name, found in arms.items()
    ]


def finite(value: Any) -> bool:
    """Returns whether a value of a line is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def lower_is_better(metric: str) -> bool:
    """Returns whether less of a metric is better: of losses, and of nothing else."""
    return metric.endswith("loss")


def is_share(metric: str, arms: Sequence[ArmResults]) -> bool:
    """Returns whether a metric is shown in per cent: all values are shares, and it is no loss."""
    values = [value for arm in arms for value in arm.values(metric).values()]
    return not lower_is_better(metric) and all(0 <= value <= 1 for value in values)


def _spent(line: Line, cost: str) -> Any:
    if cost == "memory":
        return line.get("peak_memory_mib")
    if cost in ("seconds", "compile"):
        seconds = line.get("seconds")
        part = "run" if cost == "seconds" else "compile"
        return seconds.get(part) if isinstance(seconds, dict) else None
    return line.get(cost)
