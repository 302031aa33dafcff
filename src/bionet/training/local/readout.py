"""The answer of a network of binary units: it settles freely, and its output row is read."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Num, PRNGKeyArray

from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.settle import settle
from bionet.rules.perceptron import margin_hinge
from bionet.rules.softmax import cross_entropy
from bionet.rules.targets import class_numbers
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
        """The output buffer after the free phase: a score per class.

        Values are not checked here, nor under a `jit` of your own; `fit` and `evaluate` do.
        """
        state = self.state.place(x)
        state, _ = settle(model, state, rng=key, max_steps=self.steps, phase="free")
        state, _ = model.predict(state, key, check=False)
        return state.readout


@final
class ReadoutHinge(eqx.Module):
    """`loss` of a `Problem` whose readout learns by margins: the mean margin hinge.

    Targets are in {-1, +1}, or class numbers; see `bionet.rules.targets` for others.

    Args:
        margin: the margin asked for, in units of the readout's local field.
    """

    margin: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def __call__(self, outputs: Float[Array, "n k"], y: Num[Array, "..."]) -> Float[Array, ""]:
        """The mean of `max(0, margin - y * outputs)` over samples and units."""
        return margin_hinge(y, outputs, self.margin)


def readout_cross_entropy(
    outputs: Float[Array, "*samples k"], y: Num[Array, "..."]
) -> Float[Array, ""]:
    """`loss` of a `Problem` whose readout learns by the softmax delta rule.

    Args:
        outputs: a score for each class.
        y: class numbers, integers without the axis of the classes; or rows in {-1, +1} with
            one +1; chances p, smoothed labels for example, as `2 * p - 1`. Outside of a trace
            rows in {0, 1} and chances are read as they are, see `bionet.rules.targets`.

    Raises:
        ValueError: targets of another shape.
    """
    return cross_entropy(y, outputs)


def accuracy(outputs: Float[Array, "*samples k"], y: Num[Array, "..."]) -> Float[Array, ""]:
    """The share of examples whose highest score is at the class.

    Args:
        outputs: a score for each class.
        y: class numbers, integers without the axis of the classes; or rows whose highest
            entry is at the class.

    Raises:
        ValueError: targets of another shape, or outputs for a single class.
    """
    return jnp.mean(outputs.argmax(-1) == class_numbers("accuracy", y, outputs))
