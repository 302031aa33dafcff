"""What each recipe reaches beside its trivial baselines, its control and its ablation.

    python research/evidence/run.py                     every recipe, five seeds (or: make evidence)
    python research/evidence/run.py classification-dfa  these alone
    python research/evidence/run.py speech-rsnn --dataset fsdd-held-out-speaker
    python research/evidence/run.py --table             what is there, without running

A line of JSON per seed goes to `ID.jsonl`, on another data set to `ID.DATASET.jsonl`: the metrics
on the test split after the last epoch, of the recipe, of its frozen control, of its baselines and
of its ablation, with the configuration and its hash. A line whose configuration has been run is not
run again. `publish.py` makes the bands and margins of the specs out of these lines, and the tests
hold them against each other.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from lines import HEAD, Line, config_hash, measured, outdated, path_of, row, trained

from bionet import zoo
from bionet._core.files import write_whole
from bionet.zoo.run import control_of

SEEDS = 5


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
        "ablation": ablation(recipe, seed),
        "seconds": round(result.seconds, 2),
        "losses": [round(loss, 5) for loss in result],
        "config": recipe.written(),
    }
    return line | revisions(recipe) | machine()


def ablation(recipe: Any, seed: int) -> dict[str, Any] | None:
    """What the recipe reaches without the part that it is about."""
    if not recipe.ablation:
        return None
    without = recipe.without().fit(seed=seed, progress=False)
    return {"without": recipe.ablated, **without.metrics}


def control(recipe: Any, seed: int) -> dict[str, float] | None:
    """The frozen control, on the data and with the key that `recipe.fit` gives it."""
    key = jax.random.split(jax.random.key(seed))[1]
    found = control_of(recipe, recipe.problem(seed), key, seed)
    return None if found is None else dict(found.metrics)


def baselines(recipe: Any, seed: int) -> dict[str, float]:
    """The baselines, on the data of the seed."""
    return recipe.baselines(recipe.splits(seed))


MEASURES = {"control": control, "baselines": baselines, "ablation": ablation}
"""What measures each part beside the recipe without training the recipe again."""


def remeasured(recipe: Any, line: Line) -> Line:
    """The line with its outdated parts measured again; all else keeps its bits."""
    parts = outdated(recipe, line)
    new = {part: MEASURES[part](recipe, line["seed"]) for part in parts}
    where = line.get("remeasured", {}) | dict.fromkeys(parts, machine())
    kept = {name: value for name, value in line.items() if name != "revisions"}
    return kept | new | revisions(recipe) | {"remeasured": where}


def revisions(recipe: Any) -> dict[str, Any]:
    """The revisions that a line carries; those at 1 go without saying."""
    raised = {part: n for part in MEASURES if (n := recipe.revision(part)) > 1}
    return {"revisions": raised} if raised else {}


def machine() -> dict[str, Any]:
    """What a number was measured by."""
    names = ("bionet", "jax", "equinox", "optax")
    versions = {name: version(name) for name in names}
    device = str(jax.devices()[0])
    return {"versions": versions, "python": platform.python_version(), "device": device}


def table(ids: list[str]) -> None:
    """Prints a row per recipe and data set, in per cent of its metric."""
    print(f"| {' | '.join(HEAD)} |")
    print(f"|{'---|' * len(HEAD)}")
    for id, dataset, lines in measured():
        if id in ids:
            print(f"| {' | '.join(row(lines, dataset))} |")


def run(id: str, dataset: str | None, seeds: int) -> None:
    """Measures again what is outdated, and adds the lines that are missing."""
    recipe: Any = zoo.get(id).on(dataset)
    data = recipe.config.dataset
    found = trained(id, data)
    for line in found:
        if parts := outdated(recipe, line):
            put(path_of(id, data), line, remeasured(recipe, line))
            print(f"{id} on {data}, seed {line['seed']}: {', '.join(parts)} again", flush=True)
    for seed in sorted({*range(seeds)} - {line["seed"] for line in found}):
        began = time.perf_counter()
        line = one(recipe, seed)
        with path_of(id, data).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        took = time.perf_counter() - began
        print(f"{id} on {data}, seed {seed}: {line['metrics']}, {took:.0f} s", flush=True)


def put(path: Path, old: Line, new: Line) -> None:
    """Puts a line in the place of another; every other line keeps its bytes."""
    text = json.dumps(new, ensure_ascii=False)
    rows = path.read_text("utf-8").splitlines()
    write_whole(path, "".join(f"{text if json.loads(row) == old else row}\n" for row in rows))


def main() -> None:
    """Runs what is missing, or prints the table."""
    parser = argparse.ArgumentParser(description="Measures recipes beside what they have to beat.")
    parser.add_argument("ids", nargs="*", help="recipes; all of the package without any")
    parser.add_argument("--table", action="store_true", help="print what is there")
    parser.add_argument("--dataset", help="instead of the recipe's own")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many, from 0")
    options = parser.parse_args()
    ids = options.ids or list(zoo.REGISTRY)
    if not options.table:
        for id in ids:
            run(id, options.dataset, options.seeds)
    table(ids)


if __name__ == "__main__":
    main()
