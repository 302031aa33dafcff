"""Every message says its own number, so that it is plain to see which one arrived."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import BaseNode, ComputationGraph, Edge, Graph, Supergraph, Vertex


class Teller(BaseNode):
    """Says the number of its step, and -1 before the first, as a window does."""

    def init_output(self, rng=None, graph_state=None):
        return jnp.int32(-1)

    def step(self, step_state):
        return step_state, step_state.seq


@pytest.fixture(scope="module")
def nodes():
    """An eye and a hand that hear each other, and a boss that hears both and itself."""
    eye, hand, boss = (Teller(name, 10) for name in ("eye", "hand", "boss"))
    hand.connect(eye)
    hand.connect(eye, window=2, name="late")
    eye.connect(hand, window=2)
    boss.connect(eye, window=2)
    boss.connect(hand)
    boss.connect(boss, window=2)
    return [eye, hand, boss]


@pytest.fixture(scope="module")
def recorded():
    """Five steps of each; the eye and the hand go first in turn."""
    starts = {"eye": [1, 13, 21, 33, 41], "hand": [2, 12, 22, 32, 42], "boss": range(10, 60, 10)}
    vertices = {name: Vertex(range(5), ts, ts) for name, ts in starts.items()}
    seen = {
        ("hand", "eye"): [0, 2, 2, 4, 4],
        ("eye", "hand"): [1, 1, 3, 3, -1],
        ("boss", "eye"): range(5),
        ("boss", "hand"): range(5),
        ("boss", "boss"): [1, 2, 3, 4, -1],
        # The first three come together, long after they were sent.
        ("hand", "late"): [3, 3, 3, 4, -1],
    }
    edges = {
        key: Edge(range(5), seq_in, [99] * 5, sender="eye" if key[1] == "late" else None)
        for key, seq_in in seen.items()
    }
    return ComputationGraph(vertices, edges)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Supergraph.MCS, Supergraph.GENERATIONAL])
def test_what_is_heard_is_what_the_schedule_says(nodes, recorded, mode):
    graph = Graph(nodes, "boss", recorded, supergraph=mode)
    # Who goes second in one step goes first in the next: one of the two has a slot left over.
    assert len(graph.S) == {Supergraph.MCS: 4, Supergraph.GENERATIONAL: 5}[mode]
    state = graph.init_record(graph.init(), inputs=True)
    record = jax.jit(graph.rollout)(state).aux["record"]
    for node in nodes:
        for name, seen in record[node.name].inputs.items():
            expected = graph.graphs.windows[node.name, name].seq[0, :4]
            np.testing.assert_array_equal(seen.seq[:4], expected)
            np.testing.assert_array_equal(seen.data[:4], expected)
    assert record["hand"].inputs["late"].data[:4].tolist() == [[-1, -1]] * 3 + [[1, 2]]
