"""The smooth twin of a network of signs: the same weights and couplings, tanh for each sign.

A sign has no slope, so a gradient through it is zero. Who wants to hold gradient descent
against a local rule on the same network trains its twin, in which every layer of signs has
become one of tanh units and nothing else has changed. A twin is another network: it is
evaluated as it was trained, and whoever reports its numbers says that they are the twin's.
"""

from __future__ import annotations

from typing import Any, Final, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.interfaces import AbstractLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.sparse import SparseRecurrentDiscrete
from bionet.modules.wrapper import AbstractLayerWrapper, AbstractLearningWrapper
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import clamped_messages
from bionet.states.sequential import SequentialState
from bionet.training.local.readout import FreeReadout
from bionet.training.problem import Predict

SIGNS: Final = (RecurrentDiscrete, RecurrentDiscrete2D, SparseRecurrentDiscrete)
"""The layers whose activation is a sign."""


@final
class SmoothLayer(AbstractLayerWrapper, AbstractLearningWrapper):
    """A layer of signs with its own weights, messages and rule, whose units are graded.

    Args:
        inner: a layer whose activation is a sign.
        gain: the steepness: the activity is `tanh(gain * local_field)`.
    """

    inner: AbstractLayer
    gain: Float[Array, ""]
    sender_shape: tuple[int, ...] | None = eqx.field(static=True)
    receiver_shape: tuple[int, ...] | None = eqx.field(static=True)
    needs_key: bool = eqx.field(static=True)

    def __init__(self, inner: AbstractLayer, gain: ArrayLike = 1.0) -> None:
        self.inner, self.needs_key = inner, inner.needs_key
        self.gain = jnp.array(gain)  # of its own: an epoch works in the arrays of a model
        self.sender_shape, self.receiver_shape = inner.sender_shape, inner.receiver_shape

    def activation(self, local_field: Array) -> Array:
        """The tanh of the gain times the local field."""
        return jnp.tanh(self.gain.astype(local_field.dtype) * local_field)

    def inner_backward(self, x: Array, y: Array, y_hat: Array, gate: Array | None) -> Any:
        """The pseudo-gradient of the rule inside, which asks for the sign of a graded target."""
        return self.inner.backward(x, jnp.where(y >= 0, 1.0, -1.0).astype(y.dtype), y_hat, gate)


def has_signs(model: PyTree) -> bool:
    """Returns whether a gradient through the model would stop at a layer of signs."""
    return any(isinstance(node, SIGNS) for node in _nodes(model))


def smooth_twin(model: PyTree, gain: ArrayLike = 1.0) -> PyTree:
    """The model with tanh in place of each sign; any other model comes back as it is.

    Args:
        model: an orchestrator, or a model that holds one.
        gain: the steepness of every tanh.

    Example:
        ```python
        from bionet import zoo
        from bionet.training import smooth_twin

        twin = smooth_twin(zoo.get("prototypes-local").build())
        print(type(twin.lmap[1, 1]).__name__, type(twin.lmap[1, 1].inner).__name__)
        ```
    """
    return jax.tree.map(
        lambda node: SmoothLayer(node, gain) if isinstance(node, SIGNS) else node,
        model,
        is_leaf=_stop,
    )


@final
class UnrolledReadout(eqx.Module):
    """`FreeReadout` in a number of steps that is known beforehand, as reverse mode needs it.

    A step that changes nothing repeats itself, so for signs the answer is the same.
    """

    state: SequentialState
    steps: int = eqx.field(static=True)

    def __call__(
        self, model: AbstractOrchestrator, x: Float[Array, "n ..."], key: PRNGKeyArray
    ) -> Float[Array, "n ..."]:
        """The output buffer after all steps of the free phase."""
        settling, answering = jax.random.split(key)
        state = self.state.place(x)
        known = clamped_messages(model.lmap, state, "forward")
        step = model.stepper("forward", known)
        carry, _ = jax.lax.scan(
            lambda carry, _: (step(*carry), None), (state, settling), length=self.steps
        )
        state, _ = model.predict(carry[0], answering, check=False)
        return state.readout


def unroll(predict: Predict) -> Predict:
    """The predictor with all its steps, if it is one that may stop early; else itself."""
    if isinstance(predict, FreeReadout):
        return UnrolledReadout(predict.state, predict.steps)
    return predict


def _stop(node: Any) -> bool:
    return isinstance(node, (*SIGNS, SmoothLayer))


def _nodes(model: PyTree) -> list[Any]:
    return jax.tree.leaves(model, is_leaf=_stop)
