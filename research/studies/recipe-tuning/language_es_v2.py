"""Which numbers does `language-es-v2` want, judged on validation data alone?

    python research/studies/recipe-tuning/language_es_v2.py [--table] [--budget-seconds N]

Evolution is no part of `run.py`, whose recipes share one search. Here the numbers of low-rank
evolution are moved one after the other, each from the best so far, at equal means: every try judges
as many windows (`BUDGET`), so a larger population or batch gets fewer generations. All tries run on
seed 100, and the `FINALISTS` best of them on 101 and 102 too; the mean over the three decides. No
test split reaches this study, and neither controls nor baselines are run. README.md says what came
of it.

A line is appended to language-es-v2.jsonl beside this file when a run is finished; runs that have a
line are skipped, so the study can be cut off anywhere.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from run import config_of, trained

RESULTS = Path(__file__).with_name("language-es-v2.jsonl")
ID = "language-es-v2"
SCREENED, SEEDS = 100, (100, 101, 102)
FINALISTS = 3
BUDGET = 4 * 1024 * 128  # windows that are judged: four passes by 128 networks
START = {"learning_rate": 0.05, "sigma": 0.05, "population": 128, "batch_size": 16, "units": 24}
KNOBS: dict[str, tuple[float, ...]] = {
    "learning_rate": (0.025, 0.1),
    "sigma": (0.025, 0.1),
    "batch_size": (4, 8, 32),
    "population": (64, 256),
    "units": (32, 48),
}
Change = dict[str, Any]
Lines = dict[tuple[str, int], dict[str, Any]]


def with_epochs(change: Change) -> Change:
    """The change with as many passes as its population can afford."""
    return change | {"epochs": max(BUDGET // (1024 * change["population"]), 1)}


def lines() -> Lines:
    """The finished runs by the hash of their configuration and their seed."""
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    found = map(json.loads, text.splitlines())
    return {(line["config_hash"], line["seed"]): line for line in found}


def scores(change: Change, found: Lines) -> list[float]:
    """What a try has reached on validation data, seed by seed; a run that diverged counts as 0."""
    name = config_of(ID, change)[1]
    tried = (found.get((name, seed)) for seed in SEEDS)
    return [line["validation"] or 0.0 for line in tried if line is not None]


def search(found: Lines) -> tuple[list[Change], list[tuple[Change, int]]]:
    """The tries so far, and the runs to do next; none means that the search is over."""
    best, tried = with_epochs(START), [with_epochs(START)]
    for name, values in KNOBS.items():
        around = [best, *(with_epochs(best | {name: value}) for value in values)]
        tried += around[1:]
        if todo := [(each, SCREENED) for each in around if not scores(each, found)]:
            return tried, todo
        best = max(around, key=lambda each: scores(each, found)[0])
    last = sorted(tried, key=lambda each: -scores(each, found)[0])[:FINALISTS]
    done = {(name, seed) for name, seed in found}
    return tried, [
        (each, seed)
        for each in last
        for seed in SEEDS
        if (config_of(ID, each)[1], seed) not in done
    ]


def table(found: Lines) -> str:
    """A row per try, in per cent of the validation text that is guessed."""
    tried, todo = search(found)
    rows = ["| try | validation | seeds |", "|---|---|---|"]
    for each in tried:
        values = scores(each, found)
        mean = f"{100 * float(np.mean(values)):.2f}" if values else "to run"
        rows.append(
            f"| {', '.join(f'{k} {v:g}' for k, v in each.items())} | {mean} | {len(values)} |"
        )
    return "\n".join(
        [*rows, f"\nNot finished: {len(todo)} runs at least are left." if todo else ""]
    )


def main() -> None:
    """Runs what has no line yet, or prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="print what is there, and stop")
    parser.add_argument("--budget-seconds", type=float, default=math.inf, help="begin none later")
    options = parser.parse_args()
    ends = time.perf_counter() + options.budget_seconds
    while not options.table and (todo := search(lines())[1]):
        for change, seed in todo:
            if time.perf_counter() > ends:
                break
            line = trained(ID, change, seed)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(change, seed, line["validation"], line["seconds"], flush=True)
        if time.perf_counter() > ends:
            break
    print(table(lines()))


if __name__ == "__main__":
    main()
