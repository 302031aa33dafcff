"""How a network of binary units answers: it settles freely, and its output row is read."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.settle import settle
from bionet.rules.perceptron import margin_hinge
from bionet.rules.softmax import cross_entropy
from bionet.states.sequential import SequentialState


@final
class FreeReadout(eqx.Module):
    """`predict` of a `Problem` for orchestrators: clamp `x`, settle freely, read the output.

    Args:
        state: gives the sizes of the buffers.
        steps: the most steps of the free phase; it stops before if nothing changes.
    """

    state: SequentialState
    steps: int = eqx.field(static=True)

    def __call__(
        self, model: AbstractOrchestrator, x: Float[Array, "n ..."], key: PRNGKeyArray
    ) -> Float[Array, "n ..."]:
        """The output buffer after the free phase: a score per class."""
        state = self.state.init(x)
        state, _ = settle(model, state, rng=key, max_steps=self.steps, phase="free")
        state, _ = model.predict(state, key)
        return state.readout


@final
class ReadoutHinge(eqx.Module):
    """`loss` of a `Problem` whose readout learns by margins: the mean margin hinge.

    Args:
        margin: the margin asked for, in units of the readout's local field.
    """

    margin: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def __call__(self, outputs: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
        """The mean of `max(0, margin - y * outputs)` over samples and units."""
        return margin_hinge(y, outputs, self.margin)


def readout_cross_entropy(outputs: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    """`loss` of a `Problem` whose readout learns by the softmax delta rule, for one-vs-all `y`."""
    return cross_entropy(y, outputs)


def accuracy(outputs: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    """The share of examples whose highest score is at the target's highest value."""
    return jnp.mean(outputs.argmax(-1) == y.argmax(-1))
