"""Cuts an episode between the ticks of its supervisor.

A partition is what runs from one step of the supervisor up to the next, that step included, as
the last. It holds all that has started by then, and does not wait for that step itself. What
the supervisor needs later could also run later, just in time; but then the partitions would be
of different sizes, and one supergraph for all of them larger.

A node's steps are in order, so what has been taken at a cut are its first ones: one number per
node, and a row of such numbers is a cut. The rows of all cuts are found together, by widening
them until nobody in them waits for somebody outside.

What is left of a partition, when absolute numbers are taken away, are its `Demands`: how many
steps each node takes in it, and how many steps of its senders each of them waits for. Many
partitions have the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np
from jaxtyping import Bool, Int

from bionet.graph.schedule.computation_graph import ComputationGraph
from bionet.graph.schedule.windows import newest_seen

Link = tuple[int, int]
"""A pair (receiver, sender) of positions among the kinds."""


@final
@dataclass(frozen=True)
class Cuts:
    """The cuts of the episodes into partitions.

    Args:
        kinds: the names of the nodes that take steps in any partition, sorted.
        supervisor: the one whose steps end the partitions.
        counts: of shape (episodes, steps + 1, kinds): how many steps each node has taken at
            each cut. The first cut is the beginning; `steps` is what the shortest episode has.
        waits: by (receiver, sender), of shape (episodes, receiver's steps): how many of the
            sender's steps a step of the receiver needs.
    """

    kinds: tuple[str, ...]
    supervisor: str
    counts: Int[np.ndarray, "episodes cuts kinds"]
    waits: dict[Link, Int[np.ndarray, "episodes count"]]

    @property
    def steps(self) -> int:
        """The number of partitions of each episode."""
        return self.counts.shape[1] - 1


def cut(
    graphs: ComputationGraph,
    supervisor: str,
    prune: bool = True,
    skip: frozenset[str] = frozenset(),
) -> Cuts:
    """Cuts episodes without loops between the supervisor's steps.

    Args:
        graphs: one or many episodes.
        supervisor: the node whose steps end the partitions.
        prune: keep only the steps that the supervisor waits for, now or later on.
        skip: nodes that are left out, as if nobody waited for them.

    Raises:
        ValueError: an episode in which the supervisor takes no step.
    """
    graphs = graphs.stacked()
    names = tuple(name for name in graphs.vertices if name not in skip)
    waits = _waits(graphs, names)
    supervisor_index = names.index(supervisor)
    steps = int(graphs.vertices[supervisor].counts.min())
    if not steps:
        raise ValueError(
            f"Graph: the supervisor {supervisor!r} takes no step in one of the episodes; record "
            "or generate longer ones."
        )
    needed = np.zeros((graphs.num_episodes, steps + 1, len(names)), np.int64)
    needed[..., supervisor_index] = np.arange(steps + 1)
    needed = _widen(needed, waits)
    counts = needed.copy()
    counts[:, 1:] = np.maximum(
        needed[:, 1:], _count_started(graphs, names, supervisor_index, waits, steps)
    )
    counts = _widen(counts, waits)
    if prune:
        counts = np.minimum(counts, needed[:, -1:])
    used = [position for position in range(len(names)) if counts[..., position].any()]
    at = {position: place for place, position in enumerate(used)}
    return Cuts(
        tuple(names[position] for position in used),
        supervisor,
        counts[..., used],
        {(at[a], at[b]): needs for (a, b), needs in waits.items() if a in at and b in at},
    )


def _waits(graphs: ComputationGraph, names: tuple[str, ...]) -> dict[Link, np.ndarray]:
    """Counts the sender's steps that each step needs, the most of all connections of a pair."""
    waits: dict[Link, np.ndarray] = {}
    for key in graphs.edges:
        receiver, sender = key[0], graphs.senders[key]
        # A node's own step before is there anyway.
        if receiver in names and sender in names and receiver != sender:
            link = (names.index(receiver), names.index(sender))
            needs = newest_seen(graphs, key) + 1
            waits[link] = np.maximum(waits[link], needs) if link in waits else needs
    return waits


def _widen(counts: np.ndarray, waits: dict[Link, np.ndarray]) -> np.ndarray:
    """The cuts, widened until no step before them waits for one behind them."""
    counts = counts.copy()
    ahead = {link: np.pad(needs, ((0, 0), (1, 0))) for link, needs in waits.items()}
    rows = np.arange(len(counts))[:, None]
    widened = True
    while widened:
        widened = False
        for (receiver, sender), needs in ahead.items():
            needed = needs[rows, counts[..., receiver]]
            if (needed > counts[..., sender]).any():
                widened = True
                counts[..., sender] = np.maximum(counts[..., sender], needed)
    return counts


def _count_started(
    graphs: ComputationGraph,
    names: tuple[str, ...],
    supervisor_index: int,
    waits: dict[Link, np.ndarray],
    steps: int,
) -> np.ndarray:
    """Counts the steps of each node that have started by each tick of the supervisor."""
    tick = graphs.vertices[names[supervisor_index]].ts_start[:, :steps]
    behind = _count_supervised(graphs, names, supervisor_index, waits)
    counts = np.zeros((*tick.shape, len(names)), np.int64)
    for episode in range(len(tick)):
        for position, name in enumerate(names):
            if position != supervisor_index:
                vertex = graphs.vertices[name]
                count = int(vertex.counts[episode])
                start, after = vertex.ts_start[episode, :count], behind[position][episode, :count]
                by_time = np.searchsorted(start, tick[episode], "right")
                free = np.searchsorted(after, np.arange(steps), "right")
                counts[episode, :, position] = np.minimum(by_time, free)
    return counts


def _count_supervised(
    graphs: ComputationGraph,
    names: tuple[str, ...],
    supervisor_index: int,
    waits: dict[Link, np.ndarray],
) -> list[np.ndarray]:
    """Counts the steps of the supervisor that each step of each node waits for, by whatever way."""
    behind = [np.zeros(graphs.vertices[name].seq.shape, np.int64) for name in names]
    behind[supervisor_index] += np.arange(
        1, graphs.vertices[names[supervisor_index]].seq.shape[-1] + 1
    )
    rows = np.arange(graphs.num_episodes)[:, None]
    widened = True
    while widened:
        widened = False
        for (receiver, sender), needs in waits.items():
            # A sender that never takes a step is waited for by nobody.
            if receiver == supervisor_index or not needs.any():
                continue
            through = np.where(needs > 0, behind[sender][rows, np.maximum(needs - 1, 0)], 0)
            through = np.maximum.accumulate(through, axis=-1)
            if (through > behind[receiver]).any():
                widened = True
                behind[receiver] = np.maximum(behind[receiver], through)
    return behind


@final
@dataclass(frozen=True)
class Demands:
    """The demands of partitions, without absolute numbers; the supervisor's last step is left out.

    Args:
        counts: of shape (partitions, kinds): how many steps each node takes.
        waits: by (receiver, sender), of shape (partitions, most + 1): how many steps of the
            sender, in this partition, the receiver's n-th step here waits for.
    """

    counts: Int[np.ndarray, "partitions kinds"]
    waits: dict[Link, Int[np.ndarray, "partitions most"]]

    @property
    def kinds(self) -> int:
        """The number of kinds."""
        return self.counts.shape[1]

    def nothing_done(self) -> Int[np.ndarray, "partitions kinds"]:
        """Returns the counts of steps at the beginning: none."""
        return np.zeros_like(self.counts)

    def ready(self, done: Int[np.ndarray, "partitions kinds"], kind: int) -> Bool[np.ndarray, "_"]:
        """Returns where a node of this kind has a step left that waits for nobody any more."""
        at = done[:, kind]
        free = at < self.counts[:, kind]
        for sender, needs in self._senders[kind]:
            free &= needs[self._rows, at] <= done[:, sender]
        return free

    def heard_by(self, kind: int) -> list[int]:
        """The kinds for which a step of this kind may change what is ready, itself included."""
        return sorted({kind, *(receiver for receiver, sender in self.waits if sender == kind)})

    def reversed(self) -> Self:
        """The same partitions from their end: who was waited for now waits."""
        most = int(self.counts.max(initial=0))
        waits = {}
        for (receiver, sender), needs in self.waits.items():
            turned = np.zeros((len(needs), most + 1), needs.dtype)
            here = np.arange(needs.shape[1]) < self.counts[:, [receiver]]
            for n in range(most):
                # Step n from the end of the sender's waits for all those that need it.
                place = self.counts[:, [sender]] - 1 - n
                turned[:, n] = (here & (needs > place)).sum(-1)
            waits[sender, receiver] = turned
        return type(self)(self.counts, waits)

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.arange(len(self.counts))

    @cached_property
    def _senders(self) -> list[list[tuple[int, np.ndarray]]]:
        return [
            [
                (sender, needs)
                for (receiver, sender), needs in self.waits.items()
                if receiver == kind
            ]
            for kind in range(self.kinds)
        ]


def demands(cuts: Cuts) -> tuple[Demands, Int[np.ndarray, "episodes steps"]]:
    """The different demands of all partitions, and which of them each partition has."""
    before, after = cuts.counts[:, :-1], cuts.counts[:, 1:]
    counts = (after - before).reshape(-1, len(cuts.kinds))
    supervisor_index = cuts.kinds.index(cuts.supervisor)
    counts[:, supervisor_index] = 0
    most = int(counts.max(initial=0))
    rows = np.arange(len(before))[:, None, None]
    waits = {}
    for (receiver, sender), needs in cuts.waits.items():
        if supervisor_index not in (receiver, sender):
            at = before[..., [receiver]] + np.arange(most + 1)
            padded = np.pad(needs, ((0, 0), (0, most + 1)))
            local = np.maximum(padded[rows, at] - before[..., [sender]], 0)
            in_it = np.arange(most + 1) < (after - before)[..., [receiver]]
            waits[receiver, sender] = np.where(in_it, local, 0).reshape(len(counts), -1)
    table = np.concatenate([counts, *waits.values()], axis=1).astype(np.int32)
    _, first, which = np.unique(table, axis=0, return_index=True, return_inverse=True)
    found = Demands(
        counts[first].astype(np.int32),
        {link: needs[first].astype(np.int32) for link, needs in waits.items()},
    )
    return found, which.reshape(before.shape[:2])
