"""Windows: the last messages that have come in, and what there is before the first."""

import networkx as nx
import numpy as np
import pytest

from bionet.graph import ComputationGraph, Edge, Uniform, Vertex, generate_graphs
from bionet.graph.schedule.windows import apply_windows, message_windows, newest_seen, to_networkx


@pytest.fixture
def recorded():
    """Seven messages of which one got lost and one came too late, for three steps."""
    return ComputationGraph(
        {
            "eye": Vertex(np.arange(7), np.arange(7) * 10, np.arange(7) * 10 + 3),
            "hand": Vertex([0, 1, 2], [5, 35, 45], [6, 36, 46]),
        },
        {("hand", "eye"): Edge(np.arange(7), [1, 1, -1, 1, 2, -1, -1], np.arange(7) * 10 + 4)},
    )


def test_a_window_is_the_last_messages_filled_up_from_the_front(recorded):
    found = message_windows(recorded.stacked(), ("hand", "eye"), 3)
    assert found.seq.tolist() == [[[-1, -1, -1], [0, 1, 3], [1, 3, 4]]]
    assert found.ts_sent.tolist() == [[[0, 0, 0], [3, 13, 33], [13, 33, 43]]]
    assert found.ts_recv.tolist() == [[[0, 0, 0], [4, 14, 34], [14, 34, 44]]]
    one = message_windows(recorded.stacked(), ("hand", "eye"), 1)
    assert one.seq.tolist() == [[[-1], [3], [4]]]
    assert newest_seen(recorded.stacked(), ("hand", "eye")).tolist() == [[-1, 3, 4]]


def test_a_window_larger_than_an_episode_stays_filled_up(recorded):
    found = message_windows(recorded.stacked(), ("hand", "eye"), 9).seq[0, 2]
    assert found.tolist() == [-1, -1, -1, -1, -1, 0, 1, 3, 4]


def test_a_connection_may_carry_some_of_the_steps_alone(recorded):
    some = Edge([1, 4, 6], [0, 1, -1], [14, 44, 64])
    graph = ComputationGraph(recorded.vertices, {("hand", "eye"): some}).stacked()
    found = message_windows(graph, ("hand", "eye"), 2)
    assert found.seq.tolist() == [[[-1, 1], [1, 4], [1, 4]]]
    assert found.ts_sent.tolist() == [[[0, 13], [13, 43], [13, 43]]]
    assert found.ts_recv.tolist() == [[[0, 14], [14, 44], [14, 44]]]


def test_a_connection_without_messages_shows_what_was_there_before():
    graph = ComputationGraph(
        {"eye": Vertex([0], [5], [6]), "hand": Vertex([0, 1], [0, 1], [0, 1])},
        {("hand", "eye"): Edge([], [], [])},
    )
    assert message_windows(graph.stacked(), ("hand", "eye"), 2).seq.tolist() == [[[-1, -1]] * 2]


def plainly(edge, steps, window):
    rows = []
    for step in range(steps):
        seen = [
            out
            for out, at in zip(edge.seq_out, edge.seq_in, strict=True)
            if out >= 0 and 0 <= at <= step
        ]
        rows.append(([-1] * window + seen)[-window:])
    return rows


@pytest.mark.parametrize("window", [1, 2, 4])
def test_windows_agree_with_looking_at_every_message(quiet, window):
    eye, hand = quiet("eye", 30, delay=Uniform(0, 0.05)), quiet("hand", 20, delay=Uniform(0, 0.09))
    hand.connect(eye, delay=Uniform(0, 0.2))
    graphs = generate_graphs([eye, hand], 2.0, num_episodes=4)
    found = apply_windows(graphs, {("hand", "eye"): window}).windows["hand", "eye"]
    for episode, graph in enumerate(graphs):
        steps = len(graph.vertices["hand"].seq)
        rows = found.seq[episode]
        assert rows[:steps].tolist() == plainly(graph.edges["hand", "eye"], steps, window)
        assert (rows[steps:] == -1).all()


def test_an_episode_as_a_networkx_graph(recorded):
    graph = to_networkx(apply_windows(recorded, {("hand", "eye"): 2}), 0)
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.nodes["hand", 1] == {"kind": "hand", "seq": 1, "ts_start": 35, "ts_end": 36}
    assert sorted(graph.predecessors(("hand", 2))) == [("eye", 3), ("eye", 4), ("hand", 1)]
    assert graph.edges[("eye", 3), ("hand", 1)] == {"input": "eye"}
    assert graph.number_of_nodes() == 10
