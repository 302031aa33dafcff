"""`RecurrentDiscrete2D`: a kernel around each unit, and self-couplings that nothing moves."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.modules.images.convolution import Convolution2D
from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import apply_trained, partition_trained

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def layer():
    return RecurrentDiscrete2D((4, 5, 2), 3, [0.25, 0.75], 1.0, KEY)


@pytest.fixture(scope="module")
def patterns():
    """Two sign patterns on an image."""
    drawn = np.random.default_rng(1).choice([-1, 1], (2, 4, 5, 2))
    return jax.device_put(drawn.astype(np.float32))


def couplings_of_units_to_themselves(J):
    """Which entries of a kernel couple a unit to itself, found by looking at what it does."""
    kh, kw, c, _ = J.shape
    found = np.zeros(J.shape, bool)
    found[kh // 2, kw // 2] = np.eye(c, dtype=bool)
    return found


def test_the_signature():
    names = list(inspect.signature(RecurrentDiscrete2D).parameters)
    assert names[:5] == ["shape", "kernel_size", "j_d", "threshold", "key"]


def test_taps_are_gaussian_and_those_of_a_unit_to_itself_are_j_d():
    layer = RecurrentDiscrete2D((9, 9, 30), 3, 0.5, 1.0, KEY)
    J = np.asarray(layer.J)
    own = couplings_of_units_to_themselves(J)
    assert np.array_equal(J[own], np.full(30, 0.5, np.float32))
    assert np.array_equal(layer.j_d, np.full(30, 0.5))
    assert abs(J[~own].mean()) < 0.005
    assert abs(J[~own].std() * np.sqrt(9 * 30) - 1) < 0.02


def test_a_unit_hears_itself_through_j_d_wherever_it_is(layer):
    # One unit at a time: the field that comes back to it is its channel's self-coupling.
    units = 4 * 5 * 2
    alone = jnp.eye(units).reshape(units, 4, 5, 2)
    returned = np.asarray(layer(alone)).reshape(units, units)
    assert np.array_equal(np.diagonal(returned), np.tile([0.25, 0.75], 20).astype(np.float32))


def test_apart_from_the_centre_it_sends_what_a_convolution_sends(layer, patterns):
    edge = Convolution2D((4, 5, 2), 2, 3, 1.0, 1.0, KEY)
    own = couplings_of_units_to_themselves(edge.W)
    assert np.array_equal(np.asarray(layer.J)[~own], np.asarray(edge.W)[~own])
    scales = np.array([0.25, 0.75]) - np.diagonal(edge.W[1, 1])
    np.testing.assert_allclose(
        layer(patterns), edge(patterns) + scales * patterns, rtol=1e-5, atol=1e-5
    )


def test_the_field_is_the_sum_of_the_messages_and_the_state_its_sign(layer, patterns):
    field = layer.reduce({0: patterns, 1: 0.5 * patterns, 3: -1.5 * patterns})
    assert not field.any()
    assert np.array_equal(layer.activation(field), np.ones((2, 4, 5, 2)))
    assert np.array_equal(layer.activation(-0.1 * patterns), -np.asarray(patterns))


def test_a_kernel_of_one_place_couples_channels_alone(patterns):
    layer = RecurrentDiscrete2D((4, 5, 2), 1, 0.5, 1.0, KEY)
    flat = RecurrentDiscrete(2, 0.5, 1.0, KEY)
    assert np.array_equal(layer.J[0, 0], flat.J)
    rows = patterns.reshape(40, 2)
    expected = flat.backward(rows, rows, flat(rows)).J
    found = layer.backward(patterns, patterns, layer(patterns)).J[0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_descending_it_stores_the_patterns_and_leaves_the_self_couplings(patterns):
    def descend(layer, _):
        wrong = (patterns * layer(patterns) <= 0.5).sum()
        gradient = layer.backward(patterns, patterns, layer(patterns))
        return jax.tree.map(lambda leaf, g: leaf - 0.1 * g, layer, gradient), wrong

    blank = RecurrentDiscrete2D((4, 5, 2), 5, [0.25, 0.0], 0.5, KEY)
    stored, wrong = jax.lax.scan(descend, blank, length=400)
    assert wrong[0] > 20
    assert wrong[-1] == 0
    assert np.array_equal(stored.activation(stored(patterns)), patterns)
    assert np.array_equal(stored.j_d, [0.25, 0.0])


def test_weight_decay_leaves_the_self_couplings(layer, patterns):
    gradient, optimizer = layer.backward(patterns, patterns, layer(patterns)), optax.adamw(0.1, 5.0)
    learning = partition_trained(layer)[0]
    updates, _ = optimizer.update(
        partition_trained(gradient)[0], optimizer.init(learning), learning
    )
    moved = apply_trained(layer, updates)
    own = couplings_of_units_to_themselves(layer.J)
    assert np.array_equal(np.asarray(moved.J)[own], np.asarray(layer.J)[own])
    assert (np.asarray(moved.J) != np.asarray(layer.J))[~own].all()
    assert moved.threshold == layer.threshold


@pytest.mark.parametrize("name", ["x", "y", "y_hat"])
def test_a_width_of_one_does_not_broadcast_in_silence(layer, patterns, name, says):
    arrays = {"x": patterns, "y": patterns, "y_hat": patterns}
    arrays[name] = patterns[:, :, :1]
    sentence = "x needs shape (batch, 4, 5, 2), got" if name == "x" else "of the message's shape"
    with says(ValueError, sentence):
        layer.increments(**arrays)


@pytest.mark.parametrize("name", ["j_d", "threshold"])
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 2)])
def test_a_value_per_channel_needs_one_for_each_channel(name, shape, says):
    numbers = {"j_d": 0.5, "threshold": 1.0, name: np.ones(shape)}
    sentence = f"RecurrentDiscrete2D: {name} needs a scalar or one value per channel, shape (2,), "
    with says(ValueError, f"{sentence}got shape {shape}."):
        RecurrentDiscrete2D((4, 5, 2), 3, **numbers, key=KEY)


@pytest.mark.parametrize("size", [2, (3, 4), (2, 3)])
def test_a_kernel_without_a_centre_is_refused(size, says):
    sentence = "RecurrentDiscrete2D: kernel_size needs odd numbers, so that the kernel has a centre"
    with says(ValueError, f"{sentence}, got {size}."):
        RecurrentDiscrete2D((4, 5, 2), size, 0.5, 1.0, KEY)


def test_what_no_layer_can_be_made_of(layer, says):
    with says(ValueError, "RecurrentDiscrete2D: shape needs the shape (height, width, channels)"):
        RecurrentDiscrete2D(40, 3, 0.5, 1.0, KEY)
    with says(ValueError, "RecurrentDiscrete2D: kernel_size needs a positive int, got 0."):
        RecurrentDiscrete2D((4, 5, 2), 0, 0.5, 1.0, KEY)
    with says(ValueError, "RecurrentDiscrete2D: No reduction is named 'men'. Did you mean 'mean'?"):
        RecurrentDiscrete2D((4, 5, 2), 3, 0.5, 1.0, KEY, reduction="men")
    with says(RuntimeError, "RecurrentDiscrete2D: labels need to be -1 or +1, got others;"):
        layer.admit_target(jnp.zeros((1, 4, 5, 2)))
