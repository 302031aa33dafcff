"""`SynchronousOrchestrator`: every row reads the old state, and only rows before the last move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.senders import SENDERS
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState

STEPS = 4


@pytest.fixture
def relay(dense, binary):
    """1 - 1 - 1 - 1 with weights of one and no recurrence, and its blank state."""
    unit, sign = lambda: dense([[1.0]]), lambda: binary([[0.0]])
    lmap = LayerMap.from_dict(
        {1: {0: unit(), 1: sign()}, 2: {1: unit(), 2: sign()}, 3: {2: unit(), 3: OutputLayer()}}
    )
    return SynchronousOrchestrator(layers=lmap), SequentialState((1, 1, 1, 1))


def test_a_row_sees_what_the_others_held_before_the_step(relay):
    # The sign of the input needs a step for each layer; silence says +1.
    network, blank = relay
    state, _ = network.step(blank.init([[-3.0], [2.0]]), rng=None)
    assert np.array_equal(state[1], [[-1.0], [1.0]])
    assert np.array_equal(state[2], [[1.0], [1.0]])
    state, _ = network.step(state, rng=None)
    assert np.array_equal(state[2], [[-1.0], [1.0]])
    assert np.array_equal(state[3], [[0.0], [0.0]])


def test_rows_that_copy_each_other_swap_for_ever_and_settle_in_sequence(dense, binary):
    copy, sign, nothing = lambda: dense([[1.0]]), lambda: binary([[0.0]]), dense([[0.0]])
    lmap = LayerMap.from_dict(
        {
            1: {0: nothing, 1: sign(), 2: copy()},
            2: {1: copy(), 2: sign()},
            3: {2: copy(), 3: OutputLayer()},
        }
    )
    start = SequentialState((1, 1, 1, 1)).init([[0.0]])
    start = start.replace(1, jnp.ones((1, 1))).replace(2, -jnp.ones((1, 1)))
    options = {"max_steps": 7, "senders": "all"}
    state, result = settle(SynchronousOrchestrator(layers=lmap), start, **options)
    assert (bool(result.settled), state[1].item(), state[2].item()) == (False, -1.0, 1.0)
    state, result = settle(SequentialOrchestrator(layers=lmap), start, **options)
    assert (bool(result.settled), state[1].item(), state[2].item()) == (True, -1.0, -1.0)


@pytest.mark.parametrize("senders", SENDERS)
def test_with_one_hidden_layer_it_is_the_sequential_one(make_network, same_bits, senders):
    network = make_network(1)
    twin = make_network(1, orchestrator=SynchronousOrchestrator)
    state = network.clamped
    expected, _ = network.orchestrator.step(state, rng=None, senders=senders)
    found, _ = twin.orchestrator.step(state, rng=None, senders=senders)
    same_bits(found, expected)


@pytest.mark.parametrize("senders", SENDERS)
def test_a_step_writes_neither_the_input_nor_the_output(make_network, senders):
    network = make_network(2, orchestrator=SynchronousOrchestrator)
    state, _ = network.orchestrator.step(network.clamped, rng=None, senders=senders)
    assert np.array_equal(state[0], network.x)
    assert np.array_equal(state[-1], network.y)
    assert all(np.abs(state[i]).min() == 1 for i in network.hidden)


@pytest.mark.parametrize("phase", ["clamped", "free"])
def test_settle_is_the_plain_loop(make_network, same_bits, phase):
    network = make_network(2, exact=False, orchestrator=SynchronousOrchestrator)
    orchestrator, expected = network.orchestrator, network.clamped
    step = orchestrator.step if phase == "clamped" else orchestrator.step_inference
    for _ in range(STEPS):
        expected, _ = step(expected, rng=None)
    found, _ = settle(orchestrator, network.clamped, max_steps=STEPS, phase=phase)
    same_bits(found, expected)


def test_rows_draw_their_keys_in_ascending_order_as_in_sequence(noisy, same_bits):
    # One hidden row: the orders agree, and so must the noise.
    twin = SynchronousOrchestrator(layers=noisy.orchestrator.lmap)
    expected, left = noisy.orchestrator.step(noisy.clamped, rng=jax.random.key(0))
    found, left_too = twin.step(noisy.clamped, rng=jax.random.PRNGKey(0))
    same_bits(found, expected)
    same_bits(left_too, jax.random.key_data(left))


def test_predict_writes_the_last_buffer_and_a_longer_state_is_refused(relay, says):
    network, blank = relay
    state = blank.init([[1.0]], [[5.0]])
    answer, _ = network.predict(state.replace(2, -jnp.ones((1, 1))))
    assert [buffer.item() for buffer in answer.buffers] == [1.0, 0.0, -1.0, -1.0]
    for run in (network.predict, lambda s: network.step(s, rng=None), network.backward):
        with says(ValueError, "The state has 5 buffers, but the last row of the layer map is 3"):
            run(SequentialState((1, 1, 1, 1, 1)).init([[1.0]]))


def test_layers_is_a_layer_map_with_a_diagonal(dense, says):
    with says(TypeError, "SynchronousOrchestrator: layers needs a LayerMap, got dict;"):
        SynchronousOrchestrator(layers={})
    lmap = LayerMap.from_dict({1: {0: dense([[1.0]])}}, require_diagonal=False)
    with says(ValueError, "SynchronousOrchestrator: edge (1, 1) is missing;"):
        SynchronousOrchestrator(layers=lmap)
