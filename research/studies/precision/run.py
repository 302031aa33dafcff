"""What narrow operands cost: the digits, trained with each kind of product.

    python research/studies/precision/run.py

Trains `classification-local` on the small digits with products among binary units in full, in
bfloat16, and in three bfloat16 parts; the weights, local fields and increments stay in single
precision. Five seeds each, held-out test accuracy after the last epoch. On a CPU, bfloat16 is
emulated by rounding the operands, so this is about accuracy and not about speed.

Appends a line per run to `results.jsonl` beside this file and skips what is there.
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
from scipy.stats import bootstrap

import bionet
from bionet import zoo

HERE = Path(__file__).parent
KINDS = ("weights", "bfloat16", "bfloat16x3")
SEEDS = range(5)


def finished() -> dict[tuple[str, int], float]:
    """The test accuracy of each run that is done."""
    path = HERE / "results.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {(row["operands"], row["seed"]): row["accuracy"] for row in rows}


def run(operands: str, seed: int) -> None:
    """Trains once and appends its line."""
    recipe = zoo.get("classification-local").replace(operands=operands)
    result = recipe.fit(seed=seed, progress=False)
    row = {
        "operands": operands,
        "seed": seed,
        "accuracy": result.metrics["accuracy"],
        "loss": result.metrics["loss"],
        "bionet": bionet.__version__,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }
    with (HERE / "results.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")


def interval(values: np.ndarray) -> str:
    """Mean with a 95 % bootstrap interval; a single value where all are the same."""
    if np.ptp(values) == 0:
        return f"{values.mean():.4f}"
    found = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{values.mean():.4f} [{found.low:.4f}, {found.high:.4f}]"


def main() -> None:
    """Runs what is missing, and prints the table."""
    for seed in SEEDS:
        for operands in KINDS:
            if (operands, seed) not in finished():
                run(operands, seed)
    done = finished()
    full = np.array([done["weights", seed] for seed in SEEDS])
    for operands in KINDS:
        found = np.array([done[operands, seed] for seed in SEEDS])
        print(f"{operands:>10}  {interval(found)}  difference {interval(found - full)}")


if __name__ == "__main__":
    main()
