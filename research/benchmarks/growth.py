"""How time and memory of a training step grow with the hidden layer, the batch and the layers.

    python research/benchmarks/growth.py            measure, some minutes on two cores
    python research/benchmarks/growth.py --draw docs/explanation/speed.svg

Each point trains 784-H-...-10 with 5 + 5 steps and plain SGD: bionet's epoch and the compiled
textbook loop, in turns with a single product of the recurrent shape, whose rate is the machine's
own. Memory is what the compiled program holds at most. Lines go to `results/growth.jsonl`;
`--draw` makes the figure of the docs from them, without measuring.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import networks
import optax
from stopwatch import RESULTS, in_turns, medians, product_arms, program_memory, record
from training_step import Textbook

from bionet import SequentialState
from bionet.training import TwoPhase

HIDDEN = (128, 256, 512, 1024, 2048, 4096)
BATCH = (16, 32, 64, 128, 256, 512)
LAYERS = (1, 2, 4, 8)
AXES = {
    "hidden": [(hidden, 128, 1) for hidden in HIDDEN],
    "batch": [(1024, batch, 1) for batch in BATCH],
    "layers": [(512, 128, layers) for layers in LAYERS],
}


def operations(hidden: int, batch: int, layers: int) -> float:
    """What the products of one step need that have to be computed once."""
    own = 12 * hidden * hidden  # ten steps, the score, the increment
    chain = 2 * 784 * hidden + 3 * 10 * hidden  # message and increment; label and readout
    between = (layers - 1) * hidden * hidden * (12 + 6)  # forward as own; backward in 5 steps
    return 2.0 * batch * (layers * own + chain + between)


def measure(axis: str, hidden: int, batch: int, layers: int) -> None:
    """One point: both arms and the product, in turns."""
    steps = max(1, int(2e9 / operations(hidden, batch, layers)))
    x, y = networks.batches(steps, batch, 784, 10)
    sizes, optimizer = (784, *(hidden,) * layers, 10), optax.sgd(0.01)
    model = networks.dense(784, (hidden,) * layers, 10)
    method = TwoPhase(
        SequentialState(sizes), optimizer=optimizer, clamped=5, free=5, early_stop=False
    )
    ours = networks.Epoch(method, model, x, y)
    theirs = Textbook(model, optimizer, (0, 5, 5), x, y)
    products, counts = product_arms([(batch, hidden, hidden)])
    (name,) = products
    arms: dict[str, Any] = {"bionet": ours, "textbook": theirs} | products
    found = medians(in_turns(arms, rounds=5))
    rate = counts[name] / found[name]
    row: dict[str, Any] = {"axis": axis, "hidden": hidden, "batch": batch, "layers": layers}
    for arm, program in (("bionet", ours), ("textbook", theirs)):
        seconds = found[arm] / steps
        row[arm] = {
            "ms": 1e3 * seconds,
            "steps_per_second": 1 / seconds,
            "share": operations(hidden, batch, layers) / seconds / rate,
            "memory_mb": program_memory(program.compiled()) / 1e6,
        }
    record("growth", row | {"product_gflops": rate / 1e9})
    told = ", ".join(
        f"{arm} {row[arm]['ms']:.2f} ms, {100 * row[arm]['share']:.0f} %, "
        f"{row[arm]['memory_mb']:.0f} MB"
        for arm in ("bionet", "textbook")
    )
    print(f"{axis}: hidden {hidden}, batch {batch}, layers {layers}: {told}", flush=True)


def draw(path: str) -> None:
    """The figure of the docs: time, share of the product rate and memory along each axis."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "bionet"
    import matplotlib.pyplot as plt

    lines = (RESULTS / "growth.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    panels = {"ms": "ms per training step", "share": "share of the product rate"}
    panels["memory_mb"] = "memory of the program, MB"
    figure, grid = plt.subplots(3, 3, figsize=(10, 8.5), layout="constrained")
    for across, (column, axis) in zip(grid.T, enumerate(AXES), strict=True):
        points = {row[axis]: row for row in rows if row["axis"] == axis}  # the newest of each
        for ax, (quantity, label) in zip(across, panels.items(), strict=True):
            for arm, style in (("textbook", "o--"), ("bionet", "o-")):
                ax.plot(sorted(points), [points[k][arm][quantity] for k in sorted(points)], style)
            ax.set_xscale("log", base=2)
            if quantity == "share":
                ax.set_ylim(0, 1.2)
            else:
                ax.set_yscale("log")
            if column == 0:
                ax.set_ylabel(label)
        across[-1].set_xlabel({"hidden": "hidden units", "batch": "batch"}.get(axis, axis))
    grid[0, 0].legend(["textbook, compiled", "bionet"], frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measures all points, or draws what has been measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", metavar="PATH", help="draw the figure instead of measuring")
    path = parser.parse_args().draw
    if path:
        draw(path)
        return
    for axis, points in AXES.items():
        for point in points:
            measure(axis, *point)


if __name__ == "__main__":
    main()
