"""The state of a running graph: what a step is given, what lives on, and what is recorded.

A step gets a `StepState`; everything that lives on between two steps is in one `GraphState`. The
schedule is in neither of them: it is in tables that are made once, see
`bionet.graph.schedule.timings`. All of these are immutable pytrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, final

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree


@final
class Window(eqx.Module):
    """The messages that a step sees on one connection, by number, the oldest first.

    Args:
        seq: the sender's steps; -1 is the output that the sender had before its first step.
        ts_sent: when each was sent, in ticks; 0 where seq is -1.
        ts_recv: when each arrived, in ticks; 0 where seq is -1.
    """

    seq: Int[Array | np.ndarray, "*batch window"]
    ts_sent: Int[Array | np.ndarray, "*batch window"]
    ts_recv: Int[Array | np.ndarray, "*batch window"]


@final
class InputState(eqx.Module):
    """The input of a step on one connection: the last messages, the oldest first.

    `inputs[-1]` is the newest message, `inputs[-2:]` the newest two, and `.data` what they say.

    Args:
        seq: the sender's steps; -1 is the output that the sender had before its first step.
        ts_sent: when each was sent, in ticks; 0 where seq is -1.
        ts_recv: when each arrived, in ticks; 0 where seq is -1.
        data: the messages, a pytree with a leading axis of the window.
    """

    seq: Int[Array, " window"]
    ts_sent: Int[Array, " window"]
    ts_recv: Int[Array, " window"]
    data: PyTree[Array]

    def __getitem__(self, index: int | slice) -> Self:
        """Some of the messages; an int takes the axis of the window away."""
        return jax.tree.map(lambda leaf: leaf[index], self)

    def __len__(self) -> int:
        """Returns the number of messages in the window."""
        return self.seq.shape[-1]


@final
class StepState(eqx.Module):
    """The input of a node's step, which it gives back changed.

    Args:
        rng: a key for this step alone. A step need not give a fresh one back.
        seq: the number of this step.
        ts: when it starts, in ticks.
        params: the node's parameters, which stay unless the step changes them.
        state: the node's state.
        inputs: the windows of its connections, by the input's name.
        eps: the episode.
    """

    rng: PRNGKeyArray
    seq: Int[Array, ""]
    ts: Int[Array, ""]
    params: PyTree
    state: PyTree
    inputs: dict[str, InputState]
    eps: Int[Array, ""] | int = 0

    def replace(self, **changed: Any) -> Self:
        """The same with some fields changed."""
        return _replace(self, changed)


@final
class GraphState(eqx.Module):
    """All that a network remembers between two steps of its supervisor.

    Args:
        eps: the episode whose schedule it follows.
        step: how many steps of the supervisor are behind it.
        rng: a key per node.
        params: the parameters, by the node's name.
        state: the states, by the node's name.
        inputs: the windows before the first message, by the node's name and the input's.
        buffer: by the node's name, its last outputs along a leading axis, the newest in the last
            row. Before its first step, all rows hold the output that it begins with.
        aux: what is carried along and means nothing to the network, `aux["record"]` for one.
    """

    eps: Int[Array, ""]
    step: Int[Array, ""]
    rng: dict[str, PRNGKeyArray]
    params: dict[str, PyTree]
    state: dict[str, PyTree]
    inputs: dict[str, dict[str, InputState]]
    buffer: dict[str, PyTree[Array]]
    aux: dict[str, Any]

    def replace(self, **changed: Any) -> Self:
        """The same with some fields changed."""
        return _replace(self, changed)


@final
class NodeRecord(eqx.Module):
    """The record of one node, indexed by the number of the step, padded with -1.

    Args:
        params: the parameters, once.
        rng: the key before each step.
        inputs: the windows that each step saw, by the input's name.
        state: the state before each step.
        output: what each step sent.

    What is not recorded is None.
    """

    params: PyTree = None
    rng: PyTree = None
    inputs: PyTree = None
    state: PyTree = None
    output: PyTree = None


def _replace(tree: Any, changed: Mapping[str, Any]) -> Any:
    known = {field: getattr(tree, field) for field in tree.__dataclass_fields__}
    for name in changed:
        if name not in known:
            raise TypeError(f"{type(tree).__name__} has no field {name!r}: {', '.join(known)}.")
    return type(tree)(**(known | dict(changed)))
