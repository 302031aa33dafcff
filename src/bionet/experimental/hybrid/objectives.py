"""An objective as the losses that the functions of this package take: as it is, or smooth."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.training.objective import Objective
from bionet.training.twin import smooth_twin, unrolled


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
        self.objective = Objective(unrolled(objective.predict), objective.loss)
        self.gain = jnp.asarray(gain, jnp.float32)

    def __call__(self, model: PyTree, *batch: Array, key: PRNGKeyArray) -> Float[Array, ""]:
        """The loss of the twin of `model` on `batch`."""
        return self.objective(smooth_twin(model, self.gain), batch, key)
