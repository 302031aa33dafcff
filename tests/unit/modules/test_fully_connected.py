"""The dense adapters: how they are drawn, what they send, and how the one of them learns."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.rules import margin_perceptron

KEY = jax.random.key(0)
KINDS = [FullyConnected, FrozenFullyConnected]


@pytest.fixture(scope="module")
def batch():
    """x (8, 4) and y (8, 3), a task that four inputs can separate."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(8, 4)).astype(np.float32)
    y = np.sign(x @ rng.normal(size=(4, 3)))
    return jnp.asarray(x), jnp.asarray(y, jnp.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_signature(kind):
    names = list(inspect.signature(kind).parameters)
    assert names[:5] == ["in_features", "out_features", "strength", "threshold", "key"]
    by_name = kind(in_features=4, out_features=3, strength=1.0, threshold=0.5, key=KEY)
    assert np.array_equal(by_name.W, kind(4, 3, 1.0, 0.5, KEY).W)


def test_the_frozen_one_takes_every_argument_of_the_other():
    # Its docstring says so: one can stand in for the other.
    ours, frozen = (inspect.signature(kind).parameters for kind in KINDS)
    assert list(frozen) == list(ours)
    FrozenFullyConnected(4, 3, 1.0, 0.5, KEY, reduction="mean")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_have_the_strength_that_was_asked_for(kind):
    W = np.asarray(kind(400, 100, strength=2.0, threshold=0.5, key=KEY).W)
    assert W.shape == (400, 100)
    assert abs(W.mean()) < 0.005
    assert abs(W.std() * np.sqrt(400) / 2.0 - 1) < 0.02
    assert np.array_equal(W, 2 * np.asarray(kind(400, 100, 1.0, 0.5, KEY).W))


def test_the_strength_may_differ_from_unit_to_unit():
    plain = np.asarray(FullyConnected(4, 3, 1.0, 0.5, KEY).W)
    graded = FullyConnected(4, 3, jnp.array([0.0, 1.0, 2.0]), 0.5, KEY).W
    assert np.array_equal(graded, plain * np.array([[0.0, 1.0, 2.0]]))


def test_both_draw_the_same_weights_from_the_same_key():
    assert np.array_equal(*(kind(4, 3, 1.3, 0.5, KEY).W for kind in KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_the_message_is_x_times_the_weights(kind, batch):
    edge = kind(4, 3, 1.0, 0.5, KEY)
    np.testing.assert_allclose(edge(batch[0]), np.asarray(batch[0]) @ edge.W, rtol=1e-5)
    assert np.array_equal(edge(batch[0], KEY), edge(batch[0]))


@pytest.mark.parametrize("reduction", ["sqrt", "mean"])
@pytest.mark.parametrize("threshold", [0.5, [0.1, 0.5, 2.0]])
def test_the_pseudo_gradient_is_minus_the_increment_of_the_rule(batch, threshold, reduction):
    x, y = batch
    edge = FullyConnected(4, 3, 1.0, threshold, KEY, reduction=reduction)
    # The score is the whole local field of the receiver, not this edge's own message.
    field = edge(x) + 0.3
    increment = margin_perceptron(x, y, field, jnp.asarray(threshold), reduction=reduction)
    gradient = edge.backward(x, y, field)
    assert np.array_equal(gradient.W, -np.asarray(increment))
    assert increment.any()
    assert not gradient.strength.any()
    assert not gradient.threshold.any()


def test_the_frozen_one_has_a_gradient_of_zeros(batch):
    x, y = batch
    gradient = FrozenFullyConnected(4, 3, 1.0, 5.0, KEY).backward(x, y, -y)
    assert isinstance(gradient, FrozenFullyConnected)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_descending_it_teaches_the_task(batch):
    x, y = batch

    def descend(edge, _):
        wrong, gradient = (y * edge(x) <= 0.2).sum(), edge.backward(x, y, edge(x))
        return jax.tree.map(lambda leaf, g: leaf - 0.1 * g, edge, gradient), wrong

    _, wrong = jax.lax.scan(descend, FullyConnected(4, 3, 1.0, 0.2, KEY), length=1000)
    assert wrong[0] > 5
    assert wrong[-1] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["strength", "threshold"])
@pytest.mark.parametrize("shape", [(1,), (4,), (1, 5), (5, 1)])
def test_a_value_per_unit_needs_one_for_each_unit(kind, name, shape, says):
    # A single value in a list would be broadcast over all five units without a word.
    numbers = {"strength": 1.0, "threshold": 0.5, name: np.ones(shape)}
    sentence = (
        f"FullyConnected: {name} needs a scalar or one value per output unit, shape (5,), "
        f"got shape {shape}."
    )
    with says(ValueError, sentence):
        kind(4, 5, **numbers, key=KEY)


def test_a_single_unit_may_have_its_value_in_a_list():
    edge = eqx.filter_eval_shape(FullyConnected, 4, 1, [1.0], [0.5], KEY)
    assert edge.threshold.shape == (1,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [0, -2, 2.0, "4", None])
def test_widths_are_positive_ints(kind, bad, says):
    with says(ValueError, f"FullyConnected: in_features needs a positive int, got {bad!r}."):
        kind(bad, 3, 1.0, 0.5, KEY)
    with says(ValueError, f"FullyConnected: out_features needs a positive int, got {bad!r}."):
        kind(4, bad, 1.0, 0.5, KEY)


def test_an_unknown_reduction_is_named_with_the_nearest(says):
    with says(ValueError, "FullyConnected: No reduction is named 'sqr'. Did you mean 'sqrt'?"):
        FullyConnected(4, 3, 1.0, 0.5, KEY, reduction="sqr")


@pytest.mark.parametrize("bad", [0.0, 0.999, 2.0, -1 / 3, np.nan])
def test_only_signs_are_admitted_as_labels(bad, says):
    edge = FullyConnected(4, 3, 1.0, 0.5, KEY)
    y = np.ones((8, 3), np.float32)
    assert np.array_equal(edge.admit_target(jnp.asarray(-y)), -y)
    y[3, 1] = bad
    with says(RuntimeError, "FullyConnected: labels need to be -1 or +1, got others;"):
        edge.admit_target(jnp.asarray(y))
