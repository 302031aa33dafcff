"""An objective as the losses that the functions of this package take: as it is, or smooth."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, SurrogateDirection
from bionet.training.checks.guards import check_descent
from bionet.training.first_order.twin import smooth_twin, unroll
from bionet.training.method import MethodSpec
from bionet.training.objective import Objective


@final
class LossOnBatch(eqx.Module):
    """An objective as the loss that the functions of this package take."""

    objective: Objective

    def __call__(self, model: PyTree, *batch: Array, key: PRNGKeyArray) -> Float[Array, ""]:
        """The loss of `model` on `batch`."""
        return self.objective(model, batch, key)


@final
class TwinLoss(eqx.Module):
    """The same for a derivative: of a network of signs, the loss of its smooth twin.

    Args:
        objective: the true loss. If its predictor is a `FreeReadout`, all its steps are run.
        gain: the steepness of the twin's tanh, in place of each sign.
    """

    objective: Objective
    gain: Float[Array, ""]

    def __init__(self, objective: Objective, gain: ArrayLike = 1.0) -> None:
        self.objective = Objective(unroll(objective.predict), objective.loss)
        self.gain = jnp.asarray(gain, jnp.float32)

    def __call__(self, model: PyTree, *batch: Array, key: PRNGKeyArray) -> Float[Array, ""]:
        """The loss of the twin of `model` on `batch`."""
        return self.objective(smooth_twin(model, self.gain), batch, key)


def check_bulk(
    spec: MethodSpec, bulk: Direction, model: PyTree, batch: tuple[Array, ...], key: PRNGKeyArray
) -> None:
    """Refuses an objective that is its own stand-in and has no gradient.

    What another stand-in is good for, nobody but its author knows.

    Args:
        spec: of the method.
        bulk: its cheap direction.
        model: as it is trained.
        batch: inputs and targets.
        key: of what is random.

    Raises:
        ValueError: such an objective.
    """
    if isinstance(bulk, SurrogateDirection) and isinstance(bulk.loss, TwinLoss):
        twin = smooth_twin(model, bulk.loss.gain)
        check_descent(spec, bulk.loss.objective, twin, batch, key)
