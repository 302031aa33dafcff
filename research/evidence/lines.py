"""The committed lines: where they are, which of them fit a recipe as it is now, and their means.

A line fits if it has the hash of the recipe's config, and the revision that the recipe has now of
each part beside it: control, baselines, ablation. A line from before there were revisions has
revision 1 of all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
    text = json.dumps(dataclasses.asdict(recipe.config), sort_keys=True, default=str)
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


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean over seeds."""
    if len(set(values)) < 2:
        return values[0], values[0]
    found = scipy.stats.bootstrap((values,), np.mean, rng=0, method="percentile")
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
