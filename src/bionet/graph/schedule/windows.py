"""Windows: the messages that a step sees are the last ones that have come in by then.

A window of a step is the last `window` messages with `seq_in` up to the step's number, the
oldest first. Where fewer have come in, it begins with -1, which is the output that the sender
had before its first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import equinox as eqx
import networkx as nx
import numpy as np
from jaxtyping import Int

from bionet.graph.base import Key, Vertex
from bionet.graph.schedule.computation_graph import ComputationGraph
from bionet.graph.state import Window


@final
class WindowedGraph(eqx.Module):
    """Computation graphs in which every step says by itself what it sees.

    Args:
        vertices: the steps, by the node's name.
        windows: by `(receiver, input)`, what each step of the receiver sees; the arrays have
            the shape (episodes, steps, window), with -1 throughout where there is no step.
        pairs: each connection with its sender's name.
    """

    vertices: dict[str, Vertex]
    windows: dict[Key, Window]
    pairs: tuple[tuple[Key, str], ...] = eqx.field(static=True)

    @property
    def senders(self) -> dict[Key, str]:
        """The sender's name of each connection."""
        return dict(self.pairs)


def apply_windows(graphs: ComputationGraph, sizes: Mapping[Key, int]) -> WindowedGraph:
    """The same graphs after windows.

    Args:
        graphs: one or many episodes.
        sizes: how many messages a step sees, by `(receiver, input)`; 1 where nothing is said.
    """
    graphs = graphs.stacked()
    windows = {key: message_windows(graphs, key, sizes.get(key, 1)) for key in graphs.edges}
    return WindowedGraph(graphs.vertices, windows, tuple(graphs.senders.items()))


def message_windows(graphs: ComputationGraph, key: Key, window: int) -> Window:
    """Finds the window of each step of a receiver on one connection.

    Args:
        graphs: stacked episodes.
        key: the connection.
        window: how many messages a step sees.

    Returns:
        Arrays of shape (episodes, steps, window).
    """
    edge, sender = graphs.edges[key], graphs.vertices[graphs.senders[key]]
    place = _places(graphs, key, window)
    seq = _look_up(edge.seq_out, place)
    sent = _look_up(sender.ts_end, seq)
    arrived = _look_up(edge.ts_recv, place)
    return Window(seq, np.where(seq < 0, 0, sent), np.where(seq < 0, 0, arrived))


def newest_seen(graphs: ComputationGraph, key: Key) -> Int[np.ndarray, "episodes steps"]:
    """The last message that each step of a receiver has seen on one connection, or -1."""
    return _look_up(graphs.edges[key].seq_out, _places(graphs, key, 1))[..., 0]


def to_networkx(graphs: WindowedGraph, episode: int) -> nx.DiGraph[Any]:
    """One episode as a networkx graph.

    Its nodes are pairs such as `("eye", 3)`, with `kind`, `seq`, `ts_start` and `ts_end`; an edge
    goes to each step from the one before it, and from each message that it sees.
    """
    graph = nx.DiGraph()
    for name, vertex in graphs.vertices.items():
        columns = [leaf[episode].tolist() for leaf in (vertex.seq, vertex.ts_start, vertex.ts_end)]
        for seq, start, end in zip(*columns, strict=True):
            if seq >= 0:
                graph.add_node((name, seq), kind=name, seq=seq, ts_start=start, ts_end=end)
        count = int(vertex.counts[episode])
        graph.add_edges_from(((name, n - 1), (name, n)) for n in range(1, count))
    for (receiver, name), sender in graphs.pairs:
        window = graphs.windows[receiver, name]
        for step, row in enumerate(window.seq[episode].tolist()):
            graph.add_edges_from(
                ((sender, seq), (receiver, step), {"input": name}) for seq in row if seq >= 0
            )
    return graph


def _places(graphs: ComputationGraph, key: Key, window: int) -> np.ndarray:
    """Finds the place of each step's window among the messages of a connection, or -1."""
    edge, receiver = graphs.edges[key], graphs.vertices[key[0]]
    place = np.full((*receiver.seq.shape, window), -1)
    for episode, seq_in in enumerate(edge.seq_in):
        seen = np.flatnonzero(seq_in >= 0)
        count = int(receiver.counts[episode])
        behind = np.searchsorted(seq_in[seen], np.arange(count), "right")
        rank = behind[:, None] + np.arange(-window, 0)
        place[episode, :count] = _look_up(seen[None], rank[None])[0]
    return place


def _look_up(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """`values[episode, place]`, with -1 where the place is negative."""
    if not values.shape[-1]:
        return np.full(place.shape, -1)
    rows = np.arange(len(values)).reshape(-1, *[1] * (place.ndim - 1))
    return np.where(place < 0, -1, values[rows, np.maximum(place, 0)])
