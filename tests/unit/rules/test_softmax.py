"""The softmax delta rule: its sign, its scale, its gate, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import (
    REDUCTIONS,
    class_margin,
    cross_entropy,
    softmax_delta,
    softmax_error,
)

rule = jax.jit(softmax_delta, static_argnames=("reduction", "operands"))


@pytest.fixture(scope="module")
def batch():
    """x (6, 4), one-vs-all labels (6, 3) and weights (4, 3)."""
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(6, 4)), rng.normal(size=(4, 3))
    y = 2.0 * np.eye(3)[rng.integers(0, 3, 6)] - 1.0
    return tuple(jnp.asarray(array, jnp.float32) for array in (x, y, W))


def test_by_hand():
    """Equal scores of two classes: each has 1/2, so the errors are +1/2 and -1/2; n = 1, d = 4."""
    x, y = jnp.array([[1.0, -2.0, 0.0, 4.0]]), jnp.array([[1.0, -1.0]])
    increment = rule(x, y, jnp.array([[3.0, 3.0]]))
    expected = [[0.25, -0.25], [-0.5, 0.5], [0.0, 0.0], [1.0, -1.0]]
    np.testing.assert_allclose(increment, expected, rtol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_it_is_minus_the_gradient_of_the_summed_cross_entropy(batch, reduction):
    x, y, W = batch
    increment = rule(x, y, x @ W, reduction=reduction)
    scale = {"sqrt": np.sqrt(6 * 4), "mean": 6 * np.sqrt(4)}[reduction]
    gradient = jax.grad(lambda W: 6 * cross_entropy(y, x @ W))(W)
    np.testing.assert_allclose(increment * scale, -gradient, rtol=1e-5, atol=1e-6)


def test_following_it_lowers_the_cross_entropy(batch):
    x, y, W = batch
    after = W + 0.1 * rule(x, y, x @ W)
    assert cross_entropy(y, x @ after) < cross_entropy(y, x @ W) - 0.01


def test_the_error_of_a_sample_sums_to_zero(batch):
    x, y, W = batch
    error = softmax_error(y, x @ W)
    np.testing.assert_allclose(error.sum(1), 0, atol=1e-6)
    assert ((error > 0) == (y > 0)).all()


def test_a_low_temperature_leaves_an_error_to_wrong_answers_alone(batch):
    x, y, W = batch
    right = (x @ W).argmax(1) == y.argmax(1)
    assert 0 < right.sum() < 6
    largest = np.abs(softmax_error(y, x @ W, 1e4)).max(1)
    np.testing.assert_allclose(largest, np.where(right, 0, 1), atol=1e-3)


def test_a_gate_is_a_factor_per_sample(batch):
    x, y, W = batch
    gate = jnp.array([0.0, 1.0, 0.5, 0.0, 2.0, 1.0])
    found = rule(x, y, x @ W, gate=gate)
    np.testing.assert_allclose(found, rule(gate[:, None] * x, y, x @ W), rtol=1e-5, atol=1e-6)
    assert not rule(x, y, x @ W, gate=jnp.zeros(6)).any()


def test_repeating_a_batch(batch):
    x, y, W = batch
    twice = (jnp.tile(each, (2, 1)) for each in (x, y, x @ W))
    again = softmax_delta(*twice, reduction="mean")
    np.testing.assert_allclose(
        again, softmax_delta(x, y, x @ W, reduction="mean"), rtol=1e-5, atol=1e-6
    )


def test_several_labels_or_none_are_pushed_one_by_one():
    y_hat = jnp.zeros((2, 2))
    error = softmax_error(jnp.array([[1.0, 1.0], [-1.0, -1.0]]), y_hat)
    assert np.array_equal(error, [[0.5, 0.5], [-0.5, -0.5]])


class TestClassMargin:
    def test_by_hand(self):
        y = jnp.array([[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
        y_hat = jnp.array([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5], [2.0, 1.0, 2.0]])
        assert np.array_equal(class_margin(y, y_hat), [0.5, -2.0, 0.0])

    def test_nothing_to_compare(self):
        y = jnp.array([[1.0, 1.0], [-1.0, -1.0]])
        assert np.array_equal(class_margin(y, jnp.zeros((2, 2))), [np.inf, np.inf])


class TestRefusals:
    def test_shapes(self, says):
        sentence = (
            "softmax_delta: needs x (n, d), y (n, k) and y_hat (n, k), got shapes "
            "(2, 3), (2, 2) and (2, 1)."
        )
        with says(ValueError, sentence):
            softmax_delta(jnp.ones((2, 3)), jnp.ones((2, 2)), jnp.ones((2, 1)))

    def test_an_unknown_reduction(self, says):
        with says(ValueError, "rules: No reduction is named 'sum'."):
            softmax_delta(*(jnp.ones((2, 2)),) * 3, reduction="sum")  # type: ignore[arg-type]

    def test_a_gate_of_another_length(self, says):
        with says(ValueError, "gate: needs one factor per sample, shape (2,), got shape (3,)."):
            softmax_delta(*(jnp.ones((2, 2)),) * 3, gate=jnp.ones(3))

    def test_the_loss_of_other_shapes(self, says):
        sentence = "of shape (2,), got float32 of shape (2, 2) for scores of shape (2, 3)."
        with says(ValueError, sentence):
            cross_entropy(jnp.ones((2, 2)), jnp.ones((2, 3)))
