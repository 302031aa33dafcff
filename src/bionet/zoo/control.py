"""The frozen control of a recipe, measured and put into words.

How the hidden layers are frozen is said by the workload's `Control`. A readout that can't be solved
is trained by the recipe's own method, for as long as that trains the network.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from jaxtyping import PRNGKeyArray

from bionet.training.frozen_control import FrozenControl
from bionet.training.problem import Problem
from bionet.zoo.result import Result

if TYPE_CHECKING:
    from bionet.zoo.recipe import Recipe


def control_of(
    recipe: Recipe[Any], problem: Problem, key: PRNGKeyArray, seed: int
) -> Result | None:
    """The frozen control's result, on the same data and seed; None if the recipe has none."""
    began = time.perf_counter()
    if recipe.control is None:
        return None
    config = recipe.config
    control = recipe.control.measure(
        recipe.workload,
        recipe.network_config,
        problem,
        key,
        trained_by=lambda: (recipe.build_own_method(), config.epochs),
    )
    return Result(
        recipe=f"{recipe.id} (hidden frozen)",
        dataset=config.dataset,
        seed=seed,
        history=({"epoch": 1, **control.validation},),
        metrics=control.test,
        seconds=time.perf_counter() - began,
        metric=recipe.metric,
        details={"control": _describe(control, recipe.metric)},
        model=control.model,
    )


def _describe(control: FrozenControl, metric: str) -> str:
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
