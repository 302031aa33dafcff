"""Computation graphs: which step of which node took place when, and who saw which message first.

A `ComputationGraph` is plain NumPy, never goes to a device, and holds one episode, or several along
a leading axis. Recorded graphs come from elsewhere: from a robot, from a simulator, from a file. So
they are checked before anything is made of them. That no step waits for itself is checked in
`bionet.graph.schedule.loops`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Self, final

import equinox as eqx
import jax
import numpy as np

from bionet.graph.base import Edge, Key, Vertex


@final
class ComputationGraph(eqx.Module):
    """A record of which steps took place when, and which step saw which message first.

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
        _check(self)

    @property
    def senders(self) -> dict[Key, str]:
        """The sender's name of each connection."""
        return {key: edge.sender or key[1] for key, edge in self.edges.items()}

    @property
    def num_episodes(self) -> int:
        """The number of episodes."""
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
    return jax.tree.map(_pad, *parts)


def _pad(*leaves: np.ndarray) -> np.ndarray:
    most = max(leaf.shape[-1] for leaf in leaves)
    widths = [((0, 0), (0, most - leaf.shape[-1])) for leaf in leaves]
    return np.concatenate(
        [
            np.pad(leaf, width, constant_values=-1)
            for leaf, width in zip(leaves, widths, strict=True)
        ]
    )


def _check(graph: ComputationGraph) -> None:
    _check_kinds(graph)
    _check_shapes(graph)
    for name, vertex in graph.vertices.items():
        _check_vertex(name, vertex)
    for key, edge in graph.edges.items():
        _check_edge(key, edge, graph)


def _check_kinds(graph: ComputationGraph) -> None:
    for name, vertex in graph.vertices.items():
        if not (isinstance(name, str) and isinstance(vertex, Vertex)):
            raise TypeError(
                f"ComputationGraph: vertices needs a Vertex by each node's name, got {vertex!r} by "
                f"{name!r}."
            )
    for key, edge in graph.edges.items():
        pair = isinstance(key, tuple) and [type(part) for part in key] == [str, str]
        if not (pair and isinstance(edge, Edge)):
            raise TypeError(
                "ComputationGraph: edges needs an Edge by each pair of a receiver's and an "
                f"input's name, got {edge!r} by {key!r}."
            )


def _check_shapes(graph: ComputationGraph) -> None:
    if not graph.vertices:
        raise ValueError("ComputationGraph: needs one node at least, got none.")
    parts: list[tuple[str, Vertex | Edge]] = []
    parts += [(f"node {name!r}", vertex) for name, vertex in graph.vertices.items()]
    parts += [(f"edge {key}", edge) for key, edge in graph.edges.items()]
    first = jax.tree.leaves(parts[0][1])[0].shape[:-1]
    for where, part in parts:
        shapes = {leaf.shape for leaf in jax.tree.leaves(part)}
        if len(shapes) > 1:
            raise ValueError(
                f"ComputationGraph: {where} needs arrays of one shape, got {sorted(shapes)}."
            )
        (shape,) = shapes
        if len(shape) > 2 or shape[:-1] != first:
            raise ValueError(
                f"ComputationGraph: {where} needs shape {(*first, 'count')}, as the first node "
                f"has it, got {shape}."
            )


def _numbered(seq: np.ndarray) -> bool:
    count = np.arange(seq.shape[-1])
    kept = count < (seq >= 0).sum(-1)[..., None]
    return bool((seq == np.where(kept, count, -1)).all())


def _check_vertex(name: str, vertex: Vertex) -> None:
    if not _numbered(vertex.seq):
        raise ValueError(
            f"ComputationGraph: node {name!r} needs seq 0, 1, 2 and so on, then -1 as padding."
        )
    kept = vertex.seq >= 0
    if (vertex.ts_end < vertex.ts_start)[kept].any():
        raise ValueError(f"ComputationGraph: a step of node {name!r} ends before it starts.")
    if (np.diff(vertex.ts_start) < 0)[kept[..., 1:]].any():
        raise ValueError(f"ComputationGraph: a step of node {name!r} starts before the one before.")


def _check_edge(key: Key, edge: Edge, graph: ComputationGraph) -> None:
    receiver, sender = key[0], edge.sender or key[1]
    for name in (receiver, sender):
        if name not in graph.vertices:
            raise ValueError(
                f"ComputationGraph: edge {key} goes from {sender!r} to {receiver!r}, but there is "
                f"no node {name!r}; there are {', '.join(graph.vertices)}."
            )
    sent, seen = edge.seq_out >= 0, edge.seq_in >= 0
    if not _numbered(np.where(sent, np.cumsum(sent, -1) - 1, -1)) or (seen & ~sent).any():
        raise ValueError(f"ComputationGraph: edge {key} needs its padding of -1 at the end.")
    if (np.diff(edge.seq_out) <= 0)[sent[..., 1:]].any():
        raise ValueError(f"ComputationGraph: edge {key} needs seq_out in ascending order.")
    for field, seq, name in (("seq_out", edge.seq_out, sender), ("seq_in", edge.seq_in, receiver)):
        counts = graph.vertices[name].counts
        if (seq.max(-1, initial=-1) >= counts).any():
            raise ValueError(
                f"ComputationGraph: edge {key} has {field} {seq.max()}, but an episode of node "
                f"{name!r} has only {counts.min()} steps."
            )
    # A message that nobody saw overtakes no one: it counts as seen with the one before it.
    first_seen = np.maximum.accumulate(edge.seq_in, axis=-1) if edge.seq_in.size else edge.seq_in
    if (edge.seq_in < first_seen)[seen].any():
        raise ValueError(
            f"ComputationGraph: messages of edge {key} overtake one another: seq_in needs to be "
            "in ascending order, -1 aside."
        )
