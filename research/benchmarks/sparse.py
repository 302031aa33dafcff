"""What real sparsity saves against dense matrices with masks, and how far it goes.

    python research/benchmarks/sparse.py                all of it, some minutes on two cores
    python research/benchmarks/sparse.py speed          or: scale

`speed` trains the published MNIST set-up, 784-2000-10 with 90 % of the input couplings and 99 %
of the recurrent ones missing, batch 16, 1 + 5 + 5 steps and plain SGD, with bionet's sparse
modules and with `dense_masks.py`, as it is written and as XLA compiles it. All are compiled
whole, an epoch per call, and work in place. That they learn the same is asserted.

`scale` trains larger networks, with batches of 16 and of 128, and fits the exponent with which the
time per step grows with the number of connections: with 12 to 100 connections for each of 20,000
hidden units, and with 50 for each of 2,500 to 20,000. With the units the activity that is gathered
from grows too, and falls out of the caches. Peak memory is that of a process that does nothing
else. Lines go to `results/sparse.jsonl`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import dense_masks
import jax
import networks
import numpy as np
import optax
from stopwatch import in_turns, medians, program_memory, record

from bionet import (
    FrozenFullyConnected,
    FullyConnected,
    LayerMap,
    OutputLayer,
    SequentialOrchestrator,
    SequentialState,
    SparseFullyConnected,
    SparseRecurrentDiscrete,
    TwoPhase,
)

PIXELS, CLASSES, PHASES = 784, 10, (1, 5, 5)
RATES = {(1, 0): 0.159, (1, 1): 0.058, (2, 1): 0.17}
# Hidden units, and connections of each from the input and from the others.
AXES = {
    "connections per unit": [(20_000, fan_in) for fan_in in (12, 25, 50, 100)],
    "hidden units": [(hidden, 50) for hidden in (2_500, 5_000, 10_000, 20_000)],
}
STEPS = 2


def network(hidden: int, of_input: dict, of_hidden: dict) -> SequentialOrchestrator:
    """One sparse hidden layer, with the strengths and thresholds of the published set-up."""
    k = jax.random.split(jax.random.key(0), 4)
    rows = {
        1: {
            0: SparseFullyConnected(PIXELS, hidden, 5.0, 1.78, k[0], **of_input),
            1: SparseRecurrentDiscrete(hidden, 0.95, 1.78, k[1], **of_hidden),
            2: FrozenFullyConnected(CLASSES, hidden, 1.3, 0.0, k[2]),
        },
        2: {1: FullyConnected(hidden, CLASSES, 5.0, 7.0, k[3]), 2: OutputLayer()},
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


def ours(model: SequentialOrchestrator, x: jax.Array, y: jax.Array) -> networks.Epoch:
    """An epoch of bionet; no early stop, so that all arms take all their steps."""
    warmup, clamped, free = PHASES
    method = TwoPhase(
        SequentialState((PIXELS, *model.lmap[1, 1].receiver_shape, CLASSES)),
        optimizer=optax.sgd(1.0),
        warmup=warmup,
        clamped=clamped,
        free=free,
        edge_rates=RATES,
        early_stop=False,
    )
    return networks.Epoch(method, model, x, y)


# Against dense masks.


def speed(rounds: int) -> None:
    """Time per training step, memory of weights and of programs, of all three arms in turns."""
    x, y = networks.batches(STEPS, 16, PIXELS, CLASSES)
    model = network(2000, {"sparsity": 0.9}, {"sparsity": 0.99})
    arms: dict[str, Any] = {"sparse": ours(model, x, y)}
    for name, as_written in (("as written", True), ("compiled", False)):
        optimizer, params = optax.sgd(1.0), dense_masks.parameters(model)
        step = dense_masks.make_step(
            dense_masks.fan_in(model), RATES, optimizer, PHASES, as_written
        )
        memory = optimizer.init(params)
        arms[f"masks, {name}"] = dense_masks.Epoch(step, params, memory, x, y)
    agreement = same_weights(arms, model)
    weights = {"sparse": nbytes(model), "masks": nbytes(dense_masks.parameters(model))}
    turns = in_turns(arms, rounds)
    row = {
        "case": "speed",
        "sizes": [PIXELS, 2000, CLASSES],
        "batch": 16,
        "ms": {name: 1e3 * value / STEPS for name, value in medians(turns).items()},
        "times_as_fast": {name: times_as_fast(turns, name) for name in arms},
        "weights_mb": {name: value / 1e6 for name, value in weights.items()},
        "weights_share": weights["sparse"] / weights["masks"],
        "program_mb": {name: program_memory(arm.compiled()) / 1e6 for name, arm in arms.items()},
        "same_weights": agreement,
    }
    record("sparse", row)
    for name in arms:
        print(f"{name}: {row['ms'][name]:.2f} ms a step, {row['program_mb'][name]:.0f} MB program")
    told = ", ".join(f"{row['times_as_fast'][name]:.1f} ({name})" for name in arms)
    print(f"sparse is {told} times as fast, with {100 * row['weights_share']:.1f} % of the weights")


def times_as_fast(turns: dict[str, list[float]], name: str) -> float:
    """The median over turns of an arm's time by ours: what both suffer in a turn cancels."""
    return statistics.median(a / b for a, b in zip(turns[name], turns["sparse"], strict=True))


