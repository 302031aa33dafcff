"""The tables: every step in its slot, with its times and windows, in whole numbers."""

import jax
import numpy as np
import pytest

from bionet.graph import ComputationGraph, Supergraph, Vertex, generate_graphs
from bionet.graph.schedule.partition import cut
from bionet.graph.schedule.supergraph import schedule
from bionet.graph.schedule.tabulate import check_timings, make_timings
from bionet.graph.schedule.timings import Timings
from bionet.graph.schedule.windows import apply_windows


def tables(graphs, supervisor, mode=Supergraph.MCS, prune=True, window=1):
    found = schedule(cut(graphs, supervisor, prune), mode)
    return make_timings(found, apply_windows(graphs, dict.fromkeys(graphs.edges, window)))


@pytest.fixture
def pair(quiet):
    """An eye at 20 Hz and a hand at 10 Hz that hears it after 60 ms."""
    eye, hand = quiet("eye", 20), quiet("hand", 10, delay=0.01)
    hand.connect(eye, delay=0.06)
    return generate_graphs([eye, hand], 0.5)


def test_a_table_by_hand(pair):
    found = tables(pair, "hand", window=2)
    assert found.slots == ("eye", "eye", "hand")
    assert found.num_steps == 5
    eye, hand = found.nodes["eye"], found.nodes["hand"]
    # The eye's step at 400 ms arrives too late for the last step of the hand.
    assert eye.seq.tolist() == [[[0, -1], [1, 2], [3, 4], [5, 6], [-1, -1]]]
    assert eye.run.tolist() == (eye.seq >= 0).tolist()
    assert eye.ts_start[0, 1].tolist() == [50_000, 100_000]
    assert hand.seq.tolist() == [[[0], [1], [2], [3], [4]]]
    assert hand.ts_end[0, :, 0].tolist() == [10_000, 110_000, 210_000, 310_000, 410_000]
    seen = hand.windows["eye"]
    assert seen.seq[0, :, 0].tolist() == [[-1, -1], [-1, 0], [1, 2], [3, 4], [5, 6]]
    assert seen.ts_recv[0, 2, 0].tolist() == [110_000, 160_000]


def test_buffers_hold_the_oldest_output_that_is_read(pair):
    # At 200 ms the eye has taken 5 steps, and the hand reads its messages 1 and 2.
    assert tables(pair, "hand", prune=False, window=2).buffer_sizes == {"eye": 4, "hand": 1}
    assert tables(pair, "hand", prune=False, window=1).buffer_sizes == {"eye": 3, "hand": 1}


def test_checking_finds_steps_that_come_too_early(quiet):
    eye, hand = quiet("eye", 20), quiet("hand", 10)
    hand.connect(eye)
    raw = generate_graphs([eye, hand], 0.5)
    graphs = apply_windows(raw, dict.fromkeys(raw.edges, 1))
    found = tables(raw, "hand")
    check_timings(found, graphs)
    at_once = Timings(found.nodes, found.slots, (0, 0, 0), found.kept)
    with pytest.raises(RuntimeError, match="step 0 of 'hand' in episode 0 comes too early"):
        check_timings(at_once, graphs)
    skipped = jax.tree.map(lambda leaf: leaf, found)
    skipped.nodes["eye"].seq[0, 1, 1] += 1
    with pytest.raises(RuntimeError, match="'eye' in episode 0 comes too early, by its own order"):
        check_timings(skipped, graphs)


@pytest.mark.parametrize("mode", list(Supergraph))
@pytest.mark.parametrize("prune", [True, False])
def test_every_step_is_in_one_slot_with_its_own_times(pipeline, mode, prune):
    graphs = generate_graphs(pipeline(share=0.6), 3.0, num_episodes=3)
    found = tables(graphs, "agent", mode, prune, window=2)
    windows = apply_windows(graphs, dict.fromkeys(graphs.edges, 2)).windows
    for kind, node in found.nodes.items():
        assert node.run.shape == (3, found.num_steps, found.slots.count(kind))
        for episode in range(3):
            run = node.run[episode]
            seq = node.seq[episode][run]
            assert seq.tolist() == list(range(len(seq)))
            vertex = graphs.vertices[kind]
            assert np.array_equal(node.ts_start[episode][run], vertex.ts_start[episode, : len(seq)])
            for name, window in node.windows.items():
                of_graph = windows[kind, name].seq[episode, : len(seq)]
                assert np.array_equal(window.seq[episode][run], of_graph)
    leaves = jax.tree.leaves(found)
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.int32), np.dtype(bool)}


def test_times_that_do_not_fit_are_told(says):
    late = 2_147_483_648
    graph = ComputationGraph({"boss": Vertex([0], [late], [late])})
    with says(
        ValueError, "Graph: node 'boss' runs until 2,147 s, but times fit up to 2,147 s; cut"
    ):
        tables(graph, "boss")
