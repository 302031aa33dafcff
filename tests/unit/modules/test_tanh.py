"""`RecurrentTanh`: its couplings, its activity, how it learns, and what `settle` says of it."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.tanh import RecurrentTanh
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.rules import continuous_perceptron
from bionet.states.sequential import SequentialState

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def layer():
    return RecurrentTanh(3, 0.5, 0.1, KEY, gain=2.0)


@pytest.fixture(scope="module")
def patterns():
    """Three graded patterns over twelve units: few enough for all of them to be stored."""
    drawn = np.random.default_rng(1).uniform(-0.7, 0.7, (3, 12))
    return jax.device_put(drawn.astype(np.float32))


def test_the_signature_is_that_of_the_binary_layer_with_a_tolerance():
    names = list(inspect.signature(RecurrentTanh).parameters)
    assert names[:5] == ["features", "j_d", "tolerance", "key", "gain"]


def test_it_draws_the_couplings_of_the_binary_layer():
    binary = RecurrentDiscrete(5, [0.0, 1.0, 2.0, 3.0, 4.0], 0.1, KEY)
    graded = RecurrentTanh(5, [0.0, 1.0, 2.0, 3.0, 4.0], 0.1, KEY)
    assert np.array_equal(graded.J, binary.J)
    assert np.array_equal(graded.j_d, [0, 1, 2, 3, 4])


def test_the_field_is_the_sum_of_the_messages_and_the_activity_its_tanh(layer):
    only_first = jnp.array([[1.0, 0.0, 0.0]])
    assert np.array_equal(layer(only_first)[0], np.asarray(layer.J)[0])
    messages = {0: jnp.array([[1.0, 2.0, -4.0]]), 1: jnp.array([[-1.0, -1.5, 3.0]])}
    field = layer.reduce(messages)
    assert np.array_equal(field, [[0.0, 0.5, -1.0]])
    np.testing.assert_allclose(layer.activation(field), np.tanh([[0, 1.0, -2.0]]), rtol=1e-6)


def test_a_large_gain_makes_it_binary(layer):
    field = jnp.array([[-0.5, 0.25, 2.0]])
    steep = RecurrentTanh(3, 0.5, 0.1, KEY, gain=[1e3, 1e3, 1e-3])
    np.testing.assert_allclose(steep.activation(field), [[-1, 1, 2e-3]], rtol=1e-5)


@pytest.mark.parametrize("reduction", ["sqrt", "mean"])
def test_the_pseudo_gradient_is_minus_the_increment_with_an_empty_diagonal(patterns, reduction):
    tolerance, gain = np.linspace(0, 0.3, 12), np.linspace(0.5, 2, 12)
    layer = RecurrentTanh(12, 0.5, tolerance, KEY, gain, reduction=reduction)
    field = layer(patterns)
    whole = np.asarray(
        continuous_perceptron(
            patterns, patterns, field, layer.tolerance, gain=layer.gain, reduction=reduction
        )
    )
    assert np.diagonal(whole).any()
    gradient = layer.backward(patterns, patterns, field)
    J, eye = np.asarray(gradient.J), np.eye(12, dtype=bool)
    assert np.array_equal(J[~eye], -whole[~eye])
    assert not J[eye].any()
    assert not gradient.tolerance.any()
    assert not gradient.gain.any()


def test_descending_it_stores_graded_patterns_and_leaves_the_diagonal(patterns):
    def missed(layer):
        return jnp.abs(patterns - layer.activation(layer(patterns)))

    def descend(layer, _):
        gradient = layer.backward(patterns, patterns, layer(patterns))
        moved = jax.tree.map(lambda leaf, g: leaf - 0.5 * g, layer, gradient)
        return moved, (missed(layer) ** 2).sum()

    blank = RecurrentTanh(12, 0.25, 0.02, KEY)
    stored, squared = jax.lax.scan(descend, blank, length=300)
    assert squared[1] < squared[0]
    assert missed(blank).max() > 0.5
    assert missed(stored).max() < 0.02
    assert np.array_equal(np.diagonal(stored.J), np.full(12, 0.25))


def test_plain_adam_leaves_the_diagonal_the_tolerance_and_the_gain(patterns):
    layer, optimizer = RecurrentTanh(12, 0.3, 0.05, KEY, 1.5), optax.adam(5e-3)

    def descend(carry, _):
        trained, memory = carry
        gradient = trained.backward(patterns, patterns, trained(patterns))
        updates, memory = optimizer.update(gradient, memory, trained)
        return (optax.apply_updates(trained, updates), memory), None

    (trained, _), _ = jax.lax.scan(descend, (layer, optimizer.init(layer)), length=5)
    eye = np.eye(12, dtype=bool)
    assert (np.asarray(trained.J) != np.asarray(layer.J))[~eye].any()
    assert np.array_equal(trained.j_d, layer.j_d)
    assert (trained.tolerance, trained.gain) == (layer.tolerance, layer.gain)


def test_settle_stops_only_where_no_bit_changes():
    # A gain of a half contracts, so there is one fixed point, and the last bits take their time.
    k = jax.random.split(KEY, 3)
    hidden = {0: FullyConnected(3, 8, 1.0, 0.5, k[0]), 1: RecurrentTanh(8, 0.2, 0.1, k[1], 0.5)}
    output = {1: FullyConnected(8, 2, 1.0, 0.5, k[2]), 2: OutputLayer()}
    network = SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))
    start = SequentialState((3, 8, 2)).init(jnp.ones((4, 3)))
    early, result = settle(network, start, max_steps=5)
    assert (bool(result.settled), int(result.steps)) == (False, 5)
    late, result = settle(network, start, max_steps=500)
    assert bool(result.settled)
    assert 10 < int(result.steps) < 500
    field = network.lmap[1, 0](late[0]) + network.lmap[1, 1](late[1])
    np.testing.assert_allclose(late[1], np.tanh(0.5 * field), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(early[1], late[1])


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_gain_is_above_zero(bad, says):
    with says(ValueError, f"RecurrentTanh: gain needs to be above 0 and finite, got {bad}."):
        RecurrentTanh(3, 0.5, 0.1, KEY, bad)
    with says(ValueError, "RecurrentTanh: gain needs finite numbers, got nan."):
        RecurrentTanh(3, 0.5, 0.1, KEY, np.nan)


@pytest.mark.parametrize("name", ["j_d", "tolerance", "gain"])
@pytest.mark.parametrize("shape", [(1,), (4,), (5, 5), (5, 1)])
def test_a_value_per_unit_needs_one_for_each_unit(name, shape, says):
    numbers = {"j_d": 0.5, "tolerance": 0.1, "gain": 1.0, name: np.ones(shape)}
    sentence = (
        f"RecurrentTanh: {name} needs a scalar or one value per output unit, shape (5,), "
        f"got shape {shape}."
    )
    with says(ValueError, sentence):
        RecurrentTanh(5, **numbers, key=KEY)


def test_a_bad_width_and_an_unknown_reduction_are_refused(says):
    with says(ValueError, "RecurrentTanh: features needs a positive int, got 2.0."):
        RecurrentTanh(2.0, 0.5, 0.1, KEY)
    with says(ValueError, "RecurrentTanh: No reduction is named 'men'. Did you mean 'mean'?"):
        RecurrentTanh(3, 0.5, 0.1, KEY, reduction="men")


@pytest.mark.parametrize("bad", [1.5, -1.01, np.nan, np.inf])
def test_only_what_a_tanh_can_reach_is_admitted_as_a_label(layer, bad, says):
    fine = jnp.array([[-1.0, 0.3, 1.0]])
    assert np.array_equal(layer.admit_target(fine), fine)
    with says(RuntimeError, "RecurrentTanh: labels need to lie in [-1, +1], where a tanh can"):
        layer.admit_target(fine.at[0, 1].set(bad))
