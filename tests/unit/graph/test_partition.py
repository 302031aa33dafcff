"""Cuts: what has been taken at each step of the supervisor, and what is left for nobody."""

import networkx as nx
import numpy as np
import pytest

from bionet.graph import ComputationGraph, Edge, Uniform, Vertex, generate_graphs, stack_graphs
from bionet.graph.schedule.partition import cut, demands
from bionet.graph.schedule.windows import apply_windows, to_networkx


@pytest.fixture
def three(quiet):
    """A sensor, a supervisor that hears it late, and a lamp that hears both and is not heard."""
    eye, boss = quiet("eye", 50, delay=0.002), quiet("boss", 10, delay=0.002)
    lamp = quiet("lamp", 20)
    boss.connect(eye, delay=0.03)
    lamp.connect(boss)
    lamp.connect(eye)
    return [eye, boss, lamp]


def test_a_partition_holds_what_has_started_and_is_needed(three):
    cuts = cut(generate_graphs(three, 0.5), "boss")
    assert cuts.kinds == ("boss", "eye")
    assert cuts.supervisor == "boss"
    assert cuts.steps == 5
    boss, eye = cuts.counts[0].T
    assert boss.tolist() == [0, 1, 2, 3, 4, 5]
    # The eye starts at 0, 20, ... 80 and 100 ms. What arrives after 400 ms is for nobody: the
    # last that the supervisor sees was made at 360 ms.
    assert eye.tolist() == [0, 1, 6, 11, 16, 19]


def test_without_pruning_all_that_has_started_is_in(three):
    cuts = cut(generate_graphs(three, 0.5), "boss", prune=False)
    assert cuts.kinds == ("boss", "eye", "lamp")
    assert cuts.counts[0, :, 1].tolist() == [0, 1, 6, 11, 16, 21]
    assert cuts.counts[0, :, 2].tolist() == [0, 1, 3, 5, 7, 9]


def test_what_waits_for_the_supervisor_comes_after_it(quiet):
    boss, hand = quiet("boss", 10), quiet("hand", 10)
    hand.connect(boss)
    cuts = cut(generate_graphs([boss, hand], 0.5), "boss", prune=False)
    # The hand ticks at the same instant, but sees what the supervisor has just made.
    assert cuts.counts[0, :, cuts.kinds.index("hand")].tolist() == [0, 0, 1, 2, 3, 4]


def test_a_node_that_is_skipped_is_waited_for_by_nobody(three):
    cuts = cut(generate_graphs(three, 0.5), "boss", skip=frozenset({"eye"}))
    assert cuts.kinds == ("boss",)


@pytest.mark.slow
@pytest.mark.parametrize("prune", [True, False])
def test_nobody_waits_for_a_later_partition_and_nobody_needed_is_left_out(quiet, prune):
    a, b, c, d = (
        quiet(name, rate, delay=Uniform(0, 0.6 / rate))
        for name, rate in (("a", 30), ("b", 20), ("c", 10), ("d", 7))
    )
    for receiver, sender in ((b, a), (c, b), (a, c), (d, c), (b, d), (d, d)):
        receiver.connect(sender, delay=Uniform(0.001, 0.1))
    graphs = generate_graphs([a, b, c, d], 3.0, num_episodes=2)
    cuts = cut(graphs, "c", prune=prune)
    sizes = dict.fromkeys(graphs.edges, 1)
    for episode in range(2):
        graph = to_networkx(apply_windows(graphs, sizes), episode)
        part = {
            (kind, seq): int(np.searchsorted(cuts.counts[episode, :, at], seq, "right"))
            for at, kind in enumerate(cuts.kinds)
            for seq in range(cuts.counts[episode, -1, at])
        }
        last = ("c", cuts.steps - 1)
        needed = nx.ancestors(graph, last) | {last}
        assert needed <= part.keys()
        if prune:
            assert needed == part.keys()
        for before, after in graph.edges:
            if after in part:
                assert part[before] <= part[after]
                # The supervisor is the last of its partition.
                assert before[0] != "c" or part[before] < part[after]


