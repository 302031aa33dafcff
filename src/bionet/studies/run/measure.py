"""One trial, run and measured in this process: metrics, curve, evaluations, seconds, memory.

It trains as `Recipe.fit` does, with the same keys, and to the same numbers. A tuning trial gets a
problem without a test split. A frozen control is solved, or its readout trained, in place of the
network. What it costs is told by `bionet.studies.run.meters`.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Mapping
from typing import Any, final

import jax

from bionet.studies.design.budget import (
    ShortEpochs,
    batch_examples,
    beside,
    cut_budget,
    evaluations_per_step,
)
from bionet.studies.design.protocol import Budget
from bionet.studies.design.trial import Trial
from bionet.studies.run.meters import (
    CompileClock,
    Memory,
    Meter,
    compile_clock,
    count_maps,
    give_back_memory,
    surroundings,
)
from bionet.training.fit import fit
from bionet.training.method import AbstractMethod
from bionet.training.problem import Problem
from bionet.zoo.recipe import Recipe
from bionet.zoo.run import control_of, split_seed
from bionet.zoo.setup import Setup, short_hash

POINTS = 50
"""The most points of a learning curve that a line keeps, and `DIGITS` those of its numbers."""
DIGITS = 6

Line = dict[str, Any]


def measure_trial(trial: Trial) -> Line:
    """Runs a trial and returns its line, all but the commit.

    A tuning trial is trained on a problem without a test split, and judged on validation data.

    Raises:
        NonFiniteError: the training diverged.
        ValueError: the recipe, its method or its data do not fit; nothing was trained.
    """
    _make_room(trial)
    memory, clock = Memory(), compile_clock()
    clock.forget()
    began = time.perf_counter()
    recipe = Setup.from_dict(trial.config).build()
    budget = Budget(**trial.config["budget"])
    solved = trial.config["control"] and recipe.control is not None and recipe.control.is_solved
    run = _solve if solved else _trained
    found = run(recipe, trial, budget, clock)
    return {
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "trial": trial.hash,
        "stage": trial.stage,
        **({} if trial.number is None else {"number": trial.number}),
        "config": trial.config,
        "metric": recipe.metric,
        "metrics": found.metrics,
        "curve": _thin(found.curve),
        "evaluations": found.evaluations,
        "examples": found.examples,
        "seconds": {
            "compile": round(clock.between(began, time.perf_counter()), 4),
            "run": round(found.seconds, 4),
        },
        "peak_memory_mib": memory.peak(),
        **surroundings(),
    }


_LAST: list[str] = []
MAPS = 20_000
"""Memory maps from which on compiled programs are dropped: each has some ten, and the kernel gives
a process 65,530, after which XLA ends it."""


def _make_room(trial: Trial) -> None:
    """Drops what was compiled for another method or network, so that it does not pile up."""
    now = short_hash([trial.config[name] for name in ("recipe", "method", "options", "config")])
    if (_LAST and [now] != _LAST) or count_maps() > MAPS:
        jax.clear_caches()
    _LAST[:] = [now]
    gc.collect()
    give_back_memory()


@final
@dataclasses.dataclass(frozen=True)
class Found:
    """The result of a trial, as its line has it."""

    metrics: dict[str, float]
    curve: list[dict[str, float]]
    evaluations: float
    examples: int
    seconds: float


def _trained(recipe: Recipe[Any], trial: Trial, budget: Budget, clock: CompileClock) -> Found:
    """Trains for the budget."""
    tuning = trial.stage == "tuning"
    recipe, problem, method, meter = _prepare(recipe, trial, budget, clock)
    began = time.perf_counter()
    fitted = fit(
        dataclasses.replace(problem, test=None) if tuning else problem,
        method,
        epochs=meter.pace.epochs,
        key=split_seed(trial.seed)[1],
        callbacks=(meter,),
        progress=False,
    )
    ended = time.perf_counter()
    names = ("loss", recipe.metric)
    last = {name: fitted.history[-1][name] for name in names} if tuning else dict(fitted.test)
    seconds = ended - began - clock.between(began, ended)
    return Found(last, meter.curve, meter.evaluations, meter.examples, seconds)


def _prepare(
    recipe: Recipe[Any], trial: Trial, budget: Budget, clock: CompileClock
) -> tuple[Recipe[Any], Problem, AbstractMethod, Meter]:
    """The recipe with as many epochs as the budget has, its problem and method, and the meter."""
    if budget.unit == "epochs":
        recipe = recipe.replace(epochs=int(budget.amount))
    splits = recipe.splits(trial.seed)
    problem, method = _task(recipe, trial, splits)
    examples = batch_examples(problem.train)
    per_step = 1.0
    if budget.unit == "evaluations":
        per_step = _evaluations(trial.config, method, problem)
    pace = cut_budget(budget, problem.train, examples, per_step)
    if budget.unit in ("examples", "evaluations"):  # a schedule of rates depends on it
        recipe = recipe.replace(epochs=pace.passes)
        problem, method = _task(recipe, trial, splits)
    if pace.steps < problem.train.num_batches:
        problem = dataclasses.replace(problem, train=ShortEpochs(problem.train, pace.steps))
    limit = budget.amount if budget.unit == "seconds" else None
    meter = Meter(recipe.metric, pace, examples, beside(method), clock, limit)
    return recipe, problem, method, meter


def _task(recipe: Recipe[Any], trial: Trial, splits: Any) -> tuple[Problem, AbstractMethod]:
    problem = recipe.problem(trial.seed, splits)
    if not trial.config["control"]:
        return problem, recipe.build_method()
    if recipe.control is None:
        raise ValueError(f"Recipe {recipe.id!r} has no frozen control; take this arm out.")
    return recipe.control.restrict(problem, recipe.build_own_method())


_KNOWN: dict[str, float] = {}


def _evaluations(config: Mapping[str, Any], method: AbstractMethod, problem: Problem) -> float:
    """Evaluations per step, worked out once for each configuration."""
    name = short_hash(config)
    if name not in _KNOWN:
        _KNOWN[name] = evaluations_per_step(method, problem.model, problem.train)
    return _KNOWN[name]


def _solve(recipe: Recipe[Any], trial: Trial, budget: Budget, clock: CompileClock) -> Found:
    """The frozen control whose readout is solved: one pass over the data, and no budget."""
    problem = recipe.problem(trial.seed)
    began = time.perf_counter()
    control = control_of(recipe, problem, split_seed(trial.seed)[1], trial.seed)
    ended = time.perf_counter()
    if control is None:
        raise ValueError(f"Recipe {recipe.id!r} has no frozen control; take this arm out.")
    seconds = ended - began - clock.between(began, ended)
    steps = problem.train.num_batches
    examples = steps * batch_examples(problem.train)
    costs = {"evaluations": steps, "examples": examples, "seconds": round(seconds, 4)}
    names = ("epoch", "loss", recipe.metric)
    curve = [{name: control.history[-1][name] for name in names} | costs]
    return Found(dict(control.metrics), curve, steps, examples, seconds)


def _thin(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    """At most `POINTS` points, evenly spaced, the last one always among them."""
    every = -(-len(curve) // POINTS) or 1
    kept = (point for n, point in enumerate(curve, 1) if n % every == 0 or n == len(curve))
    return [{name: _short(value) for name, value in point.items()} for point in kept]


def _short(value: float) -> float:
    """A number in as many digits as a picture shows; counts stay whole."""
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
