"""Which numbers does each recipe want, judged on validation data alone?

    python research/studies/recipe-tuning/run.py [IDS...] [--table] [--list] [--budget-seconds N]

Tunes the gradient, feedback-alignment and hybrid recipes of this package, one knob after the other,
on three seeds of their own. What counts is the metric on the validation split after the
last epoch. No test split reaches this study. README.md has the protocol.

A line is appended to results.jsonl beside this file when a run is finished; runs that have a line
are skipped. What is still to run follows from the lines, so a study can be cut off anywhere.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import bionet
from bionet import zoo
from bionet.training import NonFiniteError
from bionet.zoo.catalogue import SPECS

RESULTS = Path(__file__).with_name("results.jsonl")
SEEDS = (100, 101, 102)  # evidence has 0 to 4
FAMILIES = ("first-order", "hybrid")
FEEDBACK = ("feedback-alignment", "dfa")  # methods of the local family that are tuned here too

Line = dict[str, Any]
Change = dict[str, float]
Found = dict[tuple[str, str, int], Line]

# Where each tuned field starts: the default at the time of writing. The learning rates of a recipe
# move together, by threes; any other field moves alone, by twos. The starts stay when a default
# moves, so that the lines are still those of the candidates that the choice was made among.
SPACE: dict[str, dict[str, float]] = {
    "prototypes-backprop": {"learning_rate": 2e-3},
    "classification-backprop": {"learning_rate": 3e-3},
    "classification-feedback-alignment": {"learning_rate": 3e-3},
    "classification-dfa": {"learning_rate": 3e-3},
    "prototypes-hybrid": {"learning_rate": 2e-3, "lam": 0.2, "sigma": 0.05},
    "classification-hybrid": {
        "rate_in": 0.24,
        "rate_recurrent": 0.116,
        "rate_out": 0.34,
        "lam": 0.2,
        "sigma": 0.05,
    },
    "classification-rsnn": {"learning_rate": 5e-3, "slope": 2.0},
    "classification-rsnn-v2": {"learning_rate": 3e-3, "slope": 10.0},
    # Its learning rate and slope are those of classification-rsnn, whose gradient it corrects.
    "classification-rsnn-hybrid": {"lam": 0.2, "sigma": 0.02},
    "language-s5": {"learning_rate": 1e-2},
    "speech-rsnn": {"learning_rate": 1e-2, "slope": 5.0},
}


def knobs(id: str) -> list[tuple[str, ...]]:
    """What is moved one after the other: the learning rates as one, then each other field."""
    rates = tuple(name for name in SPACE[id] if "rate" in name)
    others = [(name,) for name in SPACE[id] if name not in rates]
    return [rates, *others] if rates else others


def moved(id: str, powers: Sequence[int]) -> Change:
    """The fields, to three digits, with each knob so many factors from its start."""
    times = {
        name: (3.0 if "rate" in name else 2.0) ** power
        for knob, power in zip(knobs(id), powers, strict=True)
        for name in knob
    }
    return {name: float(f"{x * times[name]:.3g}") for name, x in SPACE[id].items()}


def config_of(id: str, change: Change) -> tuple[Any, str]:
    """The changed recipe, and the hash of everything that its config says."""
    recipe: Any = zoo.get(id).replace(**change)
    text = json.dumps(recipe.written(), sort_keys=True, default=str)
    return recipe, hashlib.sha256(text.encode()).hexdigest()[:12]


def trained(id: str, change: Change, seed: int) -> Line:
    """Trains one network on a problem without a test split, and judges it on validation data."""
    recipe, config_hash = config_of(id, change)
    problem = dataclasses.replace(recipe.problem(seed), test=None)
    key = jax.random.split(jax.random.key(seed))[1]  # as `recipe.fit` has it
    began, epochs = time.perf_counter(), recipe.config.epochs
    line: Line = {"recipe": id, "change": change, "seed": seed, "config_hash": config_hash}
    line |= {"metric": recipe.metric, "validation": None, "loss": None, "failed": None}
    try:
        fitted = bionet.fit(problem, recipe.build_method(), epochs=epochs, key=key, progress=False)
        last = fitted.history[-1]
        line |= {"validation": last[recipe.metric], "loss": last["loss"]}
    except NonFiniteError as error:
        line["failed"] = str(error)
    line |= {"seconds": round(time.perf_counter() - began, 2), "epochs": epochs}
    versions = {name: version(name) for name in ("bionet", "jax", "equinox", "optax")}
    line["versions"] = versions | {"python": platform.python_version()}
    return line | {"config": recipe.written(), "device": str(jax.devices()[0])}


class Tried(NamedTuple):
    """A candidate, and what the seeds that have a line have reached on the validation split."""

    change: Change
    seeds: list[int]
    mean: float  # minus infinity where a seed diverged, so that it is not chosen
    error: float  # the standard error of the mean


def looked_up(id: str, change: Change, found: Found) -> Tried:
    """A candidate, out of the lines."""
    config_hash = config_of(id, change)[1]
    seeds = [seed for seed in SEEDS if (id, config_hash, seed) in found]
    scores = [found[id, config_hash, seed]["validation"] for seed in seeds]
    if None in scores or not scores:
        return Tried(change, seeds, -math.inf, 0.0)
    error = np.std(scores, ddof=1) / math.sqrt(len(scores)) if len(scores) > 1 else 0.0
    return Tried(change, seeds, float(np.mean(scores)), float(error))


class Search(NamedTuple):
    """How far the tuning of a recipe has come."""

    tried: list[Tried]  # in order
    pending: list[tuple[Change, int]]  # changes and seeds to run next
    chosen: Change  # so far; for good when nothing is pending


def search(id: str, found: Found) -> Search:
    """Replays the protocol on the lines that are there, as far as they reach."""
    tried: dict[str, Tried] = {}
    powers = [0] * len(knobs(id))
    for number in range(len(powers)):
        options = [-1, 0, 1]
        for _ in range(2):
            group = {}
            for power in options:
                change = moved(id, [*powers[:number], power, *powers[number + 1 :]])
                group[power] = tried[told(id, change)] = looked_up(id, change, found)
            missing = [(c.change, s) for c in group.values() for s in SEEDS if s not in c.seeds]
            if missing:
                return Search([*tried.values()], missing, moved(id, powers))
            powers[number] = choice(group)
            if powers[number] == 0:
                break
            options.append(2 * powers[number])  # the best is at an end: one more beyond it
    return Search([*tried.values()], [], moved(id, powers))


def choice(group: Mapping[int, Tried]) -> int:
    """The best candidate, or the one nearest to the start among those tied with it."""
    best = max(group.values(), key=lambda each: each.mean)
    tied = [
        power
        for power, each in group.items()
        if each.mean == best.mean or best.mean - each.mean <= max(best.error, each.error) / 2
    ]
    return min(tied, key=lambda power: (abs(power), -group[power].mean))


def lines_of(path: Path) -> Found:
    """The finished runs; of two with one configuration and seed, the later."""
    text = path.read_text("utf-8") if path.exists() else ""
    lines: list[Line] = [json.loads(line) for line in text.splitlines() if line]
    return {(line["recipe"], line["config_hash"], line["seed"]): line for line in lines}


def told(id: str, change: Change) -> str:
    """In what a candidate differs from the start."""
    fields = [f"{name} {x:g}" for name, x in change.items() if x != SPACE[id][name]]
    return ", ".join(fields) or "as it is"


def table(id: str, found: Found) -> str:
    """A row per candidate, in per cent of the metric, and what is chosen."""
    tried, pending, chosen = search(id, found)
    recipe: Any = zoo.get(id)
    rows = [f"### {id}\n", f"| candidate | validation {recipe.metric} | seeds |", "|---|---|---|"]
    for each in tried:
        value = f"{100 * each.mean:.2f} ± {100 * each.error:.2f}" if each.seeds else "to run"
        mark = " (chosen)" if each.change == chosen and not pending else ""
        rows.append(f"| {told(id, each.change)}{mark} | {value} | {len(each.seeds)} |")
    if pending:
        return "\n".join([*rows, f"\nNot finished: {len(pending)} runs at least are left.\n"])
    now = {name: getattr(recipe.config, name) for name in chosen}
    said = [f"{name} {chosen[name]:g} (now {x:g})" for name, x in now.items() if x != chosen[name]]
    verdict = f"differs from the defaults now: {', '.join(said)}" if said else "the defaults now"
    return "\n".join([*rows, f"\nChosen: {told(id, chosen)}; {verdict}.\n"])


def tune(id: str, path: Path, ends: float) -> bool:
    """Runs what a recipe's search still wants; False when the time was over before that."""
    while pending := search(id, lines_of(path)).pending:
        for change, seed in pending:
            if time.perf_counter() > ends:
                return False
            line = trained(id, change, seed)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(id, told(id, change), seed, line["validation"], line["seconds"], flush=True)
    jax.clear_caches()  # no other recipe uses what was compiled for this one
    return True


