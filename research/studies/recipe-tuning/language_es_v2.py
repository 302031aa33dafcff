"""Which numbers does `language-es-v2` want, judged on validation data alone?

    python research/studies/recipe-tuning/language_es_v2.py [--table] [--budget-seconds N]

Evolution is no part of `run.py`, whose recipes share one search. Here the numbers of low-rank
evolution are moved one after the other, each from the best so far, at equal means: every try judges
as many windows (`BUDGET`), so a larger population or a smaller batch changes the generations. All
tries run on seed 100, which no evidence has, and what guesses most of its validation text is taken.
No test split reaches this study, and neither controls nor baselines are run. README.md says what
came of it.

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

from run import config_of, trained

RESULTS = Path(__file__).with_name("language-es-v2.jsonl")
ID = "language-es-v2"
SEED = 100
BUDGET = 4 * 1024 * 128  # windows that are judged: four passes by 128 networks
START = {"learning_rate": 0.05, "sigma": 0.05, "population": 128, "batch_size": 16, "units": 24}
KNOBS: dict[str, tuple[float, ...]] = {
    "learning_rate": (0.025, 0.1),
    "batch_size": (8, 4),
    "sigma": (0.025, 0.1, 0.2),  # the last because 0.1, then the end, was the best
    "population": (64, 256),
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


def score(change: Change, found: Lines) -> float | None:
    """What a try has reached on validation data, 0 if it diverged; None if it has not run."""
    line = found.get((config_of(ID, change)[1], SEED))
    return None if line is None else line["validation"] or 0.0


def search(found: Lines) -> tuple[list[Change], list[Change], Change]:
    """The tries so far, those to run next (none: the search is over), and the best so far."""
    best, tried = with_epochs(START), [with_epochs(START)]
    for name, values in KNOBS.items():
        around = [best, *(with_epochs(best | {name: value}) for value in values)]
        tried += around[1:]
        if todo := [each for each in around if score(each, found) is None]:
            return tried, todo, best
        best = max(around, key=lambda each: score(each, found) or 0.0)
    return tried, [], best


def table(found: Lines) -> str:
    """A row per try, in per cent of the validation text that is guessed."""
    tried, todo, best = search(found)
    rows = ["| try | validation |", "|---|---|"]
    for each in tried:
        value = score(each, found)
        said = "to run" if value is None else f"{100 * value:.2f}"
        mark = " (chosen)" if each == best and not todo else ""
        rows.append(f"| {', '.join(f'{k} {v:g}' for k, v in each.items())}{mark} | {said} |")
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
        for change in todo:
            if time.perf_counter() > ends:
                break
            line = trained(ID, change, SEED)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(change, line["validation"], line["seconds"], flush=True)
        if time.perf_counter() > ends:
            break
    print(table(lines()))


if __name__ == "__main__":
    main()
