"""Writes a schedule down as tables, and checks that no step in them comes too early."""

from __future__ import annotations

import jax
import numpy as np

from bionet.graph.base import TICKS_PER_SECOND
from bionet.graph.schedule.message_positions import count_taken, origins, read_after, rows_needed
from bionet.graph.schedule.supergraph import Schedule
from bionet.graph.schedule.timings import SlotTimings, Timings
from bionet.graph.schedule.windows import WindowedGraph

LATEST = np.iinfo(np.int32).max


def make_timings(found: Schedule, graphs: WindowedGraph) -> Timings:
    """Writes a schedule down.

    Args:
        found: the slots, and who runs in them.
        graphs: the graphs that it was found for, after windows.

    Raises:
        ValueError: a time that does not fit into 32 bits.
    """
    nodes = {kind: _slots(found, graphs, kind) for kind in found.kinds}
    for kind, node in nodes.items():
        latest = max(int(np.abs(leaf).max(initial=0)) for leaf in jax.tree.leaves(node))
        if latest > LATEST:
            raise ValueError(
                f"Graph: node {kind!r} runs until {latest / TICKS_PER_SECOND:,.0f} s, but times "
                f"fit up to {LATEST // TICKS_PER_SECOND:,} s; cut the episodes into shorter ones."
            )
    narrow = {kind: jax.tree.map(_narrow, node) for kind, node in nodes.items()}
    names = tuple(found.kinds[slot] for slot in found.slots)
    sizes = tuple(_buffer_sizes(graphs, narrow, names[-1]).items())
    return Timings(narrow, names, found.generation, sizes)


def check_timings(timings: Timings, graphs: WindowedGraph) -> None:
    """Walks through the tables, slot by slot, and fails where a step would come too early.

    Raises:
        RuntimeError: a step out of its order, or before one that it waits for. That would be a
            fault of bionet.
    """
    senders = graphs.senders
    for episode in range(len(timings.nodes[timings.slots[-1]].run)):
        done = dict.fromkeys(timings.nodes, 0)
        for step in range(timings.num_steps):
            place = dict.fromkeys(timings.nodes, 0)
            generation, before = -1, dict(done)
            for kind, number in zip(timings.slots, timings.generation, strict=True):
                if number != generation:  # What is in one generation may run in any order.
                    generation, before = number, dict(done)
                node, at = timings.nodes[kind], (episode, step, place[kind])
                place[kind] += 1
                if node.run[at]:
                    early = [
                        name
                        for name, window in node.windows.items()
                        if window.seq[at].max() >= before.get(senders[kind, name], LATEST)
                    ]
                    if early or node.seq[at] != done[kind]:
                        raise RuntimeError(
                            f"Graph: step {node.seq[at]} of {kind!r} in episode {episode} comes "
                            f"too early, by {early or 'its own order'}; please report this."
                        )
                    done[kind] += 1


def _slots(found: Schedule, graphs: WindowedGraph, kind: str) -> SlotTimings:
    vertex, places = graphs.vertices[kind], found.slots_of(kind)
    fits = found.fits[:, places]
    nth = (np.cumsum(fits, axis=1) - fits)[found.which]
    begin = found.cuts.counts[:, :-1, found.kinds.index(kind)]
    run = fits[found.which]
    seq = np.where(run, begin[..., None] + nth, -1)
    windows = {
        name: jax.tree.map(lambda leaf: _at(leaf, seq), window)
        for (receiver, name), window in graphs.windows.items()
        if receiver == kind
    }
    return SlotTimings(run, seq, _at(vertex.ts_start, seq), _at(vertex.ts_end, seq), windows)


def _at(leaf: np.ndarray, seq: np.ndarray) -> np.ndarray:
    rows = np.arange(len(leaf))[:, None, None]
    found = leaf[rows, np.maximum(seq, 0)]
    return np.where((seq < 0).reshape(*seq.shape, *[1] * (found.ndim - seq.ndim)), -1, found)


def _narrow(leaf: np.ndarray) -> np.ndarray:
    return leaf if leaf.dtype == bool else leaf.astype(np.int32)


def _buffer_sizes(
    graphs: WindowedGraph, nodes: dict[str, SlotTimings], supervisor: str
) -> dict[str, int]:
    """Returns how far back from the beginning of a pass its windows reach, one at least."""
    sizes, before = dict.fromkeys(nodes, 1), count_taken(nodes)
    for (receiver, name), sender in graphs.senders.items():
        if receiver in nodes and sender in nodes:
            count = read_after(receiver, sender, supervisor, before, nodes)
            found = origins(np.asarray(nodes[receiver].windows[name].seq), count)
            sizes[sender] = max(sizes[sender], rows_needed(found, nodes[receiver].run))
    return sizes
