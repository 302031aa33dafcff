"""The lines that each study with a script of its own asks for: a key of a line, and all keys.

`prune.py` holds the lines against them. The key says which run a line is of, and whether the
settings that it carries are those that the script and the recipe have today. A field that a recipe
got later is left out of the lines before it, and stands for its default.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from bionet import zoo

Line = dict[str, Any]
Wanted = tuple[Callable[[Line], Any], Iterable[Any]]
FIRST_SEEDS: Final = range(5)
"""The seeds of `first-recipes`, as its script has them by default."""
UNFINISHED: Final = ("classification-rsnn-hybrid",)
"""Searches of `recipe-tuning` that its README tells of as not repeated: nothing is asked for."""


def digest(config: Line) -> str:
    """The hash of a line's own settings."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def agrees(line: Line, recipe: Any) -> bool:
    """Returns whether a line has the hash of its settings, and they are those of the recipe."""
    now = json.loads(json.dumps(recipe.written()))
    plain = dataclasses.replace(recipe, changes={}).config
    default = json.loads(json.dumps(dataclasses.asdict(plain)))
    told = {**{name: default[name] for name in now}, **line["config"]}
    return told == now and digest(line["config"]) == line["config_hash"]


def async_delays(script: ModuleType) -> Wanted:
    """Arms by delay, with the hash of the config and the revision of the control beside it."""

    def key(line: Line) -> Any:
        return line["arm"], line["seed"], line["config_hash"], line.get("control_revision", 1)

    return key, [
        (arm, seed, script.config_hash(recipe), recipe.revision("control"))
        for arm, recipe, seed in script.runs()
    ]


def first_recipes(script: ModuleType) -> Wanted:
    """Two recipes as they are, with the control and the baselines beside them."""

    def key(line: Line) -> Any:
        recipe, told = zoo.get(line["recipe"]), line.get("revisions", {})
        beside = ("control", "baselines")
        now = all(told.get(part, 1) == recipe.revision(part) for part in beside)
        return line["recipe"], line["seed"], now and agrees(line, recipe)

    return key, [(id, seed, True) for id in script.RECIPES for seed in FIRST_SEEDS]


def tinyshakespeare(script: ModuleType) -> Wanted:
    """Two recipes on another data set, a seed each."""

    def key(line: Line) -> Any:
        there = zoo.get(line["recipe"]).on("tinyshakespeare")
        return line["recipe"], line["seed"], agrees(line, there)

    return key, [(id, 0, True) for id in script.IDS]


def mnist_local(script: ModuleType) -> Wanted:
    """A recipe on another data set."""
    recipe = zoo.get(script.RECIPE).on("mnist")
    return lambda line: (line["seed"], agrees(line, recipe)), [(0, True)]


def mnist_local_sparse(script: ModuleType) -> Wanted:
    """Arms of the recipe with other fields, and arms with code of their own."""

    def recipe(arm: str) -> Any:
        full = {"epochs": script.EPOCHS, "validation": 10_000}
        if arm.startswith("short: "):
            short = {"epochs": 5, "validation": 40_000}
            return script.RECIPE.replace(**script.SHORT[arm.removeprefix("short: ")]).replace(
                **short
            )
        if arm == "best, 60,000 images":
            full["validation"] = 0
        if arm.startswith("published"):
            full["epochs"] = 20
        return script.RECIPE.replace(**script.LOCAL[arm.partition(", 60")[0]]).replace(**full)

    def key(line: Line) -> Any:
        ok = "config" not in line or agrees(line, recipe(line["arm"]))
        return line["arm"], line["seed"], ok

    return key, [(arm, seed, True) for arm, seed, _ in script.runs()]


def lowrank_es_mnist(script: ModuleType) -> Wanted:
    """Arms with a config of their own."""
    asked = [
        (arm, seed, digest(dataclasses.asdict(config))) for arm, seed, config, _ in script.runs()
    ]
    return lambda line: (line["arm"], line["seed"], line["config_hash"]), asked


def recipe_tuning(script: ModuleType) -> Wanted:
    """Each candidate that the search has tried, and those that it still asks for."""

    def all_of(id: str) -> Iterator[Any]:
        found = script.search(id, script.lines_of(script.RESULTS))
        for tried in found.tried:
            seeds = tried.seeds if id in UNFINISHED else script.SEEDS
            yield from ((id, _fields(tried.change), seed, True) for seed in seeds)

    def key(line: Line) -> Any:
        ok = agrees(line, zoo.get(line["recipe"]).replace(**line["change"]))
        return line["recipe"], _fields(line["change"]), line["seed"], ok

    return key, [each for id in script.SPACE for each in all_of(id)]


def _fields(change: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(change.items()))


def es_scaling(script: ModuleType) -> Wanted:
    """Sizes and methods, by the hash of each configuration."""
    asked = [script.short_hash(config) for config in script.configurations()]
    return lambda line: line["trial"], asked


def es_variance(script: ModuleType) -> Wanted:
    """Widths, pairs and seeds."""
    asked = [(w, k, s) for w in script.WIDTHS for k in script.PAIRS for s in script.SEEDS]
    return lambda line: (line["width"], line["pairs"], line["seed"]), asked


def precision(script: ModuleType) -> Wanted:
    """Kinds of operands and seeds."""
    asked = [(kind, seed) for kind in script.KINDS for seed in script.SEEDS]
    return lambda line: (line["operands"], line["seed"]), asked


WANTED: Final[dict[str, Callable[[ModuleType], Wanted]]] = {
    "async-delays": async_delays,
    "es-scaling": es_scaling,
    "es-variance": es_variance,
    "first-recipes": first_recipes,
    "lowrank-es-mnist": lowrank_es_mnist,
    "mnist-local": mnist_local,
    "mnist-local-sparse": mnist_local_sparse,
    "precision": precision,
    "recipe-tuning": recipe_tuning,
    "tinyshakespeare": tinyshakespeare,
}
