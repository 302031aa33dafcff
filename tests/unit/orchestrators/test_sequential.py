"""`SequentialOrchestrator`: who is written, who is heard, in which order, with which key."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.senders import SENDERS
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState


@pytest.fixture(scope="module")
def running(two_hidden):
    """A state of the two-hidden network in which every buffer holds something."""
    state = two_hidden.clamped
    for _ in range(2):
        state, _ = two_hidden.orchestrator.step(state, rng=None)
    return state


def with_opposite_labels(state):
    return state.replace(-1, -state[-1])


def hidden_of(state):
    return [np.asarray(buffer) for buffer in state.buffers[1:-1]]


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_the_published_signatures():
    def names(method):
        return list(inspect.signature(method).parameters)

    assert names(SequentialOrchestrator) == ["layers"]
    assert names(SequentialOrchestrator.step)[:3] == ["self", "state", "rng"]
    assert names(SequentialOrchestrator.step_inference)[:3] == ["self", "state", "rng"]
    assert names(SequentialOrchestrator.predict)[:3] == ["self", "state", "rng"]
    assert names(SequentialOrchestrator.backward)[:3] == ["self", "state", "rng"]
    for method in (SequentialOrchestrator.step, SequentialOrchestrator.step_inference):
        kind = inspect.signature(method).parameters["rng"].kind
        assert kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("senders", SENDERS)
def test_a_step_writes_neither_the_input_nor_the_output(network, senders):
    state, _ = network.orchestrator.step(network.clamped, rng=None, senders=senders)
    assert np.array_equal(state[0], network.x)
    assert np.array_equal(state[-1], network.y)
    assert all(np.abs(buffer).min() == 1 for buffer in hidden_of(state))


def test_a_step_of_inference_writes_neither_of_them(network):
    state, _ = network.orchestrator.step_inference(network.clamped, rng=None)
    assert np.array_equal(state[0], network.x)
    assert np.array_equal(state[-1], network.y)


def test_predict_writes_the_output_alone(two_hidden, running):
    state, _ = two_hidden.orchestrator.predict(running)
    assert same(state.buffers[:-1], running.buffers[:-1])
    expected = np.asarray(running[2]) @ np.asarray(two_hidden.orchestrator.lmap[3, 2].W)
    assert np.array_equal(state.readout, expected)


def test_the_answer_does_not_depend_on_what_the_output_held(two_hidden, running):
    predict = two_hidden.orchestrator.predict
    again, _ = predict(with_opposite_labels(running))
    assert np.array_equal(predict(running)[0].readout, again.readout)


def test_labels_reach_a_step_and_never_a_step_of_inference(network):
    state = network.clamped
    other = with_opposite_labels(state)
    orchestrator = network.orchestrator
    clamped = [hidden_of(orchestrator.step(s, rng=None)[0]) for s in (state, other)]
    assert not same(*clamped)
    for senders in ("forward", "unsupervised"):
        free = [
            hidden_of(orchestrator.step_inference(s, rng=None, senders=senders)[0])
            for s in (state, other)
        ]
        assert same(*free)


def test_no_later_layer_reaches_an_earlier_one_in_inference(two_hidden, running):
    step = two_hidden.orchestrator.step_inference
    other = running.replace(2, -running[2])
    assert np.array_equal(step(running, rng=None)[0][1], step(other, rng=None)[0][1])
    kept, _ = step(running, rng=None, senders="unsupervised")
    heard, _ = step(other, rng=None, senders="unsupervised")
    assert not np.array_equal(kept[1], heard[1])


def test_unsupervised_and_forward_differ_with_two_hidden_layers_alone(
    one_hidden, two_hidden, running
):
    def steps(network, state):
        return [
            hidden_of(network.orchestrator.step(state, rng=None, senders=senders)[0])
            for senders in ("unsupervised", "forward")
        ]

    assert same(*steps(one_hidden, one_hidden.clamped))
    assert not same(*steps(two_hidden, running))


def test_backward_takes_the_same_groups(two_hidden, running):
    orchestrator = two_hidden.orchestrator
    first = {
        senders: np.asarray(orchestrator.backward(running, senders=senders).lmap[1, 0].W)
        for senders in SENDERS
    }
    assert np.array_equal(first["forward"], orchestrator.backward(running).lmap[1, 0].W)
    assert not np.array_equal(first["forward"], first["unsupervised"])
    assert not np.array_equal(first["unsupervised"], first["all"])
    assert not np.array_equal(first["forward"], first["backward"])


def test_a_row_sees_what_this_step_has_made_of_the_rows_before_it(dense, binary):
    # 1 - 1 - 1 - 1 with weights of one and no recurrence: the sign of the input reaches the
    # second hidden unit within the first step.
    unit, sign = lambda: dense([[1.0]]), lambda: binary([[0.0]])
    lmap = LayerMap.from_dict(
        {1: {0: unit(), 1: sign()}, 2: {1: unit(), 2: sign()}, 3: {2: unit(), 3: OutputLayer()}}
    )
    state = SequentialState((1, 1, 1, 1)).init([[-3.0], [2.0]])
    state, _ = SequentialOrchestrator(layers=lmap).step(state, rng=None)
    assert np.array_equal(state[1], [[-1.0], [1.0]])
    assert np.array_equal(state[2], [[-1.0], [1.0]])
    assert np.array_equal(state[3], [[0.0], [0.0]])


def test_a_buffer_without_a_row_is_clamped(dense, binary):
    # Buffer 1 has no row: it is a second input, and steps leave it as it is.
    lmap = LayerMap.from_dict(
        {
            2: {0: dense([[1.0]]), 1: dense([[2.0]]), 2: binary([[0.0]])},
            3: {2: dense([[1.0]]), 3: OutputLayer()},
        }
    )
    state = SequentialState((1, 1, 1, 1)).init([[1.0], [1.0]])
    state = state.replace(1, jnp.array([[-1.0], [1.0]]))
    state, _ = SequentialOrchestrator(layers=lmap).step(state, rng=None)
    assert np.array_equal(state[1], [[-1.0], [1.0]])
    assert np.array_equal(state[2], [[-1.0], [1.0]])


def test_without_hidden_rows_a_step_does_nothing_and_the_readout_learns(dense):
    lmap = LayerMap.from_dict({1: {0: dense([[2.0], [0.0]], 1.0), 1: OutputLayer()}})
    perceptron = SequentialOrchestrator(layers=lmap)
    state = SequentialState((2, 1)).init([[1.0, 1.0]], [[-1.0]])
    after, _ = perceptron.step(state, rng=None)
    assert np.array_equal(after[0], state[0])
    assert np.array_equal(after[1], state[1])
    assert perceptron.predict(state)[0].readout.item() == 2.0
    assert (np.asarray(perceptron.backward(state).lmap[1, 0].W) > 0).all()


@pytest.mark.parametrize("rng", [None, jax.random.key(3), jax.random.PRNGKey(3)])
def test_a_deterministic_network_hands_the_key_back_untouched(network, rng):
    orchestrator, state = network.orchestrator, network.clamped
    for _, left in (
        orchestrator.step(state, rng=rng),
        orchestrator.step_inference(state, rng=rng),
        orchestrator.predict(state, rng),
    ):
        assert left is rng
    orchestrator.backward(state, rng)
    orchestrator.backward(state, rng=rng)


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_a_module_with_randomness_gets_a_fresh_key_in_each_step(noisy, make_key):
    orchestrator, blank = noisy.orchestrator, noisy.clamped
    first, left = orchestrator.step(blank, rng=make_key(0))
    again, left_again = orchestrator.step(blank, rng=make_key(0))
    second, _ = orchestrator.step(blank, rng=left)
    other, _ = orchestrator.step(blank, rng=make_key(1))
    assert np.array_equal(first[1], again[1])
    assert np.array_equal(jax.random.key_data(left), jax.random.key_data(left_again))
    assert not np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_randomness_without_a_key_is_an_error_that_names_the_edge(noisy, says):
    orchestrator, state = noisy.orchestrator, noisy.clamped
    sentence = "Edge (1, 0) uses randomness and needs a key, but rng is None."
    for run in (orchestrator.step, orchestrator.step_inference):
        with says(ValueError, sentence):
            run(state, rng=None)
    with says(ValueError, sentence):
        orchestrator.backward(state)
    # The output's row has no randomness in it.
    orchestrator.predict(state)


@pytest.mark.parametrize("thing", [None, {1: {1: OutputLayer()}}, OutputLayer()])
def test_layers_is_a_layer_map(thing, says):
    sentence = f"SequentialOrchestrator: layers needs a LayerMap, got {type(thing).__name__};"
    with says(TypeError, sentence):
        SequentialOrchestrator(layers=thing)


def test_a_map_without_a_diagonal_is_carried_but_not_run(dense, says):
    lmap = LayerMap.from_dict({1: {0: dense([[1.0]])}}, require_diagonal=False)
    with says(ValueError, "SequentialOrchestrator: edge (1, 1) is missing; each row needs a layer"):
        SequentialOrchestrator(layers=lmap)