def test_recorded_times_only_say_what_is_steady():
    # The eye starts long after its message was seen, by a clock of its own.
    graph = ComputationGraph(
        {"boss": Vertex([0, 1], [5, 9], [5, 9]), "eye": Vertex([0, 1], [90, 99], [90, 99])},
        {("boss", "eye"): Edge([0, 1], [0, 1], [4, 8])},
    )
    assert cut(graph, "boss").counts.tolist() == [[[0, 0], [1, 1], [2, 2]]]


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_of_two_connections_the_one_that_needs_more_counts(names):
    boss, eye = (Vertex(np.arange(3), np.arange(3) + at, np.arange(3) + at) for at in (9, 0))
    now, late = (Edge([0, 1, 2], seq_in, [9, 9, 9], sender="eye") for seq_in in ([0] * 3, [2] * 3))
    edges = dict(zip([("boss", name) for name in names], (now, late), strict=True))
    found = cut(ComputationGraph({"boss": boss, "eye": eye}, edges), "boss")
    assert next(iter(found.waits.values())).tolist() == [[3, 3, 3]]


def test_the_shortest_episode_says_how_many_steps_there_are(three):
    long, short = generate_graphs(three, 0.5), generate_graphs(three, 0.3)
    assert cut(stack_graphs([long, short]), "boss").steps == 3


def test_an_episode_without_a_step_of_the_supervisor_is_told(says):
    graph = ComputationGraph({"boss": Vertex([], [], []), "eye": Vertex([0], [0], [0])})
    with says(ValueError, "Graph: the supervisor 'boss' takes no step in one of the episodes"):
        cut(graph, "boss")


def test_partitions_that_ask_for_the_same_are_one(three):
    cuts = cut(generate_graphs(three, 2.0, num_episodes=3), "boss", prune=False)
    asked, which = demands(cuts)
    assert which.shape == (3, 20)
    assert len(asked.counts) == 2
    assert (which[:, 1:] == which[0, 1]).all()
    assert asked.counts[which[0, 1]].tolist() == [0, 5, 2]
    # Of the two lamps the first is at 50 ms, when the two at 20 and 40 ms have ended.
    (needs,) = asked.waits.values()
    assert needs[which[0, 1]][:2].tolist() == [2, 4]


def test_partitions_of_the_same_steps_in_another_order_are_two():
    starts = {"boss": [5, 15], "eye": [1, 11], "hand": [2, 12]}
    vertices = {name: Vertex([0, 1], ts, ts) for name, ts in starts.items()}
    edges = {
        ("boss", "eye"): Edge([0, 1], [0, 1], [5, 15]),
        ("boss", "hand"): Edge([0, 1], [0, 1], [5, 15]),
        ("hand", "eye"): Edge([0], [0], [2]),
        ("eye", "hand"): Edge([0], [1], [11]),
    }
    asked, which = demands(cut(ComputationGraph(vertices, edges), "boss"))
    assert asked.counts.tolist() == [[0, 1, 1], [0, 1, 1]]
    assert len(set(which[0])) == 2


def test_the_mirror_image_of_a_mirror_image(three):
    asked, _ = demands(cut(generate_graphs(three, 2.0), "boss", prune=False))
    mirrored = asked.reversed()
    assert (mirrored.counts == asked.counts).all()
    assert list(mirrored.waits) == [(b, a) for a, b in asked.waits]
    # Whoever runs all from the end has run all: both ways nobody is left waiting.
    for demand in (asked, mirrored, mirrored.reversed()):
        done = demand.nothing_done()
        for _ in range(8):
            for kind in range(demand.kinds):
                done[:, kind] += demand.ready(done, kind)
        assert (done == demand.counts).all()
