"""Supergraphs: how few slots, in which modes, from which start, and what is told."""

import itertools
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest

from bionet.graph import Supergraph, Uniform, generate_graphs
from bionet.graph.schedule.partition import Demands, cut
from bionet.graph.schedule.supergraph import fewest_slots, generations, schedule


def demand(counts, waits):
    """Partitions by their counts per kind, and by (receiver, sender) what each step waits for."""
    counts = np.array(counts)
    most = counts.max()
    tables = {
        link: np.array([row + [0] * (most + 1 - len(row)) for row in rows])
        for link, rows in waits.items()
    }
    return Demands(counts, tables)


def fits(asked, slots):
    done = asked.nothing_done()
    for kind in slots:
        done[:, kind] += asked.ready(done, kind)
    return bool((done == asked.counts).all())


A_THEN_B = demand([[1, 1], [1, 1]], {(1, 0): [[1], [0]], (0, 1): [[0], [1]]})


def test_two_orders_need_three_slots():
    # In the first partition b waits for a, in the second a for b.
    assert len(fewest_slots(A_THEN_B, [])) == 3
    assert fits(A_THEN_B, fewest_slots(A_THEN_B, []))


def test_generations_take_all_that_are_ready():
    runs = generations(A_THEN_B)
    assert [run.astype(int).tolist() for run in runs] == [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]


def fewest_by_trying(asked, most=8):
    for count in range(most + 1):
        for slots in itertools.product(range(asked.kinds), repeat=count):
            if fits(asked, slots):
                return count
    return None


def lines(orders, kinds):
    """Partitions of which each waits all along: its steps have one order, as given."""
    counts = np.array([np.bincount(order, minlength=kinds) for order in orders])
    waits = {}
    for receiver, sender in itertools.permutations(range(kinds), 2):
        table = np.zeros((len(orders), counts.max() + 1), int)
        for row, order in enumerate(orders):
            for n, at in enumerate(np.flatnonzero(order == receiver)):
                table[row, n] = (order[:at] == sender).sum()
        waits[receiver, sender] = table
    return Demands(counts, waits)


def all_needed(asked, slots):
    """Whether none of the slots could be left out."""
    return not any(fits(asked, slots[:gone] + slots[gone + 1 :]) for gone in range(len(slots)))


@pytest.mark.parametrize("seed", range(12))
def test_small_cases_need_the_fewest_of_all(seed):
    rng = np.random.default_rng(seed)
    asked = lines([rng.permutation([0, 0, 1, 2])[: rng.integers(2, 5)] for _ in range(3)], 3)
    slots = fewest_slots(asked, [])
    assert fits(asked, slots)
    assert len(slots) <= fewest_by_trying(asked)
    assert all_needed(asked, slots)


def test_what_is_one_slot_from_the_fewest_is_not_yet_enough():
    asked = lines([np.array([0, 1, 2]), np.array([2, 0, 2])], 3)
    assert len(fewest_slots(asked, [], backtrack=0)) == 5
    assert len(fewest_slots(asked, [])) == 4


def test_dropping_in_more_orders_leaves_fewer_slots_all_of_them_needed():
    rng = np.random.default_rng(28)
    kinds = np.repeat(np.arange(3), 3)
    asked = lines([rng.permutation(kinds)[: rng.integers(4, 9)] for _ in range(6)], 3)
    found = [fewest_slots(asked, [], backtrack=count) for count in (0, 1, 20)]
    assert len(found[0]) > len(found[1]) > len(found[2])
    assert all(fits(asked, slots) for slots in found)
    assert not all_needed(asked, found[0])
    assert all_needed(asked, found[1])
    assert all_needed(asked, found[2])
    assert fewest_slots(asked, [], backtrack=20) == found[2]


def test_what_is_there_from_the_start_stays():
    for start in ([1, 1, 0], [0], [1, 1, 1, 1]):
        slots = fewest_slots(A_THEN_B, start)
        assert slots[: len(start)] == start
        assert fits(A_THEN_B, slots)
    assert fewest_slots(A_THEN_B, [1, 0, 1]) == [1, 0, 1]


def test_without_backtracking_nothing_is_dropped(pipeline):
    asked = A_THEN_B
    told = []
    assert fits(asked, fewest_slots(asked, [], backtrack=0, progress=told.append))
    assert told[-1] == 1.0


@pytest.fixture(scope="module")
def cuts(pipeline):
    return cut(generate_graphs(pipeline(), 10.0, num_episodes=10), "agent")


def test_the_pipeline_needs_no_more_slots_than_its_largest_partition(cuts):
    found = schedule(cuts)
    assert len(found) == 13
    assert [found.kinds[slot] for slot in found.slots][-1] == "agent"
    assert len(schedule(cuts, Supergraph.GENERATIONAL)) == 16
    assert len(schedule(cuts, Supergraph.TOPOLOGICAL)) == 37