def nbytes(tree: Any) -> int:
    """The memory of all arrays of a tree."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def same_weights(arms: dict[str, Any], start: SequentialOrchestrator) -> float:
    """The share of connections that have learned the same in all arms after one pass.

    Sums come in another order, so a field may fall on the other side of zero here and there.
    """
    jax.block_until_ready([arm() for arm in arms.values()])
    lmap, shares = arms["sparse"].state.model.lmap, []
    for edge in ((1, 0), (1, 1)):
        learned = np.asarray(lmap[edge].to_dense())
        moved = learned != np.asarray(start.lmap[edge].to_dense())
        for name in arms:
            if name != "sparse":
                theirs = np.asarray(arms[name].state[0][edge]["weights"])
                shares.append(float(np.isclose(theirs, learned, atol=1e-4)[moved].mean()))
    if min(shares) < 0.99:
        raise RuntimeError(f"The arms do not learn the same: {min(shares):.3f} of the weights.")
    return min(shares)


# How far it goes.


def scale(rounds: int) -> None:
    """Time by the connections in turns, along both axes, its exponent, and peak memory."""
    for batch in (16, 128):
        for axis, points in AXES.items():
            arms = {str(hidden * fan_in): point(hidden, fan_in, batch) for hidden, fan_in in points}
            found = medians(in_turns(arms, rounds, warm_up=1))
            logs = np.log([float(number) for number in arms]), np.log(list(found.values()))
            row = {
                "case": "scale",
                "axis": axis,
                "batch": batch,
                "points": points,
                "ms": [1e3 * value / STEPS for value in found.values()],
                "exponent": float(np.polyfit(*logs, 1)[0]),
                "peak_mb": [peak(hidden, fan_in, batch) for hidden, fan_in in points],
            }
            record("sparse", row)
            for (hidden, fan_in), ms, mb in zip(points, row["ms"], row["peak_mb"], strict=True):
                print(
                    f"{hidden} hidden, {fan_in} connections each, batch {batch}: {ms:.1f} ms a "
                    f"step, peak memory of the process {mb:.0f} MB"
                )
            print(f"by {axis}: time grows as connections to the power {row['exponent']:.2f}")


def point(hidden: int, fan_in: int, batch: int) -> networks.Epoch:
    """A network with so many hidden units, each with so many connections from either side."""
    both = {"fan_in": fan_in}
    return ours(network(hidden, both, both), *networks.batches(STEPS, batch, PIXELS, CLASSES))


def peak(hidden: int, fan_in: int, batch: int) -> float:
    """The peak memory in MB of a process that does nothing but draw and train the network."""
    numbers = [str(number) for number in (hidden, fan_in, batch)]
    command = [sys.executable, __file__, "alone", "--point", *numbers]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def alone(hidden: int, fan_in: int, batch: int) -> None:
    """Draws and trains one network, and prints the peak memory of this process in MB."""
    jax.block_until_ready(point(hidden, fan_in, batch)())
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    print(int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6)


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "what", nargs="?", default="all", choices=["all", "speed", "scale", "alone"]
    )
    parser.add_argument("--rounds", type=int, default=9, help="turns that are counted")
    parser.add_argument("--point", nargs=3, type=int, help="for alone: hidden units, fan-in, batch")
    options = parser.parse_args()
    if options.what == "alone":
        alone(*options.point)
    if options.what in ("all", "speed"):
        speed(options.rounds)
    if options.what in ("all", "scale"):
        scale(options.rounds)


if __name__ == "__main__":
    main()
