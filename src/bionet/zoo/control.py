"""The frozen control of a recipe: which one its model takes, and how it is told of.

An orchestrator's control is the better of its frozen hidden layers with and without their
dynamics. Any other model with a linear readout has that readout solved, over all steps where it
answers at each, and without recurrence too where the model can be had so. Where nothing can be
solved, for there are no targets (a policy), the recipe's own method trains the readout alone, for
as long as it trains the network. A recipe whose network has no hidden layer (a memory) has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jaxtyping import PRNGKeyArray, PyTree

from bionet.training.evaluate import evaluate
from bionet.training.fit import fit
from bionet.training.frozen import FrozenControl, frozen_control
from bionet.training.frozen_readout import frozen_readout_control
from bionet.training.method import AbstractMethod
from bionet.training.problem import Problem
from bionet.training.restricted import TrainedReadout
from bionet.zoo.result import Result

if TYPE_CHECKING:
    from bionet.zoo.recipe import Recipe


def control_of(
    recipe: Recipe[Any], problem: Problem, key: PRNGKeyArray, seed: int
) -> Result | None:
    """The frozen control's result, on the same data and seed; None if the recipe has none."""
    began = time.perf_counter()
    config = recipe.config
    if recipe.control_steps is not None and recipe.sizes is not None:
        steps = recipe.control_steps(config)
        found = frozen_control(problem, recipe.sizes(config), steps=steps, key=key)
    elif recipe.linear is not None:
        found = frozen_readout_control(problem, recipe.linear(config), key=key)
    elif recipe.readout is not None:
        found = _trained(problem, recipe.own_method(), recipe.readout, config.epochs, key)
    else:
        return None
    return Result(
        recipe=f"{recipe.id} (hidden frozen)",
        dataset=config.dataset,
        seed=seed,
        history=({"epoch": 1, **found.validation},),
        metrics=found.test,
        seconds=time.perf_counter() - began,
        metric=recipe.metric,
        details={"control": _told(found, recipe.metric)},
        model=found.model,
    )


def _trained(
    problem: Problem,
    method: AbstractMethod,
    readout: Callable[[PyTree], Any],
    epochs: int,
    key: PRNGKeyArray,
) -> FrozenControl:
    method = TrainedReadout(method, readout)
    fitted = fit(problem, method, epochs=epochs, key=key, progress=False)
    examples = problem.validation
    validation = {} if examples is None else evaluate(problem, fitted.model, examples, key)
    return FrozenControl(fitted.model, "trained", float("nan"), validation, fitted.test)


def _told(control: FrozenControl, metric: str) -> str:
    if control.hidden == "trained":
        return "hidden layers frozen, readout trained by the same method for as long"
    how = {
        "dynamics": "hidden layer frozen, with its dynamics",
        "feed-forward": "hidden layer frozen, without recurrence",
        "features": "hidden layers frozen",
    }[control.hidden]
    solved = f"{how}; ridge readout, penalty {control.ridge:g} chosen on validation data"
    if control.softmax is None:
        return solved
    softmax, scores = control.softmax, control.test or control.validation
    return (
        f"{solved}, which the {metric} is of; the loss is that of a softmax readout on the same "
        f"features, L-BFGS on {softmax.targets:,} targets, penalty {softmax.penalty:g} chosen "
        f"likewise, whose own {metric} is {scores[f'softmax {metric}']:.1%}"
    )
