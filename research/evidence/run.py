"""What each recipe reaches beside its trivial baselines, its control and its ablation.

    python research/evidence/run.py                     every recipe, five seeds (or: make evidence)
    python research/evidence/run.py classification-dfa  these alone
    python research/evidence/run.py --table             what is there, without running

A line of JSON per seed goes to `ID.jsonl`: the metrics on the test split after the last epoch, of
the recipe, of its frozen control, of its baselines and of its ablation, with the configuration
and its hash. A line whose configuration has been run is not run again. The bands and margins
in `bionet.zoo.catalogue` come from these lines, and the tests hold them against each other.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.stats

from bionet import zoo

HERE = Path(__file__).parent
SEEDS = range(5)


def config_hash(recipe: Any) -> str:
    """The hash of everything that the recipe's config says."""
    text = json.dumps(dataclasses.asdict(recipe.config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def one(recipe: Any, seed: int) -> dict[str, Any]:
    """The line of a seed."""
    result = recipe.fit(seed=seed, progress=False)
    line = {
        "recipe": recipe.id,
        "seed": seed,
        "config_hash": config_hash(recipe),
        "metric": recipe.metric,
        "metrics": dict(result.metrics),
        "baselines": dict(result.baselines),
        "control": None if result.control is None else dict(result.control.metrics),
        "ablation": None,
        "seconds": round(result.seconds, 2),
        "losses": [round(loss, 5) for loss in result],
        "config": dataclasses.asdict(recipe.config),
    }
    if recipe.ablation:
        without = recipe.without().fit(seed=seed, progress=False)
        line["ablation"] = {"without": recipe.ablated, **without.metrics}
    names = ("bionet", "jax", "equinox", "optax")
    line["versions"] = {name: version(name) for name in names}
    return line | {"python": platform.python_version(), "device": str(jax.devices()[0])}


def lines_of(id: str) -> list[dict[str, Any]]:
    """The lines that are there for the recipe as it is now."""
    path = HERE / f"{id}.jsonl"
    if not path.exists():
        return []
    found = [json.loads(line) for line in path.read_text().splitlines()]
    now = config_hash(zoo.get(id))
    return [line for line in found if line["config_hash"] == now]


def interval(values: list[float]) -> str:
    """The mean in per cent and its 95 % bootstrap interval over seeds."""
    mean = 100 * float(np.mean(values))
    if len(set(values)) < 2:
        return f"{mean:.1f}"
    found = scipy.stats.bootstrap((values,), np.mean, rng=0, method="percentile")
    low, high = (100 * end for end in found.confidence_interval)
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def table(ids: list[str]) -> None:
    """Prints a row per recipe, in per cent of its metric."""
    print("| recipe | seeds | metric | reached | frozen control | ablation | baselines |")
    print("|---|---|---|---|---|---|---|")
    for id in ids:
        lines = lines_of(id)
        if not lines:
            continue
        metric = lines[0]["metric"]

        def column(name: str, lines: list = lines, metric: str = metric) -> str:
            values = [line[name][metric] for line in lines if line[name]]
            return interval(values) if values else "none"

        rules = ", ".join(
            f"{name} {100 * np.mean([line['baselines'][name] for line in lines]):.1f}"
            for name in lines[0]["baselines"]
        )
        cells = [id, str(len(lines)), metric, column("metrics"), column("control")]
        print(f"| {' | '.join([*cells, column('ablation'), rules])} |")


def main() -> None:
    """Runs what is missing, or prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="*", help="recipes; all of the package without any")
    parser.add_argument("--table", action="store_true", help="print what is there")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many, from 0")
    options = parser.parse_args()
    ids = options.ids or list(zoo.REGISTRY)
    if not options.table:
        for id in ids:
            recipe = zoo.get(id)
            done = {line["seed"] for line in lines_of(id)}
            for seed in range(options.seeds):
                if seed in done:
                    continue
                began = time.perf_counter()
                line = one(recipe, seed)
                with (HERE / f"{id}.jsonl").open("a") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                print(f"{id} seed {seed}: {line['metrics']}, {time.perf_counter() - began:.0f} s")
    table(ids)


if __name__ == "__main__":
    main()
