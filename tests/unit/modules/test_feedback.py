"""Feedback that learns: its message does not grow, and it comes to point where the readout does."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.feedback import LearnedFeedback
from bionet.modules.softmax import SoftmaxReadout
from bionet.rules import hebbian

KEY = jax.random.key(0)
ERROR = jnp.array([[0.5, -0.25, -0.25], [-1.0, 0.5, 0.5]])


def test_its_weights_begin_as_those_of_a_readout_the_other_way_do():
    W = np.asarray(LearnedFeedback(40, 400, 3.0, KEY).W)
    assert W.shape == (40, 400)
    assert abs(W.std() * np.sqrt(400) - 1) < 0.02


@pytest.mark.parametrize("factor", [1e-3, 1.0, 50.0])
def test_how_hard_it_acts_does_not_depend_on_the_size_of_its_weights(factor):
    edge = LearnedFeedback(3, 8, 2.0, KEY)
    scaled = eqx.tree_at(lambda m: m.W, edge, factor * edge.W)
    assert float(jnp.sqrt(jnp.square(scaled.matrix).mean())) == pytest.approx(2.0, rel=1e-5)
    np.testing.assert_allclose(scaled(ERROR), edge(ERROR), rtol=1e-4, atol=1e-6)
    W = np.asarray(edge.W, float)
    expected = 2 * np.asarray(ERROR) @ W / np.sqrt((W**2).mean())
    np.testing.assert_allclose(edge(ERROR), expected, rtol=1e-5)


def test_the_strength_may_differ_from_unit_to_unit():
    graded = LearnedFeedback(3, 4, jnp.array([0.0, 1.0, 2.0, 3.0]), KEY)
    plain = LearnedFeedback(3, 4, 1.0, KEY)
    np.testing.assert_allclose(graded(ERROR), plain(ERROR) * jnp.arange(4.0), rtol=1e-6)


def test_weights_of_zero_send_nothing():
    edge = LearnedFeedback(3, 8, 1.0, KEY)
    silent = eqx.tree_at(lambda m: m.W, edge, jnp.zeros_like(edge.W))
    assert np.array_equal(silent(ERROR), np.zeros((2, 8)))


@pytest.mark.slow
def test_it_adds_what_the_readout_between_the_same_units_adds():
    hidden = jnp.sign(jax.random.normal(KEY, (5, 8)))
    y = 2.0 * jnp.eye(3)[jnp.array([0, 1, 2, 0, 1])] - 1.0
    readout = SoftmaxReadout(8, 3, 1.0, KEY)
    error = (y + 1) / 2 - jax.nn.softmax(readout(hidden))
    back = LearnedFeedback(3, 8, 1.0, KEY).increments(error, hidden, hidden)["W"]
    forward = readout.increments(hidden, y, readout(hidden))["W"]
    np.testing.assert_allclose(back, forward.T, rtol=1e-5, atol=1e-6)
    assert np.array_equal(back, hebbian(hidden, error).T)


@pytest.mark.slow
def test_following_both_aligns_them():
    rng = np.random.default_rng(0)
    hidden = jnp.asarray(rng.choice([-1.0, 1.0], (20, 30)), jnp.float32)
    y = 2.0 * jnp.eye(3)[rng.integers(0, 3, 20)] - 1.0
    readout = SoftmaxReadout(30, 3, 1.0, jax.random.key(1))
    back = LearnedFeedback(3, 30, 1.0, KEY)

    def cosine():
        one, other = readout.W.T.ravel(), back.W.ravel()
        return float(one @ other / jnp.linalg.norm(one) / jnp.linalg.norm(other))

    before = cosine()
    for _ in range(20):
        scores = readout(hidden)
        error = (y + 1) / 2 - jax.nn.softmax(scores)
        steps = (readout.backward(hidden, y, scores), back.backward(error, hidden, hidden))
        readout, back = (
            eqx.apply_updates(edge, jax.tree.map(lambda g: -2 * g, step))
            for edge, step in zip((readout, back), steps, strict=True)
        )
    assert abs(before) < 0.3
    assert cosine() > before + 0.4


def test_a_gate_is_a_factor_per_sample():
    edge, hidden = LearnedFeedback(3, 8, 1.0, KEY), jnp.ones((2, 8))
    gated = edge.increments(ERROR, hidden, hidden, jnp.array([0.0, 2.0]))["W"]
    expected = edge.increments(ERROR * jnp.array([[0.0], [2.0]]), hidden, hidden)["W"]
    np.testing.assert_allclose(gated, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"in_features": -1}, "LearnedFeedback: in_features needs a positive int, got -1."),
        ({"strength": [1.0, 2.0]}, "LearnedFeedback: strength needs a scalar or one value per"),
        ({"reduction": "sum"}, "LearnedFeedback: No reduction is named 'sum'."),
        ({"operands": "int8"}, "LearnedFeedback: No kind of operands is named 'int8'."),
    ],
)
def test_bad_arguments(says, change, sentence):
    good = {"in_features": 3, "out_features": 8, "strength": 1.0, "key": KEY}
    with says(ValueError, sentence):
        LearnedFeedback(**{**good, **change})
