"""What the benchmarks share: taking turns, medians, matrix-product rates, and a line per result.

The machine is shared, so absolute times drift by tens of per cent within minutes. All that is
compared is therefore measured in one process, in turns, and reported as a ratio of medians.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax

Arm = Callable[[], Any]
RESULTS = Path(__file__).parent / "results"


def in_turns(arms: dict[str, Arm], rounds: int, warm_up: int = 2) -> dict[str, list[float]]:
    """Seconds of each arm in each round, after rounds that are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(warm_up + rounds):
        for name, arm in arms.items():
            began = time.perf_counter()
            jax.block_until_ready(arm())
            if number >= warm_up:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """The median of each arm."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def product_arms(shapes: Iterable[tuple[int, int, int]]) -> tuple[dict[str, Arm], dict[str, float]]:
    """An arm per matrix product (n, d, k), and how many operations each arm has.

    Small products are repeated inside one program, on other left sides each time, so that
    what is measured is the product and not the call.
    """
    arms: dict[str, Arm] = {}
    operations: dict[str, float] = {}
    for n, d, k in shapes:
        keys = jax.random.split(jax.random.key(n + d + k))
        times = max(1, int(1e9 / (2.0 * n * d * k)))
        left = jax.random.normal(keys[0], (times, n, d))
        right = jax.random.normal(keys[1], (d, k))
        multiply = jax.jit(lambda a, b: jax.lax.map(lambda one: one @ b, a))
        name = f"({n}, {d}) x ({d}, {k})"
        arms[name] = lambda f=multiply, a=left, b=right: f(a, b)
        operations[name] = 2.0 * times * n * d * k
    return arms, operations


def program_memory(compiled: Any) -> int:
    """Bytes that a compiled program holds at most: arguments, results and temporaries."""
    found = compiled.memory_analysis()
    return (
        found.argument_size_in_bytes
        + found.output_size_in_bytes
        + found.temp_size_in_bytes
        - found.alias_size_in_bytes
    )


def about() -> dict[str, Any]:
    """What a reader needs to know about this run; names no machine."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "cores": len(os.sched_getaffinity(0)),
        "commit": commit,
    }


def record(name: str, row: dict[str, Any]) -> None:
    """Adds a line to `results/NAME.jsonl`."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row | about()) + "\n")
