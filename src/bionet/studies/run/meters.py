"""Meters of a running trial: evaluations, examples, seconds apart from compiling, memory.

JAX reports when it traces, lowers and compiles; the union of those spans is what compiling took.
The highest memory is the process' own high-water mark, set back before the trial.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, final

import jax
from jax import monitoring

from bionet.studies.design.budget import Pace
from bionet.training.fit import Event

PACKAGES = ("bionet", "jax", "jaxlib", "equinox", "optax", "evosax", "numpy")


@final
class Meter:
    """A callback of `fit` that draws the curve over what was spent, and ends a run in seconds.

    Args:
        metric: the name of the recipe's metric.
        pace: epochs and steps.
        examples: in a batch.
        beside: passes per step that the method does not count itself.
        clock: what was compiled, and when.
        limit: seconds of training; None for another budget.
    """

    def __init__(
        self,
        metric: str,
        pace: Pace,
        examples: int,
        beside: int,
        clock: CompileClock,
        limit: float | None,
    ) -> None:
        self.metric, self.pace, self.limit = metric, pace, limit
        self.curve: list[dict[str, float]] = []
        self.evaluations, self.examples, self.seconds = 0.0, 0, 0.0
        self._batch, self._beside, self._clock = examples, beside, clock

    def __call__(self, event: Event) -> bool:
        """Adds a point; True when a budget in seconds is used up."""
        row, now = event.metrics, time.perf_counter()
        told = row.get("evaluations", 0.0) + self._beside
        self.evaluations += max(told, 1) * self.pace.steps
        self.examples += self._batch * self.pace.steps
        self.seconds += row["seconds"] - self._clock.between(now - row["seconds"], now)
        point = {name: row[name] for name in ("epoch", "loss", self.metric) if name in row}
        costs = {"evaluations": self.evaluations, "examples": self.examples}
        self.curve.append(point | costs | {"seconds": round(self.seconds, 4)})
        return self.limit is not None and self.seconds >= self.limit


@final
class CompileClock:
    """A clock of the times at which JAX traced, lowered or compiled, as it reports them."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        monitoring.register_event_duration_secs_listener(self._hear)

    def between(self, began: float, ended: float) -> float:
        """Seconds from `began` to `ended` of `time.perf_counter` in which it did any of it."""
        total, reached = 0.0, began
        for start, end in sorted(self._spans):
            start, end = max(start, reached), min(end, ended)
            if end > start:
                total, reached = total + end - start, end
        return total

    def forget(self) -> None:
        """Drops the spans so far."""
        self._spans.clear()

    def _hear(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            now = time.perf_counter()
            self._spans.append((now - duration_secs, now))


@functools.cache
def compile_clock() -> CompileClock:
    """The clock of this process; JAX keeps its listeners for good."""
    return CompileClock()


def give_back_memory() -> None:
    """Hands freed memory back to the system, where its C library can (that of GNU can).

    Without it a trial would be charged for what the ones before it have freed.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@final
class Memory:
    """The highest memory of this process from now on, in MiB.

    Linux sets its mark back on request (`/proc/self/clear_refs`). Where that cannot be done the
    mark is that of the whole life of the process, so it may be that of an earlier trial.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")

    def peak(self) -> float:
        """The mark, with interpreter and libraries."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            status = Path("/proc/self/status").read_text()
            return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)
        import resource
        import sys

        unit = 2**20 if sys.platform == "darwin" else 2**10
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


@functools.cache
def surroundings() -> dict[str, Any]:
    """Versions, Python and device."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    device = jax.devices()[0]
    kind = device.device_kind if device.platform != "cpu" else platform.machine()
    return {
        "versions": versions,
        "python": platform.python_version(),
        "device": f"{device} ({kind})",
    }


def count_maps() -> int:
    """The memory maps of this process; 0 where the system does not say."""
    try:
        return Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:
        return 0
