"""Spiking units that talk to each other: weights from the input, recurrent weights, and a neuron.

`over_time` runs a whole sequence by `bionet.kernels.spikes_through_time`, whose gradient is
written by hand for speed and memory. Such a rule has no forward mode; who needs one scans the
cell itself with `jax.lax.scan`, which gives the same.
"""

from __future__ import annotations

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet.kernels.spikes_through_time import Parts, spikes_through_time, step
from bionet.modules.parameters import gaussian, width
from bionet.modules.through_time.cells import AbstractSequenceCell, Shape
from bionet.modules.through_time.spiking import AbstractNeuron


@final
class RecurrentSpiking(AbstractSequenceCell):
    """A layer of spiking units with weights from its input and between its own units.

    The current into the neuron is `x[t] @ W + z[t-1] @ J + bias`, with its own spikes z of the
    step before. The state is that of the neuron.

    Args:
        in_features: units that it listens to.
        features: units of the layer.
        neuron: `LIF(features)`, `AdaptiveLIF(features)` or another `AbstractNeuron`.
        key: of the weights, which are `strength * N(0, 1) / sqrt(fan-in)`.
        input_strength: the scale of `W`.
        recurrent_strength: the scale of `J`, the unit's coupling to itself included.
        bias: whether there is one; it begins at 0.
        dtype: of weights and bias; give the neuron the same.

    Raises:
        ValueError: a width that is no positive int, or not that of the neuron.
        TypeError: a neuron that is none, or of another dtype.

    Example:
        ```python
        import jax
        from bionet.modules import AdaptiveLIF, RecurrentSpiking, over_time

        key = jax.random.key(0)
        layer = RecurrentSpiking(20, 32, AdaptiveLIF(32), key, input_strength=3.0)
        xs = jax.random.bernoulli(key, 0.2, (50, 8, 20)).astype("float32")
        spikes, state = over_time(layer, xs)
        print(spikes.shape, spikes.mean())
        ```

    Source:
        Bellec et al. (2018) [bellec2018long]; Zenke and Vogels (2021).
    """

    W: Float[Array, "inputs units"]
    J: Float[Array, "units units"]
    bias: Float[Array, " units"] | None
    neuron: AbstractNeuron
    in_features: int = eqx.field(static=True)
    features: int = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        features: int,
        neuron: AbstractNeuron,
        key: PRNGKeyArray,
        *,
        input_strength: ArrayLike = 1.0,
        recurrent_strength: ArrayLike = 1.0,
        bias: bool = True,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "RecurrentSpiking"
        n_in = self.in_features = width(owner, "in_features", in_features)
        n = self.features = width(owner, "features", features)
        self.neuron = _fitting(owner, neuron, n, dtype)
        keys = jax.random.split(key)
        self.W = gaussian(keys[0], n_in, n, input_strength, dtype)
        self.J = gaussian(keys[1], n, n, recurrent_strength, dtype)
        self.bias = jnp.zeros(n, dtype) if bias else None

    def __call__(
        self, x: Float[Array, "*batch inputs"], state: Any
    ) -> tuple[Float[Array, "*batch units"], Any]:
        """The spikes of this step, and the neuron's state."""
        return step(self._parts, x.astype(self.W.dtype) @ self.W, state)

    def over_time(
        self, xs: Float[Array, "time *batch inputs"], state: Any, *, unroll: int = 1
    ) -> tuple[Float[Array, "time *batch units"], Any]:
        """The spikes of all steps, and the neuron's state after the last."""
        batch = xs.shape[1:-1]
        flat = xs.reshape(len(xs), -1, self.in_features).astype(self.W.dtype)
        rows = jax.tree.map(lambda leaf: leaf.reshape(-1, leaf.shape[-1]), state)
        spikes, rows = spikes_through_time(self._parts, flat, rows, unroll)
        state = jax.tree.map(lambda leaf: leaf.reshape(*batch, leaf.shape[-1]), rows)
        return spikes.reshape(*xs.shape[:-1], self.features), state

    @property
    def _parts(self) -> Parts:
        return Parts(self.W, self.J, self.bias, self.neuron)

    def initial(self, batch_shape: Shape = ()) -> Any:
        """The neuron's own beginning."""
        return self.neuron.initial(batch_shape)

    def trained(self) -> dict[str, bool | Array]:
        """Both matrices, the bias, and what learns in the neuron."""
        named: dict[str, bool | Array] = {"W": True, "J": True, "neuron": True}
        return named if self.bias is None else named | {"bias": True}


def _fitting(owner: str, neuron: Any, features: int, dtype: DTypeLike) -> AbstractNeuron:
    if not isinstance(neuron, AbstractNeuron):
        raise TypeError(
            f"{owner}: neuron needs to be an AbstractNeuron, such as LIF({features}), got "
            f"{neuron!r}."
        )
    name = type(neuron).__name__
    if neuron.features != features:
        raise ValueError(
            f"{owner}: needs a neuron of {features} units, got a {name} of {neuron.features}."
        )
    states = jax.tree.leaves(jax.eval_shape(neuron.initial))
    if any(leaf.dtype != dtype for leaf in states):
        raise TypeError(
            f"{owner}: has the dtype {jnp.dtype(dtype)}, its {name} {states[0].dtype}. Give both "
            "the same."
        )
    return neuron
