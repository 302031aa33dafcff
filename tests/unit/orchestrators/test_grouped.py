"""`GroupedOrchestrator`: at once within a group, groups in the order given, each row once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.senders import SENDERS
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState

ONE_BY_ONE = {"first": (1,), "second": (2,)}
TOGETHER = {"hidden": (1, 2)}


def grouped(groups):
    return functools.partial(GroupedOrchestrator, groups=groups)


@pytest.fixture
def relay(dense, binary):
    """Builds 1 - 1 - 1 - 1 - 1 with weights of one and no recurrence, in these groups."""
    unit, sign = lambda: dense([[1.0]]), lambda: binary([[0.0]])
    rows = {i: {i - 1: unit(), i: sign()} for i in (1, 2, 3)}
    lmap = LayerMap.from_dict(rows | {4: {3: unit(), 4: OutputLayer()}})
    return lambda groups: GroupedOrchestrator(lmap, groups)


def after_a_step(network):
    start = SequentialState((1, 1, 1, 1, 1)).init([[-1.0]], [[5.0]])
    state, _ = network.step(start, rng=None)
    assert (state[0].item(), state[4].item()) == (-1.0, 5.0)
    return [state[i].item() for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("groups", "seen"),
    [
        # Silence says +1; what has seen the input says -1.
        ({"a": (1,), "b": (2,), "c": (3,)}, [-1, -1, -1]),
        ({"a": (1, 2, 3)}, [-1, 1, 1]),
        ({"a": (1,), "b": (2, 3)}, [-1, -1, 1]),
        ({"a": (1, 2), "b": (3,)}, [-1, 1, 1]),
        ({"b": (2, 3), "a": (1,)}, [-1, 1, 1]),
        ({"odd": (3, 1), "even": (2,)}, [-1, -1, 1]),
        # The output's row may be named, with others or alone, and is left alone.
        ({"sensory": (1, 2), "motor": (3, 4)}, [-1, 1, 1]),
        ({"a": (4,), "b": (1,), "c": (2,), "d": (3,)}, [-1, -1, -1]),
    ],
)
def test_groups_go_one_after_the_other_in_the_order_given(relay, groups, seen):
    assert after_a_step(relay(groups)) == seen


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("senders", SENDERS)
@pytest.mark.parametrize(
    ("groups", "twin"), [(ONE_BY_ONE, SequentialOrchestrator), (TOGETHER, SynchronousOrchestrator)]
)
def test_the_two_ends_are_the_sequential_and_the_synchronous_one(
    make_network, same_bits, groups, twin, senders, exact
):
    states = []
    for kind in (grouped(groups), twin):
        network = make_network(2, seed=3, exact=exact, orchestrator=kind)
        state = network.clamped
        for _ in range(3):
            state, _ = network.orchestrator.step(state, rng=None, senders=senders)
        states.append((state, network.orchestrator.predict(state)))
    same_bits(*states)
    learned = [
        make_network(2, orchestrator=kind).orchestrator.backward(states[0][0]).lmap
        for kind in (grouped(groups), twin)
    ]
    same_bits(*learned)


@pytest.mark.parametrize(
    ("groups", "twin"), [(ONE_BY_ONE, SequentialOrchestrator), (TOGETHER, SynchronousOrchestrator)]
)
def test_keys_are_drawn_as_there(two_hidden, same_bits, noisy, groups, twin):
    rows = two_hidden.orchestrator.lmap.to_dict()
    rows[1][0] = noisy.orchestrator.lmap[1, 0]
    lmap = LayerMap.from_dict(rows)
    expected = twin(lmap).step(two_hidden.clamped, rng=jax.random.PRNGKey(2))
    same_bits(
        GroupedOrchestrator(lmap, groups).step(two_hidden.clamped, rng=jax.random.PRNGKey(2)),
        expected,
    )


def test_odd_rows_and_then_even_ones_are_one_by_one_in_a_chain(dense, binary, same_bits):
    # Three rows that hear their neighbours alone: rows 1 and 3 have nothing to say to each other.
    draw = np.random.default_rng(5)
    rows = {}
    for i in (1, 2, 3):
        heard = {j: dense(draw.integers(-2, 3, (4, 4)) / 2) for j in (i - 1, i + 1) if j < 4}
        rows[i] = heard | {i: binary(draw.integers(-2, 3, (4, 4)) / 2)}
    lmap = LayerMap.from_dict(rows | {4: {3: dense(np.eye(4)), 4: OutputLayer()}})
    start = SequentialState((4, 4, 4, 4, 4)).init(draw.choice([-1.0, 1.0], (6, 4)))
    states = []
    for groups in ({"odd": (1, 3), "even": (2,)}, {"a": (1,), "b": (3,), "c": (2,)}):
        state, _ = settle(GroupedOrchestrator(lmap, groups), start, max_steps=3, phase="clamped")
        states.append(state)
    same_bits(*states)
    other, _ = settle(SynchronousOrchestrator(lmap), start, max_steps=3, phase="clamped")
    assert not all(np.array_equal(a, b) for a, b in zip(other.buffers, state.buffers, strict=True))


def test_rows_of_a_group_by_its_name(relay, says):
    network = relay({"sensory": (2, 1), "motor": (3, 4)})
    assert network.rows_in("sensory") == (1, 2)
    assert network.rows_in("motor") == (3, 4)
    with says(
        ValueError, "GroupedOrchestrator: No group is named 'sensry'. Did you mean 'sensory'?"
    ):
        network.rows_in("sensry")


def test_other_groups_are_another_program_and_other_numbers_are_not(relay):
    structures = [
        jax.tree.structure(relay(groups)) for groups in ({"a": (1, 2), "b": (3,)}, {"a": (1, 2, 3)})
    ]
    assert structures[0] != structures[1]
    network = relay({"a": [1, 2], "b": np.array([3])})
    assert jax.tree.structure(jax.tree.map(jnp.zeros_like, network)) == structures[0]


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            {"sensory": (1, 2), "motor": (3, 7)},
            "group 'motor' names row 7, but the layer map has rows 1, 2, 3, 4. Did you mean 4?",
        ),
        ({"a": (0, 1, 2, 3)}, "group 'a' names row 0, but the layer map has rows 1, 2, 3, 4."),
        ({"a": (1, 2, -1)}, "group 'a' names row -1, but the layer map has rows 1, 2, 3, 4."),
        ({"a": (1, 2), "b": (2, 3)}, "row 2 is in group 'a' and again in group 'b'; a row is"),
        (
            {"a": (1, 2, 3, 3)},
            "row 3 is in group 'a' and again in group 'a'; a row is updated once",
        ),
        (
            {"a": (1,), "b": (3,)},
            "row 2 is in no group; each row but the last, 4, needs one of 'a', ",
        ),
        ({}, "row 1 is in no group; each row but the last, 4, needs one"),
        ({"a": (1, 2, 3), "b": ()}, "group 'b' has no rows; give it some, or leave it out."),
    ],
)
def test_groups_that_are_wrong(relay, says, groups, sentence):
    with says(ValueError, f"GroupedOrchestrator: {sentence}"):
        relay(groups)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ([(1, 2), (3,)], "groups needs a dict of names and rows, such as"),
        ({1: "sensory"}, "groups needs names that are strings, got 1;"),
        ({"a": 3}, "group 'a' needs a tuple of rows, got 3; write (1,) for the row 1 alone."),
        ({"a": "123"}, "group 'a' needs a tuple of rows, got '123';"),
        ({"a": (1, 2.0)}, "group 'a' needs ints, got the row 2.0."),
        ({"a": (True, 2)}, "group 'a' needs ints, got the row True."),
    ],
)
def test_groups_of_another_kind(relay, says, groups, sentence):
    with says(TypeError, f"GroupedOrchestrator: {sentence}"):
        relay(groups)


def test_predict_writes_the_last_buffer_and_a_longer_state_is_refused(relay, says):
    network = relay({"a": (1, 2), "b": (3, 4)})
    state = SequentialState((1, 1, 1, 1, 1)).init([[1.0]], [[5.0]]).replace(3, -jnp.ones((1, 1)))
    answer, _ = network.predict(state)
    assert [buffer.item() for buffer in answer.buffers] == [1.0, 0.0, 0.0, -1.0, -1.0]
    for run in (network.predict, lambda s: network.step(s, rng=None), network.backward):
        with says(ValueError, "The state has 6 buffers, but the last row of the layer map is 4"):
            run(SequentialState((1,) * 6).init([[1.0]]))


def test_layers_is_a_layer_map(says):
    with says(TypeError, "GroupedOrchestrator: layers needs a LayerMap, got dict;"):
        GroupedOrchestrator(layers={}, groups={"a": (1,)})
