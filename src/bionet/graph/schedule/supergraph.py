"""One order of slots into which every partition fits.

A slot is a place for one step of one kind of node. A partition fits if each of its steps finds
a slot of its kind, in an order in which no step comes before one that it waits for. `MCS` looks
for as few slots as it can find, `GENERATIONAL` gives every kind one slot per generation (all
that may run at once), and `TOPOLOGICAL` does one step at a time with a slot of every kind for it.

For slots in a given order it is best to be eager: of a kind, at most one step is ready, and
running it early never hurts. So what the first slots can run is one number per kind, and so is
what the last slots can run, read from the end. A slot may go if what runs before it and what
runs behind it still are all there is. Walking once along the slots thus drops all that can go in
this order of asking; other orders leave other slots, and the shortest result is kept.

Nothing here depends on the order of a set or on a hash: every process finds the same slots.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import networkx as nx
import numpy as np
from jaxtyping import Bool, Int

from bionet._core.names import unknown
from bionet.graph.arguments import whole_number
from bionet.graph.schedule.partition import Cuts, Demands, Link, demands

Progress = Callable[[float], None]
"""Told which share of all steps has found a slot while the slots grow."""


@final
class Supergraph(enum.Enum):
    """The ways to bring partitions into one order of slots.

    Attributes:
        TOPOLOGICAL: one step at a time, with a slot of every kind for each.
        GENERATIONAL: all that may run at once is one generation, with a slot of every kind.
        MCS: the maximum common supergraph, with as few slots as are found.
    """

    TOPOLOGICAL = "topological"
    GENERATIONAL = "generational"
    MCS = "mcs"


@final
@dataclass(frozen=True)
class Schedule:
    """Slots in order, and who runs in them.

    Args:
        kinds: the names of the nodes, sorted.
        slots: the kind of each slot, as a position in `kinds`; the last is the supervisor's.
        generation: of each slot. What is in one generation does not wait for one another. In the
            uniform modes each has a slot of every kind but the supervisor's, which is the last.
        fits: of shape (demands, slots): whether the slot runs a step. The last always does.
        which: of shape (episodes, steps): which of the demands a partition has.
        cuts: where the partitions begin.
        graph: the slots as a networkx graph: nodes 0, 1, 2 and so on in order, with `kind` and
            `generation`; an edge for each pair of which one waits for the other.
    """

    kinds: tuple[str, ...]
    slots: tuple[int, ...]
    generation: tuple[int, ...]
    fits: Bool[np.ndarray, "demands slots"]
    which: Int[np.ndarray, "episodes steps"]
    cuts: Cuts
    graph: nx.DiGraph[Any]

    def __len__(self) -> int:
        """Returns the number of slots."""
        return len(self.slots)

    def slots_of(self, kind: str) -> list[int]:
        """The positions of the slots of one kind, ascending."""
        return [at for at, slot in enumerate(self.slots) if self.kinds[slot] == kind]


def schedule(
    cuts: Cuts,
    mode: Supergraph = Supergraph.MCS,
    S_init: nx.DiGraph[Any] | None = None,
    backtrack: int = 20,
    progress: Progress | None = None,
) -> Schedule:
    """Finds the slots of a mode and fits every partition into them.

    Args:
        cuts: where the episodes are cut.
        mode: how.
        S_init: slots to begin with in the mode MCS, as another schedule's `graph`; they stay.
        backtrack: in how many orders dropping is tried; 0 drops nothing.
        progress: told how far it is.

    Raises:
        TypeError: a mode that is none, an `S_init` that is no directed graph.
        ValueError: a negative `backtrack`, an `S_init` that has a cycle, or one whose slots have
            no kind, or a kind that does not run, or more than the last one for the supervisor.
    """
    if not isinstance(mode, Supergraph):
        raise TypeError(f"supergraph: needs a bionet.graph.Supergraph, got {mode!r}.")
    backtrack = whole_number("backtrack:", backtrack)
    asked, which = demands(cuts)
    supervisor_index = cuts.kinds.index(cuts.supervisor)
    if mode is Supergraph.MCS:
        start = [] if S_init is None else [cuts.kinds.index(kind) for kind in _kinds(S_init, cuts)]
        slots = fewest_slots(asked, start, backtrack, progress)
        fits = _eager(asked, slots)
        return _schedule(cuts, which, asked, slots, fits, None, S_init)
    runs = generations(asked) if mode is Supergraph.GENERATIONAL else _one_by_one(asked)
    others = [kind for kind in range(asked.kinds) if kind != supervisor_index]
    slots = [kind for _ in runs for kind in others]
    generation = [number for number in range(len(runs)) for _ in others]
    fits = [run[:, kind] for run in runs for kind in others]
    return _schedule(cuts, which, asked, slots, fits, [*generation, len(runs)], None)


def generations(asked: Demands) -> list[Bool[np.ndarray, "demands kinds"]]:
    """For each generation, who takes a step in it: all that wait for no one of their own."""
    done, runs = asked.nothing_done(), []
    while (done < asked.counts).any():
        run = np.stack([asked.ready(done, kind) for kind in range(asked.kinds)], 1)
        done += run
        runs.append(run)
    return runs


def fewest_slots(
    asked: Demands,
    start: list[int],
    backtrack: int = 20,
    progress: Progress | None = None,
) -> list[int]:
    """As few slots as are found, the supervisor's last one aside, into which all demands fit.

    Args:
        asked: what the partitions ask for.
        start: the kinds of the slots to begin with, which stay.
        backtrack: in how many orders dropping is tried.
        progress: told how far it is.
    """
    grown = [_grown(asked, start, weigh, progress) for weigh in (_ready, _share, _work_left)]
    if not start:
        every = [np.flatnonzero(run.any(0)).tolist() for run in generations(asked)]
        grown.append([kind for run in every for kind in run])
    best = min(grown, key=len)
    present = np.bincount(start, minlength=asked.kinds)
    least = int(np.maximum(asked.counts.max(0, initial=0), present).sum())
    mirrored = asked.reversed()
    for order in range(backtrack):
        for slots in grown:
            if len(best) == least:
                return best
            left = _thin(asked, mirrored, slots, len(start), order)
            best = min(best, left, key=len)
    return best


def _ready(free: np.ndarray, left: np.ndarray) -> np.ndarray:
    return free.sum(1).astype(float)


def _share(free: np.ndarray, left: np.ndarray) -> np.ndarray:
    # The number decides between shares that are the same.
    return free.sum(1) / np.maximum((left > 0).sum(1), 1) + 1e-9 * free.sum(1)


def _work_left(free: np.ndarray, left: np.ndarray) -> np.ndarray:
    return (free * left.sum(0)).sum(1).astype(float)


def _grown(
    asked: Demands,
    start: list[int],
    weigh: Callable[[np.ndarray, np.ndarray], np.ndarray],
    progress: Progress | None,
) -> list[int]:
    """Slots, appended one by one where the most is ready, until every demand fits."""
    done, slots = asked.nothing_done(), list(start)
    for kind in start:
        done[:, kind] += asked.ready(done, kind)
    total = max(int(asked.counts.sum()), 1)
    free = np.stack([asked.ready(done, kind) for kind in range(asked.kinds)])
    while free.any():
        kind = int(np.argmax(weigh(free, (asked.counts - done).T)))
        done[:, kind] += free[kind]
        slots.append(kind)
        for changed in asked.heard_by(kind):
            free[changed] = asked.ready(done, changed)
        if progress is not None:
            progress(int(done.sum()) / total)
    return slots


def _thin(asked: Demands, mirrored: Demands, slots: list[int], kept: int, order: int) -> list[int]:
    """The slots without those that can go, asked in the order of this number.

    The first two orders go from the beginning to the end, and back. The others part the slots
    at random into groups, which are asked one after the other, in turn forth and back.
    """
    groups = np.zeros(len(slots), int)
    if order > 1:
        groups = np.random.default_rng(order).integers(0, 2 + order % 3, len(slots))
    groups[:kept] = -1
    kinds = np.array(slots, int)
    for group in range(int(groups.max(initial=-1)) + 1):
        may_go = groups == group
        if (group + order) % 2:
            stays = _swept(mirrored, asked, kinds[::-1], may_go[::-1])[::-1]
        else:
            stays = _swept(asked, mirrored, kinds, may_go)
        kinds, groups = kinds[stays], groups[stays]
    return kinds.tolist()


def _swept(
    asked: Demands, mirrored: Demands, kinds: np.ndarray, may_go: np.ndarray
) -> Bool[np.ndarray, " slots"]:
    """Walks along the slots and says which of them stay."""
    behind, runs = mirrored.nothing_done(), []
    for kind in kinds[::-1]:
        runs.append(mirrored.ready(behind, kind))
        behind[:, kind] += runs[-1]
    before = asked.nothing_done()
    stays = np.ones(len(kinds), bool)
    for at, kind in enumerate(kinds):
        # What later slots can run without this one differs in its own kind alone.
        behind[:, kind] -= runs.pop()
        if may_go[at] and (before[:, kind] + behind[:, kind] >= asked.counts[:, kind]).all():
            stays[at] = False
        else:
            before[:, kind] += asked.ready(before, kind)
    return stays


def _eager(asked: Demands, slots: list[int]) -> list[Bool[np.ndarray, " demands"]]:
    """Returns which demands have a step for each slot, if all are taken as early as can be."""
    done, fits = asked.nothing_done(), []
    for kind in slots:
        fits.append(asked.ready(done, kind))
        done[:, kind] += fits[-1]
    return fits


def _one_by_one(asked: Demands) -> list[Bool[np.ndarray, "demands kinds"]]:
    """For each place of a line, who takes a step there: of those ready, the first by name."""
    done, runs = asked.nothing_done(), []
    while (done < asked.counts).any():
        ready = np.stack([asked.ready(done, kind) for kind in range(asked.kinds)], 1)
        run = ready & (np.cumsum(ready, axis=1) == 1)
        done += run
        runs.append(run)
    return runs


def _schedule(
    cuts: Cuts,
    which: np.ndarray,
    asked: Demands,
    slots: list[int],
    fits: list[np.ndarray],
    generation: list[int] | None,
    S_init: nx.DiGraph[Any] | None,
) -> Schedule:
    """Adds the supervisor's slot, and the graph that says which slots wait for which."""
    slots = [*slots, cuts.kinds.index(cuts.supervisor)]
    table = np.stack([*fits, np.ones(len(asked.counts), bool)], axis=1)
    graph = nx.DiGraph()
    graph.add_nodes_from((at, {"kind": cuts.kinds[kind]}) for at, kind in enumerate(slots))
    last = len(slots) - 1
    pairs = _waiting(asked, np.array(slots[:last], int), table[:, :last])
    if S_init is not None:
        place = {node: at for at, node in enumerate(_order(S_init, cuts))}
        pairs |= {(place[a], place.get(b, last)) for a, b in S_init.edges}
    graph.add_edges_from(sorted(pairs))
    graph.add_edges_from((at, last) for at in range(last) if not graph.out_degree(at))
    if generation is None:
        levels = enumerate(nx.topological_generations(graph))
        level = {slot: number for number, slots_there in levels for slot in slots_there}
        generation = [level[slot] for slot in range(len(slots))]
    nx.set_node_attributes(graph, dict(enumerate(generation)), "generation")
    return Schedule(cuts.kinds, tuple(slots), tuple(generation), table, which, cuts, graph)


