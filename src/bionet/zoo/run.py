"""One way to carry out a run of a recipe: train, measure the control, put the result together.

The rule for keys stands here: a seed has one key for the initial weights and one for training.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
from jaxtyping import PRNGKeyArray

from bionet._core.contents import contents
from bionet.datasets import Parts, Splits
from bionet.training.checkpoints import Checkpoints
from bionet.training.control.control import Control
from bionet.training.control.frozen_control import FrozenControl
from bionet.training.first_order.twin import has_signs
from bionet.training.fit import Callback, FitResult, fit
from bionet.training.method import AbstractMethod
from bionet.training.problem import Problem
from bionet.workloads.workload import Workload
from bionet.zoo.result import Result


class Runnable(Protocol):
    """A recipe as it is set up, as far as a run asks."""

    @property
    def id(self) -> str:
        """Its word."""
        ...

    @property
    def metric(self) -> str:
        """The name of what is reported."""
        ...

    @property
    def config(self) -> Any:
        """All its numbers, `epochs` among them."""
        ...

    @property
    def network_config(self) -> Any:
        """Those of its workload."""
        ...

    @property
    def workload(self) -> Workload[Any]:
        """The data, the network and the loss."""
        ...

    @property
    def control(self) -> Control | None:
        """The way its hidden layers are frozen."""
        ...

    @property
    def switched(self) -> Any:
        """The method in the place of its own; None if there is none."""
        ...

    @property
    def options_from(self) -> str:
        """The source of that method's options, in words."""
        ...

    def replace(self, **fields: Any) -> Runnable:
        """Returns the recipe with other numbers."""
        ...

    def build(self, key: PRNGKeyArray | None = None) -> Any:
        """Returns a network with new weights."""
        ...

    def build_method(self) -> AbstractMethod:
        """Returns the method that trains it."""
        ...

    def build_own_method(self) -> AbstractMethod:
        """Returns the method that the recipe is about."""
        ...

    def splits(self, seed: int = 0) -> Splits | Parts:
        """Returns the data."""
        ...

    def problem(self, seed: int = 0, splits: Splits | Parts | None = None) -> Problem:
        """Returns what the method is given."""
        ...

    def baselines(self, splits: Splits | Parts) -> dict[str, float]:
        """Returns what simple rules reach."""
        ...


def split_seed(seed: int) -> tuple[PRNGKeyArray, PRNGKeyArray]:
    """The keys of a seed: one for the initial weights, one for training."""
    weights, training = jax.random.split(jax.random.key(seed))
    return weights, training


def run(
    recipe: Runnable,
    *,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    patience: int | None = None,
    progress: bool | None = None,
) -> Result:
    """Trains a recipe as it is set up, and its frozen control; see `Recipe.fit`."""
    splits, epochs = recipe.splits(seed), recipe.config.epochs
    if splits.validation is None:
        raise ValueError(
            f"Recipe {recipe.id!r} needs a validation split, which its control is tuned on and "
            "its curve is drawn from. Hold some of the training data out."
        )
    planned = recipe.replace(epochs=_read_plan(checkpoint, resume, epochs))
    problem, key = planned.problem(seed, splits), split_seed(seed)[1]
    fitted = fit(
        problem,
        planned.build_method(),
        epochs=epochs,
        key=key,
        callbacks=callbacks,
        patience=patience,
        progress=progress,
        checkpoint=checkpoint,
        resume=resume,
    )
    control = control_of(recipe, problem, key, seed)
    notes = [*fitted.notes, *_on_the_plan(planned, recipe, len(fitted.history))]
    return _result(recipe, fitted, control, splits, seed, notes)


def _result(
    recipe: Runnable,
    fitted: FitResult,
    control: Result | None,
    splits: Splits | Parts,
    seed: int,
    notes: Sequence[str],
) -> Result:
    details = {} if control is None else dict(control.details)
    if recipe.switched is not None:
        details["method"] = recipe.switched.name
        if has_signs(recipe.build()) and not has_signs(fitted.model):
            details["method"] += " on the smooth twin (tanh for each sign)"
        if recipe.options_from:
            details["options"] = recipe.options_from
    if notes:
        details["notes"] = list(notes)
    return Result(
        recipe=recipe.id,
        dataset=splits.name,
        seed=seed,
        history=fitted.history,
        metrics=fitted.test,
        baselines=recipe.baselines(splits),
        control=control,
        seconds=fitted.seconds,
        metric=recipe.metric,
        stopped=fitted.stopped,
        details=details,
        model=fitted.model,
    )


def _read_plan(checkpoint: str | Path | None, resume: bool, epochs: int) -> int:
    """The epochs that a run was planned for when it began; `epochs` where it begins now."""
    notes = Checkpoints(checkpoint).notes() if resume and checkpoint is not None else None
    return notes.get("planned", epochs) if isinstance(notes, dict) else epochs


def _on_the_plan(planned: Runnable, recipe: Runnable, done: int) -> list[str]:
    """Returns the notes on a run of another length than its schedule was planned for."""
    plan, epochs = planned.config.epochs, recipe.config.epochs
    if not (done > plan or done == epochs < plan) or _describe_method(planned) == _describe_method(
        recipe
    ):
        return []
    later = f"epochs {plan + 1} to {done}" if done > plan + 1 else f"epoch {done}"
    how = f"{later} ran at its last value"
    if epochs < plan:
        how = f"the run ended after {done}, before the schedule did"
    return [
        f"The schedule of learning rates was planned for {_format_epochs(plan)}: {how}. A run that "
        f"is planned for {_format_epochs(epochs)} from its beginning may come out otherwise."
    ]


def _format_epochs(epochs: int) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def _describe_method(recipe: Runnable) -> dict[str, str]:
    """Returns the contents of a method, but for the number of epochs itself."""
    lines = contents(recipe.build_method())
    return {name: lines[name] for name in lines if name.rpartition(".")[2] != "epochs"}


def control_of(recipe: Runnable, problem: Problem, key: PRNGKeyArray, seed: int) -> Result | None:
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
