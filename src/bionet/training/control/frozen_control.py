"""A frozen control: gathered once, solved for each penalty, chosen on validation data, judged once.

A random layer with a good readout is a strong learner by itself, so a method that trains hidden
layers has shown something only where it beats this. Whichever way the hidden layers are frozen, the
readout is the ridge regression of the targets on what it listens to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from bionet.training.checks.health import comparable
from bionet.training.control.ridge import search_ridge
from bionet.training.control.softmax_readout import SoftmaxFit
from bionet.training.evaluate import evaluate
from bionet.training.fit import fit
from bionet.training.method import AbstractMethod, TrainState
from bionet.training.problem import Problem

Hidden = Literal["dynamics", "feed-forward"]


@final
@dataclass(frozen=True)
class FrozenControl:
    """A network whose hidden layers stay at their random start, with the best readout.

    Attributes:
        model: with its readout.
        hidden: how the hidden layers answer: "dynamics" or "feed-forward", the better of the
            two for an orchestrator; "features" for a model with a linear readout, or
            "feed-forward" where it can be had without recurrence and does better so; "trained"
            where the readout was not solved but trained by the recipe's own method.
        ridge: the penalty that validation chose; NaN for a readout that was trained.
        validation: its loss and metric on the validation split.
        test: the same on the test split; empty where there is none.
        softmax: where targets are class numbers, the softmax readout on the same features that
            the loss is of; the metric and the model are those of the ridge.
    """

    model: PyTree
    hidden: Hidden | Literal["features", "trained"]
    ridge: float
    validation: dict[str, float]
    test: dict[str, float]
    softmax: SoftmaxFit | None = None


def gather_sums(problem: Problem, method: AbstractMethod, key: PRNGKeyArray) -> TrainState:
    """Runs a method that solves its readout over every training batch, once.

    No other split is looked at.
    """
    untested = replace(problem, validation=None, test=None)
    return fit(untested, method, epochs=1, key=key, progress=False).train_state


def with_ridge(method: Any, ridge: float) -> Any:
    """The method with another penalty."""
    return eqx.tree_at(lambda one: one.ridge, method, jnp.asarray(ridge, jnp.float32))


def solve_control(
    problem: Problem,
    method: AbstractMethod,
    hidden: Hidden | Literal["features"],
    key: PRNGKeyArray,
    ridges: Sequence[float] | None,
) -> FrozenControl:
    """Finds the best ridge readout of one frozen model, by validation data.

    Args:
        problem: with the untrained model, and a validation split.
        method: solves the readout; it has a leaf `ridge`.
        hidden: how the hidden layers answer.
        key: of the order of the batches, and of modules that use randomness.
        ridges: the penalties to choose from; see `search_ridge`.
    """
    sums = gather_sums(problem, method, key)
    solved = search_ridge(
        problem, lambda ridge: with_ridge(method, ridge).finish(sums), key, ridges
    )
    return FrozenControl(solved.model, hidden, solved.ridge, solved.validation, {})


def choose_control(problem: Problem, controls: Sequence[FrozenControl]) -> FrozenControl:
    """The control that does best on validation data; the first one of equals."""
    return max(controls, key=lambda one: comparable(one.validation[problem.metric_name]))


def judge_control(problem: Problem, control: FrozenControl, key: PRNGKeyArray) -> FrozenControl:
    """The control with its numbers on the test split, where there is one."""
    if problem.test is None:
        return control
    return replace(control, test=evaluate(problem, control.model, problem.test, key))
