"""The margin perceptron as a function: its sign, its scale, its ties, and what it refuses."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import REDUCTIONS, margin_hinge, margin_perceptron, violated_margin

# The rule as it is used: compiled. What it refuses is asked of the rule itself.
rule = jax.jit(margin_perceptron, static_argnames="reduction")


@pytest.fixture(scope="module")
def batch():
    """x (6, 4), y in {-1, +1} (6, 3) and weights (4, 3), all Gaussian, so that nothing ties."""
    rng = np.random.default_rng(0)
    x, y, W = rng.normal(size=(6, 4)), rng.choice([-1, 1], (6, 3)), rng.normal(size=(4, 3))
    return tuple(jnp.asarray(array, jnp.float32) for array in (x, y, W))


def test_a_unit_with_the_margin_it_needs_is_left_alone():
    x, y = jnp.array([[1.0, -2.0]]), jnp.array([[1.0, -1.0]])
    increment = rule(x, y, jnp.array([[1.5, -1.5]]), 1.0)
    assert np.array_equal(increment, np.zeros((2, 2)))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_single_violation_grows_by_the_squared_norm_of_its_input(reduction):
    # n = 1 and d = 4, so both scales divide by 2: the margin of W grows by |x|^2 / 2 = 5.
    x, y = jnp.array([[1.0, -2.0, 2.0, 1.0]]), jnp.array([[-1.0]])
    W = jnp.array([[1.0], [1.0], [0.0], [1.0]])
    increment = rule(x, y, x @ W, 0.5, reduction=reduction)
    assert (y * (x @ (W + increment)) - y * (x @ W)).item() == 5.0


@pytest.mark.parametrize("threshold", [0.0, 0.5, -0.25])
def test_a_tie_counts_as_an_error(threshold):
    x, y = np.ones((1, 1)), np.ones((1, 1))
    tied, above = np.full((1, 1), threshold), np.full((1, 1), threshold + 1e-6)
    assert violated_margin(y, tied, threshold).item() is True
    assert margin_perceptron(x, y, tied, threshold).item() == 1.0
    assert violated_margin(y, above, threshold).item() is False
    assert margin_perceptron(x, y, above, threshold).item() == 0.0


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("threshold", [0.7, [0.1, 0.7, 2.0]])
def test_it_is_a_positive_multiple_of_minus_the_gradient_of_the_hinge(batch, threshold, reduction):
    x, y, W = batch
    threshold = jnp.asarray(threshold)

    def hinge(W):
        return jnp.maximum(threshold - y * (x @ W), 0).sum()

    increment = rule(x, y, x @ W, threshold, reduction=reduction)
    scale = {"sqrt": np.sqrt(6 * 4), "mean": 6 * np.sqrt(4)}[reduction]
    np.testing.assert_allclose(increment * scale, -jax.grad(hinge)(W), rtol=1e-5, atol=1e-6)
    assert np.abs(increment).max() > 0


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_following_it_lowers_the_hinge_and_repairs_every_margin(batch, reduction):
    x, _, teacher = batch
    y = np.sign(x @ teacher)
    W = np.zeros((4, 3))
    before = margin_hinge(y, x @ W, 0.1)
    one_step = W + 0.01 * rule(x, y, x @ W, 0.1, reduction=reduction)
    assert margin_hinge(y, x @ one_step, 0.1) < before
    for _ in range(300):
        W = W + 0.1 * rule(x, y, x @ W, 0.1, reduction=reduction)
    assert not violated_margin(y, x @ W, 0.1).any()
    assert margin_hinge(y, x @ W, 0.1) == 0


def test_the_root_scale_grows_with_the_batch_and_the_mean_does_not(batch):
    x, y, W = batch
    repeated = np.tile(x, (4, 1)), np.tile(y, (4, 1)), np.tile(x @ W, (4, 1))
    once = rule(x, y, x @ W, 0.7)
    np.testing.assert_allclose(rule(*repeated, 0.7), 2 * once, rtol=1e-5)
    once = rule(x, y, x @ W, 0.7, reduction="mean")
    fourfold = rule(*repeated, 0.7, reduction="mean")
    np.testing.assert_allclose(fourfold, once, rtol=1e-5)


def test_the_published_scale_is_what_one_gets_without_asking(batch):
    x, y, W = batch
    asked = rule(x, y, x @ W, 0.7, reduction="sqrt")
    assert np.array_equal(rule(x, y, x @ W, 0.7), asked)
    assert set(REDUCTIONS) == {"sqrt", "mean"}


def test_a_threshold_of_a_unit_touches_that_unit_alone(batch):
    x, y, W = batch
    low, high = np.full((3,), -100.0), jnp.array([-100.0, 100.0, -100.0])
    assert not rule(x, y, x @ W, low).any()
    increment = rule(x, y, x @ W, high)
    assert not increment[:, [0, 2]].any()
    np.testing.assert_allclose(increment[:, 1], x.T @ y[:, 1] / np.sqrt(24), rtol=1e-5)


def test_a_target_of_zero_asks_for_nothing(batch):
    x, y, W = batch
    assert not rule(x, np.zeros_like(y), x @ W, 0.7).any()


def test_the_hinge_is_the_mean_of_what_is_missing():
    # Margins 2, -1, 1 and 3 lack 0, 2.5, 0.5 and 0 of a threshold of 1.5: 3 over 4 entries.
    y = jnp.array([[1.0, -1.0], [-1.0, 1.0]])
    y_hat = jnp.array([[2.0, 1.0], [-1.0, 3.0]])
    assert margin_hinge(y, y_hat, 1.5) == 0.75
    assert margin_hinge(y, y_hat) == 0.25
    # With thresholds 0 and 3 per unit the second one lacks 4 and 0.
    assert margin_hinge(y, y_hat, jnp.array([0.0, 3.0])) == 1.0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_of_the_weights_is_kept(dtype):
    x, y, shared, per_unit = (
        jax.ShapeDtypeStruct(shape, dtype) for shape in [(6, 4), (6, 3), (), (3,)]
    )
    for threshold in (shared, per_unit):
        assert jax.eval_shape(margin_perceptron, x, y, y, threshold).dtype == dtype
        assert jax.eval_shape(margin_hinge, y, y, threshold).dtype == dtype
    assert jax.eval_shape(lambda *args: margin_perceptron(*args, 0.7), x, y, y).dtype == dtype


def test_an_unknown_reduction_is_named_with_the_nearest(batch, says):
    x, y, W = batch
    sentence = "rules: No reduction is named 'means'. Did you mean 'mean'?"
    with says(ValueError, sentence):
        margin_perceptron(x, y, x @ W, 0.7, reduction="means")
    assert inspect.signature(margin_perceptron).parameters["reduction"].kind is (
        inspect.Parameter.KEYWORD_ONLY
    )


@pytest.mark.parametrize("narrow", ["x", "y", "y_hat"])
def test_a_width_or_a_batch_of_one_does_not_broadcast_in_silence(batch, says, narrow):
    # A column of targets, or of scores, for three units; one input for six targets.
    x, y, W = batch
    arrays = {"x": x, "y": y, "y_hat": x @ W}
    arrays[narrow] = arrays[narrow][:1] if narrow == "x" else arrays[narrow][:, :1]
    shapes = "{}, {} and {}".format(*(array.shape for array in arrays.values()))
    sentence = f"needs x (n, d), y (n, k) and y_hat (n, k), got shapes {shapes}."
    with says(ValueError, f"margin_perceptron: {sentence}"):
        margin_perceptron(**arrays, threshold=0.7)


@pytest.mark.parametrize("shape", [(6, 1), (1, 3)])
def test_nor_do_they_in_the_hinge(batch, shape):
    # One column of labels for three units, or one row for six samples: a loss of something else.
    x, _, W = batch
    with pytest.raises(ValueError, match=r"\(6, 3\)"):
        margin_hinge(np.ones(shape, np.float32), x @ W, 0.7)