def main() -> None:
    """Runs what has no line yet, says what that is, or prints the table."""
    parser = argparse.ArgumentParser(description="Tunes recipes on validation data.")
    parser.add_argument("ids", nargs="*", help="recipes; all of SPACE without any")
    parser.add_argument("--table", action="store_true", help="print what is there, and stop")
    parser.add_argument("--list", action="store_true", help="say what comes next, and stop")
    parser.add_argument("--budget-seconds", type=float, default=math.inf, help="begin none later")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the lines are")
    options = parser.parse_args()
    ends = time.perf_counter() + options.budget_seconds
    due = {spec.id for spec in SPECS if spec.family in FAMILIES or spec.method in FEEDBACK}
    if due != set(SPACE):
        parser.error(f"SPACE and the catalogue differ in {sorted(due ^ set(SPACE))}.")
    if strangers := sorted(set(options.ids) - set(SPACE)):
        parser.error(f"SPACE has no {', '.join(strangers)}; it has {', '.join(SPACE)}.")
    for id in options.ids or SPACE:
        if options.table:
            print(table(id, lines_of(options.results)))
        elif options.list:
            for change, seed in search(id, lines_of(options.results)).pending:
                print(id, told(id, change), seed)
        elif not tune(id, options.results, ends):
            print(f"The time is over in {id}; the same command goes on from here.")
            return


if __name__ == "__main__":
    main()
