"""What stacking the rows into one product saves, or costs, against updating them one by one.

    python research/benchmarks/stacked.py            under a minute on two cores

Twenty layers that hear themselves and their neighbours, batch 16, all rows at once: with a
product per edge (`SynchronousOrchestrator`) and with one for all (`StackedOrchestrator`). The
two take turns inside one run, each as one compiled loop of 40 steps of `settle`; that they
end in the same state is checked first. A line of JSON per width is added to
`research/benchmarks/results/stacked.jsonl`.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
from stopwatch import in_turns, medians, record

from bionet import (
    FullyConnected,
    LayerMap,
    OutputLayer,
    RecurrentDiscrete,
    SequentialState,
    StackedOrchestrator,
    SynchronousOrchestrator,
    settle,
)

LAYERS, BATCH, STEPS, ROUNDS, CLASSES = 20, 16, 40, 15, 10
WIDTHS = (16, 64, 256)
KINDS = {"synchronous": SynchronousOrchestrator, "stacked": StackedOrchestrator}


def chain(units: int) -> LayerMap:
    """Equal layers, each with couplings from itself and from both of its neighbours."""
    keys = iter(jax.random.split(jax.random.key(0), 3 * LAYERS + 1))
    rows: dict[int, dict[int, Any]] = {}
    for i in range(1, LAYERS + 1):
        heard = [j for j in (i - 1, i + 1) if j <= LAYERS]
        rows[i] = {j: FullyConnected(units, units, 0.5, 0.5, next(keys)) for j in heard}
        rows[i][i] = RecurrentDiscrete(units, 0.5, 0.5, next(keys))
    answer = FullyConnected(units, CLASSES, 1.0, 0.5, next(keys))
    rows[LAYERS + 1] = {LAYERS: answer, LAYERS + 1: OutputLayer()}
    return LayerMap.from_dict(rows)


def run(orchestrator: Any, state: SequentialState) -> SequentialState:
    """So many steps in one loop."""
    return settle(orchestrator, state, max_steps=STEPS, early_stop=False, senders="all")[0]


def measure(units: int) -> dict[str, Any]:
    """Microseconds per step and seconds of compilation, for one width."""
    lmap = chain(units)
    x = np.random.default_rng(0).choice([-1.0, 1.0], (BATCH, units))
    state = SequentialState((*[units] * (LAYERS + 1), CLASSES)).init(x)
    arms, row = {}, {"units": units, "layers": LAYERS, "batch": BATCH}
    for name, kind in KINDS.items():
        network = kind(lmap)
        began = time.perf_counter()
        program = jax.jit(run).lower(network, state).compile()
        row[f"{name}_compile_s"] = round(time.perf_counter() - began, 2)
        arms[name] = lambda program=program, network=network: program(network, state)
    one, other = (arm().buffers for arm in arms.values())
    if not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True)):
        raise SystemExit(f"{units} units: the two do not end in the same state.")
    seconds = medians(in_turns(arms, ROUNDS))
    row |= {f"{name}_us": round(1e6 * s / STEPS, 1) for name, s in seconds.items()}
    return row | {"stacked_over_synchronous": round(seconds["stacked"] / seconds["synchronous"], 3)}


if __name__ == "__main__":
    for width in WIDTHS:
        found = measure(width)
        print(found)
        record("stacked", found)
