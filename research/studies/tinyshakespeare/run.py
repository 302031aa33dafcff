"""What do the two language recipes reach on tinyshakespeare, in ten minutes on two cores?

    BIONET_DATA=DIR python research/studies/tinyshakespeare/run.py [IDS...] [--table] [--floors]

Trains `language-s5` by backprop and `language-es` by low-rank evolution, each at its preset, and
measures the cross-entropy of the next character on the held-out end of the text, after the last
epoch. Beside them stand counts of one, two and three characters, with the same windows, and the
count of up to ten whose length and smoothing validation text has chosen (`--floors` measures it,
and no network). A line goes to results.jsonl beside this file when a run is finished, and to
floors.jsonl for a count; runs that have a line are skipped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import bionet
from bionet import zoo
from bionet.datasets.counts import best_count, measure_counts
from bionet.datasets.text import LETTERS, tinyshakespeare

RESULTS = Path(__file__).with_name("results.jsonl")
BEST_COUNTS = Path(__file__).with_name("floors.jsonl")
LONGEST = 10  # characters; more cannot be told apart by one whole number
IDS = ("language-s5", "language-es")
FLOORS = ("one character", "two characters", "three characters")


def run(id: str, seed: int) -> dict[str, Any]:
    """The line of a recipe and a seed."""
    recipe: Any = zoo.get(id).on("tinyshakespeare")
    parts = recipe.splits(seed)
    problem = recipe.problem(seed, parts)
    key = jax.random.split(jax.random.key(seed))[1]  # as `recipe.fit` has it
    began = time.perf_counter()
    fitted = bionet.fit(problem, recipe.build_method(), epochs=recipe.config.epochs, key=key)
    seconds = time.perf_counter() - began
    told = json.dumps(recipe.written(), sort_keys=True)
    last = fitted.history[-1]
    each = last.get("evaluations", 1.0)
    floors = measure_counts(parts, len(LETTERS))
    versions = {name: version(name) for name in ("bionet", "jax", "equinox", "optax")}
    return {
        "recipe": id,
        "seed": seed,
        "nats": fitted.test["loss"],
        "accuracy": fitted.test["accuracy"],
        "validation_nats": [row["loss"] for row in fitted.history],
        "floors_nats": dict(zip(FLOORS, (floor.nats for floor in floors), strict=True)),
        "seconds": round(seconds, 1),
        "evaluations": int(each * int(fitted.train_state.step)),
        "config_hash": hashlib.sha256(told.encode()).hexdigest()[:12],
        "config": recipe.written(),
        "versions": versions | {"python": platform.python_version()},
        "device": str(jax.devices()[0]),
    }


def count(window: int) -> dict[str, Any]:
    """The count that needs the fewest nats of validation text, and what it needs of the test."""
    order, smoothing, floor = best_count(
        tinyshakespeare(window=window), len(LETTERS), LONGEST, by="nats"
    )
    return {"window": window, "order": order, "smoothing": smoothing, **floor._asdict()}


def counts() -> list[dict[str, Any]]:
    """The finished counts."""
    if not BEST_COUNTS.exists():
        return []
    return [json.loads(line) for line in BEST_COUNTS.read_text("utf-8").splitlines() if line]


def lines() -> list[dict[str, Any]]:
    """The finished runs."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines() if line]


def table() -> str:
    """A row per run, and one per floor."""
    rows = ["| what | nats per character | evaluations | seconds |", "|---|---|---|---|"]
    for line in lines():
        count = f"{line['evaluations']:,}"
        rows.append(
            f"| `{line['recipe']}`, seed {line['seed']} | {line['nats']:.3f} | {count} "
            f"| {line['seconds']:.0f} |"
        )
    for name, nats in lines()[-1]["floors_nats"].items() if lines() else ():
        rows.append(f"| counts of {name} | {nats:.3f} | | |")
    for each in counts():
        what = f"counts of {each['order']} characters, windows of {each['window']}"
        rows.append(f"| {what} | {each['nats']:.3f} | | |")
    return "\n".join(rows)


def main() -> None:
    """Runs what has no line yet, or prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", help=f"of {IDS}; both without any")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="print the results, and stop")
    parser.add_argument("--floors", action="store_true", help="measure the best counts, and stop")
    options = parser.parse_args()
    if options.floors:
        for window in {128, 32} - {each["window"] for each in counts()}:
            line = json.dumps(count(window))
            with BEST_COUNTS.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    done = {(line["recipe"], line["seed"]) for line in lines()}
    for id in () if options.table or options.floors else options.ids or IDS:
        if (id, options.seed) in done:
            continue
        line = run(id, options.seed)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    print(table())


if __name__ == "__main__":
    main()
