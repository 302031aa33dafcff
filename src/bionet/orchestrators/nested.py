"""An orchestrator inside a module: a whole network is one node of another.

The node's buffer in the outer state is the inner state in one row,

    [inner input | hidden rows ... | inner readout],

so it persists from one outer step to the next, and settling, saving and batching treat it
like any other buffer. An outer step of the node runs some inner steps and reads the inner
answer. What the outer network says to the node arrives in the inner input; what it hears is
a part of the buffer, most often the readout. A `Port` brings an adapter to either.

Inside, every edge learns by its own rule, in the outer network's `backward`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.layer_maps.senders import Senders, check_senders
from bionet.modules.activations import hard_sign, sum_messages
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractLayer, reverse_sign
from bionet.modules.parameters import width as positive_int
from bionet.modules.port import Span
from bionet.modules.shapes import check_buffer
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import check_state, clamped_messages
from bionet.states.sequential import SequentialState

_OWNER = "NestedNetwork"


@final
class NestedNetwork(AbstractLayer):
    """A layer whose activation is a run of a whole network.

    It is the right one where a part of a network has a wiring and a time of its own: columns
    with a fast circuit in each and slow connections between them, or a network that exists
    already and becomes one area of a larger one.

    One outer step does this. The messages to the node are summed up. Those into the inner
    input (and into other inner buffers without a row) are what the inner network is clamped
    to, as they are. Hidden rows go on from what they hold; a message into one of them is
    added to it before the first inner step. Then `steps` inner steps run, and the inner
    answer is written into the readout. A readout of units with a state, `RecurrentDiscrete`
    for example, goes on from that state. An `OutputLayer` has none: while the inner steps
    run, its buffer holds only what the outer network sends there, a label for example.

    In the outer `backward`, the inner network learns at the inner state that the buffer
    holds, as it would by itself. The target of its last row is the readout: units with a
    state learn to be told it by the rows before them, since what a last row says to itself is
    no part of its score, and what an `OutputLayer` has said is held by its signs. The inner
    input is no row of units and has no sign to hold, so what drives it should not learn: let
    a row of the outer network learn, and copy its buffer into the node.

    A node that alternates with a period that divides `steps` looks settled from outside.

    Args:
        inner: the network; none of its modules may need a key, since no activation gets one.
        sizes: of the inner buffers, as `SequentialState` takes them.
        steps: inner steps in one outer step.
        senders: whom the inner rows listen to in them.

    Raises:
        TypeError: `inner` is no orchestrator.
        ValueError: sizes that do not fit, a number of steps that is no positive int, an
            unknown group of senders, an inner module that uses randomness.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FullyConnected, LayerMap, NestedNetwork, OutputLayer, Port
        from bionet import RecurrentDiscrete, SequentialOrchestrator, SequentialState

        k = jax.random.split(jax.random.key(0), 5)
        inside = {
            1: {0: FullyConnected(4, 8, 1.0, 0.5, k[0]), 1: RecurrentDiscrete(8, 0.5, 0.5, k[1])},
            2: {1: FullyConnected(8, 3, 1.0, 0.5, k[2]), 2: RecurrentDiscrete(3, 0.5, 0.5, k[3])},
        }
        inner = SequentialOrchestrator(layers=LayerMap.from_dict(inside))
        node = NestedNetwork(inner, sizes=(4, 8, 3), steps=5)
        answer = Port(FullyConnected(3, 2, 1.0, 0.5, k[4]), hears=node.span(-1))
        outside = {1: {0: Port(drives=node.span(0)), 1: node}, 2: {1: answer, 2: OutputLayer()}}
        network = SequentialOrchestrator(layers=LayerMap.from_dict(outside))
        state = SequentialState((4, node.width, 2)).init(jnp.ones((5, 4)))
        state, _ = network.step(state, rng=None)
        print(node.width, node.unpack(state[1])[-1].shape)
        ```
    """

    inner: AbstractOrchestrator
    sizes: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    senders: Senders = eqx.field(static=True)
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        inner: AbstractOrchestrator,
        sizes: Sequence[int | Sequence[int]],
        *,
        steps: int = 1,
        senders: Senders = "all",
    ) -> None:
        if not isinstance(inner, AbstractOrchestrator):
            raise TypeError(f"{_OWNER}: inner needs an orchestrator, got {type(inner).__name__}.")
        self.inner, self.sizes = inner, _fitting_sizes(inner, sizes)
        self.steps = positive_int(_OWNER, "steps", steps)
        self.senders = check_senders(senders)
        self.sender_shape = self.receiver_shape = (int(sum(map(np.prod, self.sizes))),)
        for (i, j), module in inner.lmap.edge_items():
            if module.needs_key:
                raise ValueError(
                    f"{_OWNER}: inner edge ({i}, {j}) uses randomness, but an activation is given "
                    "no key; put this module into the outer network."
                )

    @property
    def width(self) -> int:
        """The number of units of the buffer, all inner buffers together."""
        return self.sender_shape[0]

    def span(self, index: int) -> Span:
        """Returns the place of an inner buffer; 0 is the inner input, -1 the inner readout.

        Raises:
            IndexError: there is no such inner buffer.
        """
        count = len(self.sizes)
        if not -count <= index < count:
            raise IndexError(f"{_OWNER}: inner buffers are 0 to {count - 1}, but not {index}.")
        units = [int(np.prod(size)) for size in self.sizes]
        position = index % count
        return Span(sum(units[:position]), self.sizes[position], self.width)

    def unpack(self, buffer: Float[Array, "n width"]) -> SequentialState:
        """The inner state that the node's buffer holds."""
        check_buffer(_OWNER, "its buffer", buffer, self.sender_shape)
        state = SequentialState(self.sizes, buffer.dtype)
        for index in range(len(state)):
            state = state.replace(index, self.span(index).of(buffer))
        return state

    def pack(self, state: SequentialState) -> Float[Array, "n width"]:
        """The buffer that holds an inner state."""
        batch = state[0].shape[0]
        return jnp.concatenate([state[i].reshape(batch, -1) for i in range(len(state))], axis=-1)

    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """Returns what the node keeps of itself: hidden rows, and a readout that has a state."""
        check_buffer(_OWNER, "its buffer", x, self.sender_shape)
        last = self.inner.lmap.last
        kept = [
            np.full(
                np.prod(size),
                index in self.inner.lmap and not (index == last and self._readout_is_said),
            )
            for index, size in enumerate(self.sizes)
        ]
        return jnp.where(np.concatenate(kept), x, jnp.zeros_like(x))

    def reduce(self, messages: Mapping[int, Array]) -> Array:
        """The sum of the messages: what is kept, and what the others send into each part."""
        return sum_messages(messages)

    def activation(self, local_field: Array) -> Array:
        """The buffer after some inner steps from there, with the inner answer."""
        state = self.unpack(local_field)
        return self.pack(_run(self.inner, state, self.steps, self.senders))

    def trained(self) -> dict[str, bool | Array]:
        """Returns the trained leaves inside."""
        learning = any(module.trained() for _, module in self.inner.lmap.edge_items())
        return {"inner": True} if learning else {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Any]:
        """Returns the inner increments at the state `x` for targets `y`, as an orchestrator."""
        return self._increments(x, y, gate, check=True)

    def unchecked_backward(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> Self:
        """`backward` without a look of the inner network at its labels and local fields."""
        return self._descending(self._increments(x, y, gate, check=False))

    def _increments(self, x: Array, y: Array, gate: Array | None, *, check: bool) -> dict[str, Any]:
        if not self.trained():
            return {}
        state, targets = self._learn(x), self._learn(y)
        gradient = self.inner.backward(state, targets=targets, gate=gate, check=check)
        return {"inner": reverse_sign(gradient)}

    def _learn(self, buffer: Array) -> SequentialState:
        """The inner state as the rules see it, with signs for what is said."""
        state = self.unpack(buffer)
        return state.replace(-1, hard_sign(state[-1])) if self._readout_is_said else state

    @property
    def _readout_is_said(self) -> bool:
        """True if the readout is an `OutputLayer`'s, which is no state."""
        last = self.inner.lmap.last
        return isinstance(self.inner.lmap[last, last], OutputLayer)


@eqx.filter_jit
def _run(
    inner: AbstractOrchestrator, state: SequentialState, steps: int, senders: Senders
) -> SequentialState:
    step = inner.stepper(senders, clamped_messages(inner.lmap, state, senders))
    state = jax.lax.fori_loop(0, steps, lambda _, held: step(held, None)[0], state)
    # A look for NaN in each step would be dear; the outer network looks at the end.
    return inner.predict(state, check=False)[0]


def _fitting_sizes(
    inner: AbstractOrchestrator, sizes: Sequence[int | Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    leaves = jax.tree.leaves(eqx.filter(inner, eqx.is_inexact_array))
    state = SequentialState(sizes, leaves[0].dtype if leaves else jnp.float32)
    try:
        check_state(inner.lmap, state)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{_OWNER}: sizes do not fit the inner network. {error}") from None
    return state.sizes
