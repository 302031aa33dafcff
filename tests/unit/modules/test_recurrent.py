"""`RecurrentDiscrete`: its couplings, its signs, and a diagonal that nothing ever moves."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.modules.recurrent import RecurrentDiscrete
from bionet.rules import margin_perceptron

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def layer():
    return RecurrentDiscrete(3, 0.5, 1.0, KEY)


@pytest.fixture(scope="module")
def patterns():
    """Three patterns over twelve units: few enough for all of them to be stored."""
    return jax.device_put(np.random.default_rng(1).choice([-1, 1], (3, 12)).astype(np.float32))


def test_the_published_signature(layer):
    names = list(inspect.signature(RecurrentDiscrete).parameters)
    assert names[:4] == ["features", "j_d", "threshold", "key"]
    by_name = RecurrentDiscrete(features=3, j_d=0.5, threshold=1.0, key=KEY)
    assert np.array_equal(by_name.J, layer.J)


def test_couplings_are_gaussian_off_the_diagonal_and_j_d_on_it():
    J = np.asarray(RecurrentDiscrete(300, 0.5, 1.0, KEY).J)
    off = J[~np.eye(300, dtype=bool)]
    assert np.array_equal(np.diagonal(J), np.full(300, 0.5))
    assert abs(off.mean()) < 0.002
    assert abs(off.std() * np.sqrt(300) - 1) < 0.02
    assert abs(np.corrcoef(J[np.triu_indices(300, 1)], J.T[np.triu_indices(300, 1)])[0, 1]) < 0.02


def test_j_d_may_differ_from_unit_to_unit():
    layer = RecurrentDiscrete(3, [0.0, 1.0, -2.0], 1.0, KEY)
    assert np.array_equal(np.diagonal(layer.J), np.array([0.0, 1.0, -2.0]))
    assert np.array_equal(layer.j_d, np.array([0.0, 1.0, -2.0]))


def test_unit_k_hears_column_k_of_the_couplings(layer):
    only_first = jnp.array([[1.0, 0.0, 0.0]])
    assert np.array_equal(layer(only_first)[0], np.asarray(layer.J)[0])


def test_the_field_is_the_sum_of_the_messages_and_the_state_its_sign(layer):
    messages = {0: jnp.array([[1.0, 2.0, -4.0]]), 1: jnp.array([[-1.0, 1.0, 1.0]])}
    field = layer.reduce(messages)
    assert np.array_equal(field, np.array([[0.0, 3.0, -3.0]]))
    assert np.array_equal(layer.activation(field), np.array([[1.0, 1.0, -1.0]]))
    assert np.array_equal(layer.reduce({7: field}), field)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_sign_of_zero_is_plus_one(layer, dtype):
    tiny = jnp.finfo(dtype).tiny
    field = jnp.array([[0.0, -0.0, tiny, -tiny, 5.0, -5.0]], dtype)
    units = layer.activation(field)
    assert np.array_equal(units, np.array([[1, 1, 1, -1, 1, -1]]))
    assert units.dtype == dtype


@pytest.mark.parametrize("reduction", ["sqrt", "mean"])
def test_the_pseudo_gradient_is_minus_the_increment_with_an_empty_diagonal(patterns, reduction):
    layer = RecurrentDiscrete(12, 0.5, np.linspace(0, 3, 12), KEY, reduction=reduction)
    field = layer(patterns)
    whole = np.asarray(
        margin_perceptron(patterns, patterns, field, layer.threshold, reduction=reduction)
    )
    assert np.diagonal(whole).any()
    gradient = layer.backward(patterns, patterns, field)
    J, eye = np.asarray(gradient.J), np.eye(12, dtype=bool)
    assert np.array_equal(J[~eye], -whole[~eye])
    assert not J[eye].any()
    assert not gradient.threshold.any()


def test_descending_it_stores_the_patterns_and_leaves_the_diagonal(patterns):
    def descend(layer, _):
        wrong = (patterns * layer(patterns) <= 0.5).sum()
        gradient = layer.backward(patterns, patterns, layer(patterns))
        return jax.tree.map(lambda leaf, g: leaf - 0.1 * g, layer, gradient), wrong

    blank = RecurrentDiscrete(12, 0.25, 0.5, KEY)
    stored, wrong = jax.lax.scan(descend, blank, length=200)
    assert wrong[0] > 10
    assert wrong[-1] == 0
    assert not np.array_equal(blank.activation(blank(patterns)), patterns)
    assert np.array_equal(stored.activation(stored(patterns)), patterns)
    assert np.array_equal(np.diagonal(stored.J), np.full(12, 0.25))


def test_plain_adam_leaves_the_diagonal_and_the_threshold(patterns):
    layer, optimizer = RecurrentDiscrete(12, 0.3, 0.5, KEY), optax.adam(5e-3)

    def descend(carry, _):
        trained, memory = carry
        gradient = trained.backward(patterns, patterns, trained(patterns))
        updates, memory = optimizer.update(gradient, memory, trained)
        return (optax.apply_updates(trained, updates), memory), None

    (trained, _), _ = jax.lax.scan(descend, (layer, optimizer.init(layer)), length=5)
    J, old = np.asarray(trained.J), np.asarray(layer.J)
    eye = np.eye(12, dtype=bool)
    assert (J[~eye] != old[~eye]).any()
    assert J[eye].tobytes() == old[eye].tobytes()
    assert trained.threshold == layer.threshold


@pytest.mark.parametrize("name", ["j_d", "threshold"])
@pytest.mark.parametrize("shape", [(1,), (4,), (5, 5), (5, 1)])
def test_a_value_per_unit_needs_one_for_each_unit(name, shape, says):
    numbers = {"j_d": 0.5, "threshold": 1.0, name: np.ones(shape)}
    sentence = (
        f"RecurrentDiscrete: {name} needs a scalar or one value per output unit, shape (5,), "
        f"got shape {shape}."
    )
    with says(ValueError, sentence):
        RecurrentDiscrete(5, **numbers, key=KEY)


@pytest.mark.parametrize("bad", [0, -2, 2.0, "4", None])
def test_the_number_of_units_is_a_positive_int(bad, says):
    with says(ValueError, f"RecurrentDiscrete: features needs a positive int, got {bad!r}."):
        RecurrentDiscrete(bad, 0.5, 1.0, KEY)


def test_an_unknown_reduction_is_named_with_the_nearest(says):
    with says(ValueError, "RecurrentDiscrete: No reduction is named 'men'. Did you mean 'mean'?"):
        RecurrentDiscrete(3, 0.5, 1.0, KEY, reduction="men")


def test_only_signs_are_admitted_where_it_is_the_last_layer(layer, says):
    with says(RuntimeError, "RecurrentDiscrete: labels need to be -1 or +1, got others;"):
        layer.admit_target(jnp.array([[0.0, 1.0, 1.0]]))
