"""One episode of an asynchronous network, as a picture of it needs it.

Taken from a compiled `Graph`, or from the raw `ComputationGraph` that it was made of: the rows
in a readable order, the steps of each with whether they run and in which slot, and the messages
with the step that first saw each. Of a raw graph it is not known what the supervisor needs, so
that all of its steps count as run. Nothing here draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import networkx as nx
import numpy as np
from jaxtyping import Bool, Int

from bionet._core.names import unknown
from bionet.graph import TICKS_PER_SECOND, ComputationGraph, Graph, stack_graphs, ticks
from bionet.graph.base import Key

MOST_STEPS = 150
"""How many steps fit into a picture, as far as nobody asks for more."""

Span = tuple[float, float]
"""A stretch of time, in ticks."""


@final
@dataclass(frozen=True)
class Row:
    """The steps of one node.

    Args:
        name: the node's.
        rate: in Hz; None if it is not known.
        start: when each step starts, in ticks.
        end: when it ends.
        runs: whether it is run at all.
        slot: the slot of the supergraph that it runs in, or -1.
    """

    name: str
    rate: float | None
    start: Int[np.ndarray, " steps"]
    end: Int[np.ndarray, " steps"]
    runs: Bool[np.ndarray, " steps"]
    slot: Int[np.ndarray, " steps"]


@final
@dataclass(frozen=True)
class Messages:
    """The messages of one connection.

    Args:
        sender: the sending node's name.
        receiver: the receiving node's name.
        sent: when each leaves, in ticks.
        arrives: when it is there.
        seen: when the step starts that sees it first; -1 if none does.
        read: whether it is sent by a step that runs, and one that runs has it in its window.
    """

    sender: str
    receiver: str
    sent: Int[np.ndarray, " messages"]
    arrives: Int[np.ndarray, " messages"]
    seen: Int[np.ndarray, " messages"]
    read: Bool[np.ndarray, " messages"]


@final
@dataclass(frozen=True)
class Episode:
    """An episode as it is drawn.

    Args:
        number: which of the graph's episodes it is.
        rows: from top to bottom.
        messages: of all connections between these rows.
        supervisor: the supervisor's name; None for a raw graph.
        ticks: when the supervisor's steps start.
        names: the nodes of the graph, drawn or not, sorted.
    """

    number: int
    rows: tuple[Row, ...]
    messages: tuple[Messages, ...]
    supervisor: str | None
    ticks: Int[np.ndarray, " steps"]
    names: tuple[str, ...]

    @property
    def end(self) -> int:
        """The end of the last step."""
        return max((int(row.end.max(initial=0)) for row in self.rows), default=0)

    def steps_in(self, span: Span) -> int:
        """Counts the steps that begin within a span or reach into it."""
        return sum(int(((r.end >= span[0]) & (r.start <= span[1])).sum()) for r in self.rows)


def episode_of(
    graph: Graph | ComputationGraph | Sequence[ComputationGraph],
    number: int,
    rows: Iterable[str] | None = None,
) -> Episode:
    """One episode.

    Args:
        graph: a compiled graph, or raw ones.
        number: which of its episodes.
        rows: the nodes to draw, from top to bottom; None for all, so that messages go down
            as far as they can, with the supervisor under those that it hears.

    Raises:
        TypeError: something that is no graph.
        IndexError: an episode that is not there.
        ValueError: a row that no node has, or twice, or no row at all.
    """
    raw, compiled = _raw(graph), graph if isinstance(graph, Graph) else None
    one = raw[number]
    supervisor = None if compiled is None else compiled.supervisor
    names = tuple(one.vertices)
    shown = _in_flow(one, supervisor) if rows is None else _check_rows(rows, names)
    found = {name: _row(one, name, number, compiled) for name in names}
    messages = [
        _messages(one, key, number, found, compiled)
        for key in one.edges
        if {key[0], one.senders[key]} <= set(shown)
    ]
    starts = np.zeros(0, np.int64) if supervisor is None else found[supervisor].start
    return Episode(
        number % raw.num_episodes,
        tuple(found[name] for name in shown),
        tuple(messages),
        supervisor,
        starts,
        names,
    )


def span_of(episode: Episode, seconds: tuple[float, float] | None) -> Span:
    """The span that is drawn: as asked for, or the first three steps between ticks.

    Raises:
        ValueError: a span that is empty, or in which nothing takes place.
    """
    if seconds is None:
        return _first_steps(episode)
    low, high = (float(end) for end in seconds)
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            "plot_graph: span needs two times in seconds, the first before the second, got "
            f"{tuple(seconds)}."
        )
    span = (float(ticks(low)), float(ticks(high)))
    if not episode.steps_in(span):
        raise ValueError(
            f"plot_graph: nothing takes place from {low:g} to {high:g} s; episode "
            f"{episode.number} ends at {episode.end / TICKS_PER_SECOND:g} s."
        )
    return span


def _raw(graph: Any) -> ComputationGraph:
    if isinstance(graph, Graph):
        return graph.graphs_raw
    if isinstance(graph, ComputationGraph):
        return graph.stacked()
    if isinstance(graph, list | tuple) and all(isinstance(g, ComputationGraph) for g in graph):
        return stack_graphs(graph)
    raise TypeError(
        "plot_graph: needs a bionet.graph.Graph, or the ComputationGraphs of one, got "
        f"{type(graph).__name__}."
    )


def _check_rows(rows: Iterable[str], names: tuple[str, ...]) -> list[str]:
    shown = [rows] if isinstance(rows, str) else list(rows)
    for name in shown:
        if name not in names:
            raise ValueError(f"plot_graph: rows: {unknown('node', name, names)}")
    if not shown or len(set(shown)) < len(shown):
        raise ValueError(f"plot_graph: rows needs each name once, and one at least, got {shown}.")
    return shown


def _row(one: ComputationGraph, name: str, number: int, compiled: Graph | None) -> Row:
    vertex = one.vertices[name]
    slot = np.full(len(vertex.seq), -1)
    if compiled is None:
        return Row(name, None, vertex.ts_start, vertex.ts_end, np.ones(len(slot), bool), slot)
    if name in compiled.timings.nodes:
        places = np.flatnonzero(np.array(compiled.timings.slots) == name)
        seq = compiled.timings.nodes[name].seq[number]
        at, which = np.nonzero(seq >= 0)
        slot[seq[at, which]] = places[which]
    rate = float(compiled.nodes[name].rate)
    return Row(name, rate, vertex.ts_start, vertex.ts_end, slot >= 0, slot)


def _messages(
    one: ComputationGraph, key: Key, number: int, rows: dict[str, Row], compiled: Graph | None
) -> Messages:
    """The messages of a connection; one that is not sent, or that no step needs, is not read."""
    edge, (sender, receiver) = one.edges[key], (one.senders[key], key[0])
    came = edge.seq_in >= 0
    first = np.maximum(edge.seq_in, 0)
    steps = rows[receiver]
    read = came & rows[sender].runs[edge.seq_out]
    if compiled is not None and came.any():
        window = compiled.graphs.windows[key].seq[number]
        read &= (window[first] == edge.seq_out[:, None]).any(-1) & steps.runs[first]
    seen = np.where(came, steps.start[first] if len(steps.start) else -1, -1)
    return Messages(sender, receiver, rows[sender].end[edge.seq_out], edge.ts_recv, seen, read)


def _in_flow(one: ComputationGraph, supervisor: str | None) -> list[str]:
    """The nodes, each under those that it hears; a loop is opened behind the supervisor."""
    wires = nx.DiGraph()
    wires.add_nodes_from(sorted(one.vertices))
    wires.add_edges_from((sender, key[0]) for key, sender in one.senders.items())
    # Of a raw graph, the slowest node stands in: the first of those with the fewest steps.
    supervisor = supervisor or min(one.vertices, key=lambda name: len(one.vertices[name].seq))
    order: list[str] = []
    for loop in _parts(wires):
        inner = nx.DiGraph(wires.subgraph(sorted(loop)))
        inner.remove_edges_from(list(inner.out_edges(supervisor)) if supervisor in inner else [])
        for part in _parts(inner):
            order += nx.dfs_preorder_nodes(inner.subgraph(sorted(part)), min(part))
    return order


def _parts(wires: nx.DiGraph[Any]) -> list[set[str]]:
    """The loops of a graph, and what is in none, each behind those that it hears."""
    whole = nx.condensation(wires)
    members = whole.nodes.data("members")
    first = {part: min(names) for part, names in members}
    return [
        set(whole.nodes[part]["members"])
        for part in nx.lexicographical_topological_sort(whole, key=first.__getitem__)
    ]


def _first_steps(episode: Episode) -> Span:
    """Up to the end of the supervisor's fourth step, or of an earlier one if that is too much."""
    slowest = min(episode.rows, key=lambda row: len(row.start) or math.inf)
    row = next((row for row in episode.rows if row.name == episode.supervisor), slowest)
    begin = min((int(each.start[0]) for each in episode.rows if len(each.start)), default=0)
    for count in (4, 3, 2, 1):
        end = int(row.end[:count].max(initial=begin))
        if episode.steps_in((begin, end)) <= MOST_STEPS:
            break
    end = end if end > begin else max(episode.end, begin + 1)
    margin = 0.03 * (end - begin)
    return begin - margin, end + margin
