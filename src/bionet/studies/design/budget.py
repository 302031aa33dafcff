"""A training budget as steps: how many there are, and what each of them costs.

`fit` counts epochs. Here a budget in examples or evaluations becomes a number of epochs of a
number of steps, known before the first one, so that two arms with very different steps stop at
the same cost, and a run that is repeated stops where it stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from bionet.studies.design.protocol import Budget
from bionet.training.batches import AbstractBatches, Batch
from bionet.training.method import AbstractMethod

ENDLESS = 10**9
"""Epochs of a budget in seconds, which the clock ends."""


@final
class ShortEpochs(AbstractBatches):
    """The first batches of each epoch of another source, which orders all its data anew each time.

    Args:
        inner: the source.
        num_batches: how many batches an epoch has.
    """

    inner: AbstractBatches
    num_batches: int = eqx.field(static=True)

    def __init__(self, inner: AbstractBatches, num_batches: int) -> None:
        self.inner, self.num_batches = inner, num_batches

    def plan(self, key: PRNGKeyArray) -> PyTree:
        """The plan of a whole epoch."""
        return self.inner.plan(key)

    def batch(self, plan: PyTree, index: Int[Array, ""]) -> Batch:
        """Batch number `index` of the whole epoch."""
        return self.inner.batch(plan, index)


@final
@dataclass(frozen=True)
class Pace:
    """The pace at which a budget is spent.

    Attributes:
        epochs: how many, the last one included.
        steps: in each of them.
        passes: over the data in all, rounded; what a schedule of learning rates is made for.
    """

    epochs: int
    steps: int
    passes: int


def cut_budget(budget: Budget, batches: AbstractBatches, examples: int, evaluations: float) -> Pace:
    """Epochs and steps of a budget; see `Budget` for how they are cut.

    Args:
        budget: how much.
        batches: what is learned from.
        examples: in a batch.
        evaluations: in a step.
    """
    whole = batches.num_batches
    most = min(budget.steps or whole, whole)
    if budget.unit == "seconds":
        return Pace(ENDLESS, most, 0)
    per_step = {"epochs": 1 / whole, "examples": examples, "evaluations": evaluations}[budget.unit]
    steps = max(math.ceil(round(budget.amount / per_step, 6)), 1)
    epochs = math.ceil(steps / most)
    return Pace(epochs, math.ceil(steps / epochs), max(round(steps / whole), 1))


def batch_examples(batches: AbstractBatches) -> int:
    """Returns the number of examples of a batch."""
    shapes = eqx.filter_eval_shape(
        lambda key: batches.batch(batches.plan(key), jnp.asarray(0)), jax.random.key(0)
    )
    return int(jax.tree.leaves(shapes)[0].shape[0])


def beside(method: AbstractMethod) -> int:
    """Passes over the batch that a step takes and that its metrics do not count.

    Methods that draw members of a population tell their number, and take no other pass. All the
    others take one: a gradient, or a local rule with its phases; a hybrid takes it and tells the
    members beside.
    """
    return 0 if method.spec.family == "zeroth-order" else 1


def evaluations_per_step(method: AbstractMethod, model: Any, batches: AbstractBatches) -> float:
    """Passes of a network over the batch in one step of a method."""

    @eqx.filter_jit
    def told(method: AbstractMethod, model: Any, batches: AbstractBatches) -> dict[str, Array]:
        # All but the number itself is dead code to the compiler.
        key = jax.random.key(0)
        batch = batches.batch(batches.plan(key), jnp.asarray(0))
        metrics = method.step(method.init(model, key), batch, key)[1]
        return {name: metrics[name] for name in ("evaluations",) if name in metrics}

    found = told(method, model, batches)
    return max(float(found.get("evaluations", 0)) + beside(method), 1)
