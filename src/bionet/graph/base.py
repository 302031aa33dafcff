"""What an asynchronous network is made of: what happened when, and what a step is given.

Time is counted in whole ticks of a microsecond, so that two things that happen at one instant
are at one number. A `ComputationGraph` says which step of which node took place when, and which
step first saw which message. It is plain NumPy, never goes to a device, and holds one episode,
or several along a leading axis. A step gets a `StepState`; everything that lives on between two
steps is in one `GraphState`. The schedule is in neither of them: it is in tables that are made
once, see `bionet.graph.timings`.

All of these are immutable pytrees. A `seq` is the number of a step of one node, from 0; -1
stands for none: padding, a message that nobody saw, or the output that a node has before its
first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, final

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Int, PRNGKeyArray, PyTree

from bionet.graph.recorded import check_graph

TICKS_PER_SECOND = 1_000_000
"""How finely time is counted."""

Ticks = Int[np.ndarray, "*episodes count"]
Key = tuple[str, str]
"""A connection: the receiver's name, and the name of this input there."""


def ticks(seconds: ArrayLike) -> np.ndarray:
    """Seconds as ticks, each rounded to the nearest."""
    return np.rint(np.asarray(seconds, np.float64) * TICKS_PER_SECOND).astype(np.int64)


def _whole(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim == 0 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
        raise TypeError(
            "A computation graph needs arrays of whole numbers, steps along the last axis; got "
            f"shape {array.shape} of dtype {array.dtype}. Times are ticks, see bionet.graph.ticks."
        )
    return array.astype(np.int64)


@final
class Vertex(eqx.Module):
    """The steps of one node, in order.

    Args:
        seq: 0, 1, 2 and so on; -1 fills up shorter episodes.
        ts_start: when each step started and read its inputs, in ticks.
        ts_end: when each step ended and sent its output, in ticks.
    """

    seq: Ticks = eqx.field(converter=_whole)
    ts_start: Ticks = eqx.field(converter=_whole)
    ts_end: Ticks = eqx.field(converter=_whole)

    @property
    def counts(self) -> Int[np.ndarray, " *episodes"]:
        """How many steps each episode has."""
        return (self.seq >= 0).sum(-1)


@final
class Edge(eqx.Module):
    """The messages of one connection, in the order in which they were sent.

    Args:
        seq_out: the sender's step that made each message; -1 is padding.
        seq_in: the first step of the receiver that saw it; -1 if none did.
        ts_recv: when it arrived, in ticks.
        sender: the sender's name; None if the input bears that name.
    """

    seq_out: Ticks = eqx.field(converter=_whole)
    seq_in: Ticks = eqx.field(converter=_whole)
    ts_recv: Ticks = eqx.field(converter=_whole)
    sender: str | None = eqx.field(static=True, default=None)


@final
class ComputationGraph(eqx.Module):
    """Which steps took place when, and which step saw which message first.

    Args:
        vertices: the steps, by the node's name.
        edges: the messages, by `(receiver, input)`. An input is named after its sender, or
            else its `Edge` says whose messages it carries.

    Raises:
        TypeError: arrays that are not of whole numbers.
        ValueError: arrays of different shapes, steps out of order, a message from or to a step
            that is not there, messages that overtake one another.

    Example:
        ```python
        from bionet.graph import ComputationGraph, Edge, Vertex

        graph = ComputationGraph(
            {"eye": Vertex([0, 1], [0, 50], [10, 60]), "hand": Vertex([0], [70], [80])},
            {("hand", "eye"): Edge([0, 1], [0, 0], [15, 65])},
        )
        print(graph.senders)  # {('hand', 'eye'): 'eye'}
        ```
    """

    vertices: dict[str, Vertex]
    edges: dict[Key, Edge]

    def __init__(
        self, vertices: Mapping[str, Vertex], edges: Mapping[Key, Edge] | None = None
    ) -> None:
        self.vertices = dict(sorted(vertices.items()))
        self.edges = dict(sorted((edges or {}).items()))
        check_graph(self)

    @property
    def senders(self) -> dict[Key, str]:
        """The sender's name of each connection."""
        return {key: edge.sender or key[1] for key, edge in self.edges.items()}

    @property
    def num_episodes(self) -> int:
        """How many episodes there are."""
        shape = next(iter(self.vertices.values())).seq.shape
        return shape[0] if len(shape) == 2 else 1

    def stacked(self) -> Self:
        """The same with a leading axis of episodes, be it of one."""
        if next(iter(self.vertices.values())).seq.ndim == 2:
            return self
        return jax.tree.map(lambda leaf: leaf[None], self)

    def __getitem__(self, episode: int) -> Self:
        """One episode alone, without its padding."""
        if not -self.num_episodes <= episode < self.num_episodes:
            raise IndexError(
                f"The graph has episodes 0 to {self.num_episodes - 1}, but not {episode}."
            )
        one = jax.tree.map(lambda leaf: leaf[episode], self.stacked())
        return type(self)(
            {
                n: jax.tree.map(lambda x, keep=v.seq >= 0: x[keep], v)
                for n, v in one.vertices.items()
            },
            {
                k: jax.tree.map(lambda x, keep=e.seq_out >= 0: x[keep], e)
                for k, e in one.edges.items()
            },
        )

    def __iter__(self) -> Iterator[Self]:
        return (self[episode] for episode in range(self.num_episodes))


def stack_graphs(graphs: ComputationGraph | Sequence[ComputationGraph]) -> ComputationGraph:
    """One graph of all the episodes, in order, each filled up to the longest.

    Args:
        graphs: one graph, or several with the same nodes and connections.

    Raises:
        TypeError: something that is no computation graph.
        ValueError: no graph at all, or graphs of different nodes or connections.
    """
    parts = list(graphs) if isinstance(graphs, Sequence) else [graphs]
    for part in parts:
        if not isinstance(part, ComputationGraph):
            raise TypeError(f"stack_graphs: needs computation graphs, got {part!r}.")
    if not parts:
        raise ValueError("stack_graphs: needs one graph at least, got none.")
    parts = [part.stacked() for part in parts]
    if len({(tuple(part.vertices), tuple(part.senders.items())) for part in parts}) > 1:
        raise ValueError(
            "stack_graphs: all graphs need the same nodes and connections; see augment_graphs, "
            "which adds what is missing."
        )
    return jax.tree.map(_padded, *parts)


def _padded(*leaves: np.ndarray) -> np.ndarray:
    most = max(leaf.shape[-1] for leaf in leaves)
    widths = [((0, 0), (0, most - leaf.shape[-1])) for leaf in leaves]
    return np.concatenate(
        [
            np.pad(leaf, width, constant_values=-1)
            for leaf, width in zip(leaves, widths, strict=True)
        ]
    )


@final
class Window(eqx.Module):
    """Which messages a step sees on one connection, the oldest first.

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
    """What a step sees on one connection: the last messages, the oldest first.

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
        """How many messages the window holds."""
        return self.seq.shape[-1]


@final
class StepState(eqx.Module):
    """What a node's step is given, and gives back changed.

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
        return _replaced(self, changed)


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
        return _replaced(self, changed)


@final
class NodeRecord(eqx.Module):
    """What is kept of one node, indexed by the number of the step, padded with -1.

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


def _replaced(tree: Any, changed: Mapping[str, Any]) -> Any:
    known = {field: getattr(tree, field) for field in tree.__dataclass_fields__}
    for name in changed:
        if name not in known:
            raise TypeError(f"{type(tree).__name__} has no field {name!r}: {', '.join(known)}.")
    return type(tree)(**(known | dict(changed)))
