"""Computation graphs: what they hold, how episodes are stacked, and what is no graph."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import (
    ComputationGraph,
    Edge,
    GraphState,
    InputState,
    StepState,
    Vertex,
    stack_graphs,
    ticks,
)


def graph(**changed):
    vertices = {"hand": Vertex([0], [70], [80]), "eye": Vertex([0, 1], [0, 50], [10, 60])}
    edges = {("hand", "eye"): Edge([0, 1], [0, 0], [15, 65])}
    return ComputationGraph(vertices | changed.get("vertices", {}), changed.get("edges", edges))


def test_seconds_become_the_nearest_tick():
    assert ticks(0.1) == 100_000
    assert ticks([0.0, 1.4e-6, 1.6e-6]).tolist() == [0, 1, 2]
    assert ticks(np.float32(0.02)) == 20_000


def test_names_are_sorted_and_an_input_is_named_after_its_sender():
    found = graph()
    assert list(found.vertices) == ["eye", "hand"]
    assert found.senders == {("hand", "eye"): "eye"}
    other = graph(edges={("hand", "late"): Edge([0], [0], [65], sender="eye")})
    assert other.senders == {("hand", "late"): "eye"}


def test_episodes_are_filled_up_and_come_out_as_they_went_in(same_bits):
    short, long = graph(), graph(vertices={"hand": Vertex([0, 1], [70, 90], [80, 95])})
    both = stack_graphs([short, long])
    assert both.num_episodes == 2
    assert both.vertices["hand"].seq.tolist() == [[0, -1], [0, 1]]
    assert both.vertices["hand"].counts.tolist() == [1, 2]
    for one, found in zip((short, long), both, strict=True):
        same_bits(found, one)
    same_bits(stack_graphs(both), both)
    same_bits(stack_graphs([both, short])[2], short)


def test_one_episode_is_a_graph_too():
    assert graph().num_episodes == 1
    assert graph().stacked().vertices["eye"].seq.shape == (1, 2)
    with pytest.raises(IndexError, match="episodes 0 to 0, but not 1"):
        graph()[1]


@pytest.mark.parametrize(
    ("vertices", "edges", "sentence"),
    [
        ({"eye": Vertex([1, 2], [0, 50], [10, 60])}, None, "node 'eye' needs seq 0, 1, 2"),
        ({"eye": Vertex([0, 1], [0, 50], [10, 40])}, None, "node 'eye' ends before it starts"),
        (
            {"eye": Vertex([0, 1], [50, 0], [60, 60])},
            None,
            "node 'eye' starts before the one before",
        ),
        ({"eye": Vertex([0, 1], [0, 50], [10])}, None, "node 'eye' needs arrays of one shape"),
        ({"hand": Vertex([[0]], [[1]], [[1]])}, None, "needs shape ('count',)"),
        ({}, {("hand", "ear"): Edge([0], [0], [1])}, "there is no node 'ear'; there are eye, hand"),
        ({}, {("foot", "eye"): Edge([0], [0], [1])}, "from 'eye' to 'foot', but there is no"),
        ({}, {("hand", "eye"): Edge([0, 2], [0, 0], [1, 1])}, "has seq_out 2, but an episode"),
        ({}, {("hand", "eye"): Edge([0, 1], [0, 1], [1, 1])}, "has seq_in 1, but an episode"),
        ({}, {("hand", "eye"): Edge([1, 0], [0, 0], [1, 1])}, "needs seq_out in ascending order"),
        ({}, {("hand", "eye"): Edge([-1, 0], [0, 0], [1, 1])}, "padding of -1 at the end"),
        ({}, {("hand", "eye"): Edge([0, -1], [0, 0], [1, 1])}, "padding of -1 at the end"),
        ({}, {("eye", "eye"): Edge([0, 1], [1, 0], [1, 1])}, "overtake one another"),
    ],
)
def test_what_is_no_graph_is_told(says, vertices, edges, sentence):
    with says(ValueError, sentence):
        graph(vertices=vertices, **({} if edges is None else {"edges": edges}))


def test_times_need_to_be_whole_ticks(says):
    with says(
        TypeError, "needs arrays of whole numbers, steps along the last axis; got shape (1,)"
    ):
        Vertex([0], [0.5], [1])
    with says(TypeError, "got shape () of dtype"):
        Vertex(0, [0], [1])


def test_graphs_that_differ_are_not_stacked(says):
    with says(ValueError, "stack_graphs: needs one graph at least, got none."):
        stack_graphs([])
    with says(ValueError, "stack_graphs: all graphs need the same nodes and connections"):
        stack_graphs([graph(), graph(edges={})])
    with says(ValueError, "ComputationGraph: needs one node at least, got none."):
        ComputationGraph({})


def test_a_window_is_read_from_its_end():
    seen = InputState(jnp.arange(3), jnp.arange(3) * 10, jnp.arange(3) * 10 + 5, jnp.eye(3))
    assert len(seen) == 3
    assert seen[-1].seq == 2
    assert seen[-1].data.tolist() == [0, 0, 1]
    assert seen[-2:].ts_recv.tolist() == [15, 25]


def test_states_are_pytrees_that_are_changed_by_name(says):
    blank = StepState(jax.random.key(0), jnp.array(0), jnp.array(0), {}, jnp.ones(2), {})
    changed = blank.replace(state=jnp.zeros(2))
    assert blank.state.sum() == 2
    assert changed.state.sum() == 0
    assert jax.tree.structure(changed) == jax.tree.structure(blank)
    with says(TypeError, "StepState has no field 'weights': rng, seq, ts, params, state, inputs"):
        blank.replace(weights=1)
    whole = GraphState(jnp.array(0), jnp.array(0), {}, {}, {}, {}, {}, {})
    assert whole.replace(step=jnp.array(3)).step == 3
