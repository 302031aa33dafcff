"""What a computation graph has to be, whoever made it.

Recorded graphs come from elsewhere: from a robot, from a simulator, from a file. Here is what
they are asked before anything is made of them, and what they are told. That no step waits for
itself is asked elsewhere, see `bionet.graph.loops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import numpy as np

if TYPE_CHECKING:
    from bionet.graph.base import ComputationGraph, Edge, Key, Vertex


def check_graph(graph: ComputationGraph) -> None:
    """Fails if a graph is none: see the errors of `ComputationGraph`."""
    _check_kinds(graph)
    _check_shapes(graph)
    for name, vertex in graph.vertices.items():
        _check_vertex(name, vertex)
    for key, edge in graph.edges.items():
        _check_edge(key, edge, graph)


def _check_kinds(graph: ComputationGraph) -> None:
    # Not before now: these are made of what is checked here.
    from bionet.graph.base import Edge, Vertex

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
