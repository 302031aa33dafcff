"""Finds steps that wait for one another.

A step waits for the step before it, and for the newest message that it sees; the older ones of
its window were made before that one. Time does not run backwards along any of these, so a loop
lies within one instant, and most networks are cleared by a look at which connections ever take
no time at all. Where a recorded graph says that a step saw what was made later, that does not
hold, and every step is looked at.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np

from bionet.graph.base import TICKS_PER_SECOND, Key
from bionet.graph.schedule.computation_graph import ComputationGraph
from bionet.graph.schedule.windows import newest_seen

Loop = tuple[int, tuple[tuple[str, int], ...]]
"""An episode, and the steps of a loop in it, each of which waits for the one before."""


def find_loop(graphs: ComputationGraph) -> Loop | None:
    """A loop of steps that wait for one another, or None; always the same one."""
    graphs = graphs.stacked()
    newest = {key: newest_seen(graphs, key) for key in graphs.edges}
    lags = {key: _lags(graphs, key, seen) for key, seen in newest.items()}
    backwards = any((lag < 0).any() for lag in lags.values())
    waits = {key: (newest[key] >= 0) & (backwards | (lags[key] == 0)) for key in newest}
    suspects = nx.DiGraph()
    suspects.add_edges_from((graphs.senders[key], key[0]) for key in waits if waits[key].any())
    in_loops = [nodes for nodes in nx.strongly_connected_components(suspects) if len(nodes) > 1]
    in_loops += [{node} for node in nx.nodes_with_selfloops(suspects)]
    if not in_loops:
        return None
    keys = [k for k in waits if any({k[0], graphs.senders[k]} <= nodes for nodes in in_loops)]
    for episode in range(graphs.num_episodes):
        steps = _steps_that_wait(graphs, {k: newest[k] for k in keys}, waits, backwards, episode)
        try:
            return episode, _from_the_smallest([edge[0] for edge in nx.find_cycle(steps)])
        except nx.NetworkXNoCycle:
            continue
    return None


def describe_loop(where: str, loop: Loop, graphs: ComputationGraph) -> str:
    """The sentence for a loop."""
    episode, steps = loop
    path = " -> ".join(f"{name}[{seq}]" for name, seq in (*steps, steps[0]))
    name, seq = steps[0]
    at = graphs.stacked().vertices[name].ts_start[episode, seq] / TICKS_PER_SECOND
    return (
        f"{where}: steps wait for one another in episode {episode}, at {at:g} s: {path}. Give one "
        "of these connections a delay, or skip=True."
    )


def _lags(graphs: ComputationGraph, key: Key, seen: np.ndarray) -> np.ndarray:
    """Returns how long before a step the maker of its newest message started; 1 without any."""
    sender, receiver = graphs.vertices[graphs.senders[key]], graphs.vertices[key[0]]
    if not sender.seq.size:
        return np.ones(seen.shape, int)
    made = sender.ts_start[np.arange(len(seen))[:, None], np.maximum(seen, 0)]
    return np.where(seen >= 0, receiver.ts_start - made, 1)


def _steps_that_wait(
    graphs: ComputationGraph,
    newest: dict[Key, np.ndarray],
    waits: dict[Key, np.ndarray],
    backwards: bool,
    episode: int,
) -> nx.DiGraph[Any]:
    """The steps of one episode with those that they wait for, where it may close a loop."""
    steps = nx.DiGraph()
    for name in sorted({name for key in newest for name in (key[0], graphs.senders[key])}):
        start, count = graphs.vertices[name].ts_start[episode], graphs.vertices[name].counts
        no_later = np.diff(start[: count[episode]]) <= (np.inf if backwards else 0)
        steps.add_edges_from(((name, n), (name, n + 1)) for n in np.flatnonzero(no_later).tolist())
    for key, seen in newest.items():
        sender = graphs.senders[key]
        for n in np.flatnonzero(waits[key][episode]).tolist():
            steps.add_edge((sender, int(seen[episode, n])), (key[0], n))
    return steps


def _from_the_smallest(steps: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    first = steps.index(min(steps))
    return tuple(steps[first:] + steps[:first])
