"""A row of a layer map as a node, and a buffer without a row as a source.

What a row computes is what an orchestrator computes for it: messages by its modules, the local
field by its layer, the buffer by the layer's activation. The difference is in what it reads: not
the buffers as they are, but the messages that have reached it by now. Its modules learn from
just these, by their own rules, within the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, DTypeLike, Float, PRNGKeyArray, PyTree

from bionet.graph.delays import AbstractDelay, TrainableDelay
from bionet.graph.node import BaseNode
from bionet.graph.state import GraphState, InputState, StepState
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.interfaces import AbstractModule
from bionet.modules.trained import apply_trained, partition_trained

Learning = Literal["accumulate", "apply"]
"""What becomes of what a row has learned: it is added up, or applied at once."""


@final
class RowState(eqx.Module):
    """The memory of a row.

    Args:
        buffer: what it holds and sends, with the batch as leading axis.
        answer: what the last row would hold, were it not clamped; None for the others.
        learned: by sender, the sum of the pseudo-gradients so far; None if it does not
            accumulate any.
        feedback: whether it listens to those whom only the clamped phase hears.
        moving: whether it is updated; if not, it keeps sending what it holds.
        learning: a factor on what each step learns; 0 learns nothing.
    """

    buffer: Float[Array, "batch ..."]
    answer: Float[Array, "batch ..."] | None
    learned: dict[int, AbstractModule] | None
    feedback: Bool[Array, ""]
    moving: Bool[Array, ""]
    learning: Float[Array, ""]


@final
class Source(BaseNode):
    """A buffer that nothing writes: it sends what it was given, tick by tick.

    Args:
        name: of the node.
        rate: how often it sends, in Hz.
        shape: of its buffer, without the batch.
        dtype: of its buffer.
        delay: how long sending takes, in seconds or as a distribution.
    """

    def __init__(
        self,
        name: str,
        rate: float,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        delay: AbstractDelay | float = 0.0,
    ) -> None:
        super().__init__(name, rate, delay)
        self._blank = np.zeros((1, *shape), dtype)

    def init_state(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> Array:
        """Zeros; see `Network.init` and `Network.clamp`."""
        return jnp.asarray(self._blank)

    def init_output(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> Array:
        """Zeros."""
        return jnp.asarray(self._blank)

    def step(self, step_state: StepState) -> tuple[StepState, Array]:
        """Sends what it holds."""
        return step_state, step_state.state


@final
class Row(BaseNode):
    """A row of a layer map.

    Args:
        index: which row.
        lmap: the layer map, whose weights it begins with.
        senders: whom it also hears without feedback; what it hears from them makes the score,
            for the last row but what it hears from itself, whose buffer is the label.
        names: the inputs' names, by sender.
        name: of the node.
        rate: how often it is updated, in Hz.
        shape: of its buffer, without the batch.
        dtype: of its buffer.
        delay: how long an update takes, in seconds or as a distribution.
        learning: what becomes of what it learns; None if nothing learns.
        learning_rate: of what is applied at once.
    """

    def __init__(
        self,
        index: int,
        lmap: LayerMap,
        senders: frozenset[int],
        names: Mapping[int, str],
        name: str,
        rate: float,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        delay: AbstractDelay | float = 0.0,
        learning: Learning | None = None,
        learning_rate: float = 0.0,
    ) -> None:
        super().__init__(name, rate, delay)
        self._index, self._last = index, index == lmap.last
        self._modules = dict(lmap.neighbors(index))
        self._names = {j: names[j] for j in self._modules}
        self._forward = senders & set(self._modules)
        self._blank = np.zeros((1, *shape), dtype)
        self._learning, self._rate = learning, learning_rate

    def init_params(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> dict[str, Any]:
        """The modules by sender, and the delays that are trained, by sender."""
        delays = {j: self.inputs[name].delay for j, name in self._names.items()}
        trained = {j: delay for j, delay in delays.items() if isinstance(delay, TrainableDelay)}
        return {"modules": self._modules, "delays": trained}

    def init_state(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> RowState:
        """All zeros; it moves, unless it is the last row, and listens to everybody."""
        return RowState(
            buffer=jnp.asarray(self._blank),
            answer=jnp.asarray(self._blank) if self._last else None,
            learned=nothing(self._modules) if self._learning == "accumulate" else None,
            feedback=jnp.asarray(True),
            moving=jnp.asarray(not self._last),
            learning=jnp.zeros((), self._blank.dtype),
        )

    def init_output(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> Array:
        """Zeros."""
        return jnp.asarray(self._blank)

    def step(self, step_state: StepState) -> tuple[StepState, Array]:
        """Updates the buffer, and learns from what it has heard."""
        state, modules = step_state.state, step_state.params["modules"]
        sent = {j: self._sent(step_state, j) for j in modules}
        messages = self._messages(modules, sent, step_state.rng)
        layer = modules[self._index]
        score = self._score(layer, messages)
        heard = {
            j: m if j in self._forward else jnp.where(state.feedback, m, jnp.zeros_like(m))
            for j, m in messages.items()
        }
        answer = layer.activation(layer.reduce(heard))
        buffer = jnp.where(state.moving, answer, state.buffer)
        if self._learning is not None:
            step_state = self._learn(step_state, sent, buffer, score)
        state = eqx.tree_at(lambda s: s.buffer, step_state.state, buffer)
        if self._last:
            state = eqx.tree_at(lambda s: s.answer, state, answer)
        return step_state.replace(state=state), buffer

    def _sent(self, step_state: StepState, sender: int) -> Array:
        """Returns what has arrived of a sender's buffer: the mean of the window."""
        seen: InputState = step_state.inputs[self._names[sender]]
        delay = step_state.params["delays"].get(sender)
        if delay is not None:
            return delay(seen, step_state.ts)
        return seen.data[0] if len(seen) == 1 else seen.data.mean(0)

    def _messages(
        self, modules: Mapping[int, AbstractModule], sent: Mapping[int, Array], rng: PRNGKeyArray
    ) -> dict[int, Array]:
        keys = {j: jax.random.fold_in(rng, j) if m.needs_key else None for j, m in modules.items()}
        return {j: module(sent[j], keys[j]) for j, module in modules.items()}

    def _score(self, layer: Any, messages: Mapping[int, Array]) -> Array:
        """Returns the score of the target, see `bionet.orchestrators.messages.score`."""
        scoring = self._forward - {self._index} if self._last else self._forward
        heard = {j: m for j, m in messages.items() if j in scoring}
        return layer.reduce(heard or {self._index: jnp.zeros_like(messages[self._index])})

    def _learn(
        self, step_state: StepState, sent: Mapping[int, Array], target: Array, score: Array
    ) -> StepState:
        """The step state with what the rules say, added up or applied, if it learns now."""
        modules, factor = step_state.params["modules"], step_state.state.learning

        def said(old: PyTree, scale: Array) -> PyTree:
            new = {j: m.unchecked_backward(sent[j], target, score) for j, m in modules.items()}
            return jax.tree.map(lambda a, b: a + scale * b, old, partition_trained(new)[0])

        if self._learning == "accumulate":
            old, rest = partition_trained(step_state.state.learned)
            new = jax.lax.cond(factor != 0, lambda: said(old, factor), lambda: old)
            learned = eqx.combine(new, rest)
            return step_state.replace(
                state=eqx.tree_at(lambda s: s.learned, step_state.state, learned)
            )
        zeros = partition_trained(nothing(modules))[0]
        scale = -self._rate * factor
        updates = jax.lax.cond(factor != 0, lambda: said(zeros, scale), lambda: zeros)
        return step_state.replace(
            params=step_state.params | {"modules": apply_trained(modules, updates)}
        )


def nothing(modules: Mapping[int, AbstractModule]) -> dict[int, AbstractModule]:
    """Pseudo-gradients that teach nothing."""
    arrays, static = eqx.partition(dict(modules), eqx.is_array)
    return eqx.combine(jax.tree.map(jnp.zeros_like, arrays), static)
