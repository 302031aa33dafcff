"""The committed lines: where they are, which of them fit a recipe as it is now, and their means.

A line fits if it has the hash of the recipe's config, and the revision that the recipe has now of
each part beside it: control, baselines, ablation. A line from before there were revisions has
revision 1 of all of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

from bionet import zoo

HERE = Path(__file__).parent
LEAST_SEEDS = 5
PARTS = {"frozen control": "control", "ablation": "ablation"}
COLUMNS = ("control", "baselines", "ablation")
Line = dict[str, Any]


def path_of(id: str, dataset: str) -> Path:
    """The file of a recipe on one of its data sets."""
    default = zoo.REGISTRY[id].datasets[0]
    return HERE / (f"{id}.jsonl" if dataset == default else f"{id}.{dataset}.jsonl")


def config_hash(recipe: Any) -> str:
    """The hash of everything that the recipe's config says."""
    text = json.dumps(recipe.written(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def outdated(recipe: Any, line: Line) -> list[str]:
    """The parts of a line that were measured at an older revision than the recipe's."""
    told = line.get("revisions", {})
    return [part for part in COLUMNS if told.get(part, 1) != recipe.revision(part)]


def trained(id: str, dataset: str) -> list[Line]:
    """The lines of the recipe's config, also where a part beside it has to be measured again."""
    path = path_of(id, dataset)
    if not path.exists():
        return []
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    now = config_hash(zoo.get(id).on(dataset))
    return [line for line in found if line["config_hash"] == now]


def lines_of(id: str, dataset: str) -> list[Line]:
    """The lines that count: those of the recipe, and of all beside it, as they are now."""
    recipe = zoo.get(id)
    return [line for line in trained(id, dataset) if not outdated(recipe, line)]


def measured() -> list[tuple[str, str, list[Line]]]:
    """All that has lines: id, data set, lines."""
    every = ((id, data) for id, spec in zoo.REGISTRY.items() for data in spec.datasets)
    found = ((id, data, lines_of(id, data)) for id, data in every)
    return [each for each in found if each[2]]


def beside(line: Line) -> dict[str, float]:
    """What stands beside the recipe in a line: control, ablation and baselines by name."""
    metric = line["metric"]
    parts = {name: line[key][metric] for name, key in PARTS.items() if line[key]}
    return parts | line["baselines"]


def gains(lines: list[Line]) -> dict[str, float]:
    """The mean difference over seeds to each of them."""
    metric = lines[0]["metric"]
    return {
        name: float(np.mean([line["metrics"][metric] - beside(line)[name] for line in lines]))
        for name in beside(lines[0])
    }


def is_bound(name: str) -> bool:
    """Returns whether a baseline is what nothing can exceed, and no rule that anyone could use."""
    return name.endswith("(optimum)")


def rules(lines: list[Line], bounds: bool = False) -> dict[str, float]:
    """The mean over seeds of each one-line rule; of the bounds instead, if they are asked for."""
    names = (name for name in lines[0]["baselines"] if is_bound(name) == bounds)
    return {name: float(np.mean([line["baselines"][name] for line in lines])) for name in names}


def strongest(lines: list[Line]) -> tuple[str, float] | None:
    """The rule with the highest mean, and that mean; of equal ones the first."""
    found = rules(lines)
    return max(found.items(), key=lambda item: item[1]) if found else None


def compared(reached: float, other: float) -> str:
    """Returns "above" where something else is better as printed, "equal" where it is as good."""
    ours, theirs = round(100 * reached, 1), round(100 * other, 1)
    return "above" if theirs > ours else "equal" if theirs == ours else ""


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean over seeds."""
    if len(set(values)) < 2:
        return values[0], values[0]
    found = scipy.stats.bootstrap((values,), np.mean, rng=0, method="percentile")
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def one_run(values: list[float], top: float = 1.0) -> tuple[float, float]:
    """Where one new run is expected: the 95 % prediction interval, and all seeds that were seen.

    Runs that spread normally fall within `t s sqrt(1 + 1/n)` of the mean of n seeds with standard
    deviation s, for t of Student's distribution with n - 1 degrees of freedom. A seed outside of
    that, such as a policy that fails, widens it. The ends are cut to what the metric can be.
    """
    n = len(values)
    if len(set(values)) < 2:
        return values[0], values[0]
    middle, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(scipy.stats.t.ppf(0.975, n - 1)) * spread * math.sqrt(1 + 1 / n)
    low, high = min(middle - reach, *values), max(middle + reach, *values)
    return max(low, 0.0), min(high, top)


HEAD = (
    *("recipe", "data", "metric", "reached", "one run", "frozen control"),
    *("without what it is about", "strongest rule", "seeds"),
)


def row(lines: list[Line], dataset: str) -> list[str]:
    """The cells under `HEAD`, in per cent, for the README and for `run.py --table`."""
    metric, reached = lines[0]["metric"], of("metrics", lines)
    low, high = one_run(reached)
    return [
        f"`{lines[0]['recipe']}`",
        dataset,
        metric,
        told(reached),
        f"{100 * low:.1f} to {100 * high:.1f} %",
        _beside(of("control", lines), reached) or "none",
        _ablation(lines, reached),
        _rule(lines, reached),
        str(len(lines)),
    ]


def of(part: str, lines: list[Line]) -> list[float]:
    """The metric of a part, seed by seed; empty where the recipe has no such part."""
    return [line[part][line["metric"]] for line in lines if line[part]]


def told(values: list[float]) -> str:
    """The mean in per cent, with its interval if the seeds differ."""
    low, high = interval([100 * value for value in values])
    mean = f"{100 * float(np.mean(values)):.1f} %"
    return mean if low == high else f"{mean} [{low:.1f}, {high:.1f}]"


def _beside(values: list[float], reached: list[float]) -> str:
    return f"{told(values)}{_word(reached, float(np.mean(values)))}" if values else ""


def _ablation(lines: list[Line], reached: list[float]) -> str:
    values = of("ablation", lines)
    return f"{_beside(values, reached)} ({lines[0]['ablation']['without']})" if values else ""


def _rule(lines: list[Line], reached: list[float]) -> str:
    """The strongest rule, then what nothing can exceed, where that is known."""
    best = strongest(lines)
    rule = f"{best[0]} {100 * best[1]:.1f} %{_word(reached, best[1])}" if best else "none"
    bounds = rules(lines, bounds=True).items()
    return "; ".join([rule, *(f"{name} {100 * value:.1f} %" for name, value in bounds)])


def _word(reached: list[float], other: float) -> str:
    word = compared(float(np.mean(reached)), other)
    return f" **({word})**" if word else ""