def test_uniform_modes_have_a_slot_of_every_kind_in_each_generation(cuts):
    for mode in (Supergraph.GENERATIONAL, Supergraph.TOPOLOGICAL):
        found = schedule(cuts, mode)
        last = found.generation[-1]
        for generation in range(last):
            kinds = [
                k for k, g in zip(found.slots, found.generation, strict=True) if g == generation
            ]
            assert [found.kinds[kind] for kind in kinds] == ["actuator", "hidden", "sensor"]
        assert found.generation.count(last) == 1


def test_the_graph_of_the_slots_is_in_order(cuts):
    for mode in Supergraph:
        found = schedule(cuts, mode)
        assert list(found.graph) == list(range(len(found)))
        assert all(before < after for before, after in found.graph.edges)
        generation = nx.get_node_attributes(found.graph, "generation")
        assert all(generation[a] < generation[b] for a, b in found.graph.edges)
        assert nx.get_node_attributes(found.graph, "kind")[len(found) - 1] == "agent"
        assert nx.ancestors(found.graph, len(found) - 1) == set(range(len(found) - 1))


def test_a_supergraph_is_its_own_start(cuts):
    first = schedule(cuts)
    again = schedule(cuts, S_init=first.graph)
    assert nx.utils.graphs_equal(again.graph, first.graph)


def test_a_start_of_another_network_stays_inside(quiet, cuts):
    start = nx.DiGraph()
    start.add_node("x", kind="actuator")
    start.add_node("y", kind="hidden")
    start.add_node("boss", kind="agent")
    start.add_edges_from([("y", "x"), ("x", "boss")])
    found = schedule(cuts, S_init=start)
    assert [found.kinds[slot] for slot in found.slots[:2]] == ["hidden", "actuator"]
    assert {(0, 1), (1, len(found) - 1)} <= set(found.graph.edges)
    assert found.fits[:, -1].all()


def test_more_orders_of_dropping_find_no_more_slots(quiet):
    nodes = [
        quiet(name, rate, delay=Uniform(0, 0.2))
        for name, rate in zip("abc", (9, 7, 5), strict=True)
    ]
    for receiver, sender in itertools.permutations(nodes, 2):
        receiver.connect(sender, delay=Uniform(0.0001, 0.3))
    cuts = cut(generate_graphs(nodes, 20.0), "c")
    sizes = [len(schedule(cuts, backtrack=count)) for count in (0, 1, 5, 20)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= len(schedule(cuts, Supergraph.GENERATIONAL))


SCRIPT = """
import jax.numpy as jnp
from bionet.graph import BaseNode, Uniform, generate_graphs
from bionet.graph.schedule.partition import cut
from bionet.graph.schedule.supergraph import schedule

class Quiet(BaseNode):
    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(2)
    def step(self, step_state):
        return step_state, jnp.zeros(2)

nodes = [Quiet(name, rate, delay=Uniform(0, 0.1)) for name, rate in zip("abcd", (20, 15, 10, 7))]
for at, receiver in enumerate(nodes):
    receiver.connect(nodes[at - 1], delay=Uniform(0.0001, 0.1))
    receiver.connect(nodes[at - 2], delay=Uniform(0.0001, 0.1))
found = schedule(cut(generate_graphs(nodes, 10.0, num_episodes=2), "c"))
print(found.slots, sorted(found.graph.edges), int(found.fits.sum()))
"""


@pytest.mark.slow
def test_every_process_finds_the_same_slots(monkeypatch):
    told = set()
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120
        )
        told.add(ran.stdout)
    assert len(told) == 1
    assert len(told.pop()) > 50


def start_of(*edges, **kinds):
    graph = nx.DiGraph()
    for node, kind in kinds.items():
        graph.add_node(node, kind=kind)
    graph.add_edges_from(edges)
    return graph


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"mode": "mcs"}, TypeError, "supergraph: needs a bionet.graph.Supergraph, got 'mcs'."),
        ({"backtrack": -1}, ValueError, "backtrack: needs 0 or more, got -1."),
        (
            {"S_init": start_of(a="sensr")},
            ValueError,
            "S_init: No node that runs is named 'sensr'. Did you mean 'sensor'?",
        ),
        (
            {"S_init": start_of(("a", "b"))},
            ValueError,
            "S_init: node 'a' needs the attribute 'kind'",
        ),
        (
            {"S_init": start_of(("a", "b"), ("b", "a"), a="sensor", b="hidden")},
            ValueError,
            "S_init: needs to be without cycles, but has 'a' -> 'b' in one.",
        ),
        (
            {"S_init": start_of(a="agent", b="agent")},
            ValueError,
            "S_init: the supervisor 'agent' has one slot, after all others; got 2",
        ),
        (
            {"S_init": start_of(("a", "b"), a="agent", b="hidden")},
            ValueError,
            "or one with an edge that leaves it.",
        ),
    ],
)
def test_what_cannot_be_asked_for_is_told(cuts, says, options, kind, sentence):
    with says(kind, sentence):
        schedule(cuts, **options)