def _waiting(asked: Demands, slots: np.ndarray, fits: np.ndarray) -> set[Link]:
    """Pairs of slots of which the second ever waits for the first."""
    pairs: set[Link] = set()
    taken = np.zeros((*asked.counts.shape, int(asked.counts.max(initial=0)) + 1), int)
    for kind in range(asked.kinds):
        places = np.flatnonzero(slots == kind)
        pairs |= set(zip(places[:-1].tolist(), places[1:].tolist(), strict=True))
        rows, columns = np.nonzero(fits[:, places])
        nth = np.cumsum(fits[:, places], axis=1)[rows, columns] - 1
        taken[rows, kind, nth] = places[columns]
    for (receiver, sender), needs in asked.waits.items():
        rows, nth = np.nonzero(needs > 0)
        first = taken[rows, sender, needs[rows, nth] - 1]
        codes = np.unique(first * len(slots) + taken[rows, receiver, nth])
        pairs |= {divmod(code, len(slots)) for code in codes.tolist()}
    return pairs


def _kinds(S_init: nx.DiGraph[Any], cuts: Cuts) -> list[str]:
    """The kinds of the slots to begin with, in order, the supervisor's aside."""
    return [S_init.nodes[node]["kind"] for node in _order(S_init, cuts)]


def _order(S_init: nx.DiGraph[Any], cuts: Cuts) -> list[Any]:
    """The slots to begin with, in their order as far as they have one, the supervisor's aside."""
    if not isinstance(S_init, nx.DiGraph) or S_init.is_multigraph():
        raise TypeError(
            "S_init: needs a networkx.DiGraph, such as the S of another graph, got a "
            f"{type(S_init).__name__}."
        )
    for node, told in S_init.nodes(data=True):
        if "kind" not in told:
            raise ValueError(f"S_init: node {node!r} needs the attribute 'kind', a node's name.")
        if told["kind"] not in cuts.kinds:
            raise ValueError(f"S_init: {unknown('node that runs', told['kind'], cuts.kinds)}")
    if not nx.is_directed_acyclic_graph(S_init):
        loop = " -> ".join(repr(a) for a, _ in nx.find_cycle(S_init))
        raise ValueError(f"S_init: needs to be without cycles, but has {loop} in one.")
    last = [node for node, told in S_init.nodes(data=True) if told["kind"] == cuts.supervisor]
    if len(last) > 1 or any(S_init.out_degree(node) for node in last):
        raise ValueError(
            f"S_init: the supervisor {cuts.supervisor!r} has one slot, after all others; got "
            f"{len(last)}, or one with an edge that leaves it."
        )
    place = {node: at for at, node in enumerate(sorted(S_init, key=_sort_key))}
    in_order = nx.lexicographical_topological_sort(S_init, key=place.__getitem__)
    return [node for node in in_order if node not in last]


def _sort_key(node: Any) -> tuple[bool, float, str]:
    number = isinstance(node, int | float)
    return (not number, float(node) if number else 0.0, str(node))
