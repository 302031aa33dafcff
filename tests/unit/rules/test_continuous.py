"""The continuous perceptron: its sign, its slope, its tolerance, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import REDUCTIONS, continuous_correction, continuous_perceptron
from bionet.rules.continuous import violated_tolerance

rule = jax.jit(continuous_perceptron, static_argnames="reduction")


@pytest.fixture(scope="module")
def batch():
    """x (6, 4), y (6, 3) inside (-0.9, 0.9) and weights (4, 3)."""
    rng = np.random.default_rng(0)
    x, y, W = rng.normal(size=(6, 4)), rng.uniform(-0.9, 0.9, (6, 3)), rng.normal(size=(4, 3))
    return tuple(jnp.asarray(array, jnp.float32) for array in (x, y, W))


def test_a_case_worked_by_hand():
    # At a field of 0 the activity is 0 and the slope is the gain, 2. The errors are 0.5 and -0.25.
    x, y, field = jnp.array([[1.0, -3.0]]), jnp.array([[0.5, -0.25]]), jnp.zeros((1, 2))
    # n = 1 and d = 2, so the sum is divided by sqrt(2).
    added = np.sqrt(2) * np.asarray(rule(x, y, field, 0.1, gain=2.0))
    np.testing.assert_allclose(added, [[1.0, -0.5], [-3.0, 1.5]], rtol=1e-6)
    # With a tolerance of 0.3 the second unit is near enough.
    added = np.sqrt(2) * np.asarray(rule(x, y, field, 0.3, gain=2.0))
    np.testing.assert_allclose(added, [[1.0, 0.0], [-3.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("gain", [1.0, [0.5, 1.0, 3.0]])
@pytest.mark.parametrize("tolerance", [0.0, 0.4, [0.1, 0.5, 1.0]])
@pytest.mark.parametrize("gated", [False, True])
def test_it_is_minus_the_gradient_of_half_the_squared_error(
    batch, reduction, gain, tolerance, gated
):
    x, y, W = batch
    gain, tolerance = jnp.asarray(gain), jnp.asarray(tolerance)
    gate = jnp.arange(6) / 2.0 if gated else None

    def loss(W):
        error = y - jnp.tanh(gain * (x @ W))
        counted = jax.lax.stop_gradient(jnp.abs(error) >= tolerance)
        return 0.5 * jnp.sum((1.0 if gate is None else gate[:, None]) * counted * error**2)

    scale = {"sqrt": np.sqrt(6 * 4), "mean": 6 * np.sqrt(4)}[reduction]
    added = rule(x, y, x @ W, tolerance, gain=gain, reduction=reduction, gate=gate)
    np.testing.assert_allclose(scale * added, -jax.grad(loss)(W), rtol=1e-4, atol=1e-6)
    assert np.abs(added).max() > 0


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_following_it_brings_every_answer_near_its_target(batch, reduction):
    x, _, teacher = batch
    y, W = jnp.tanh(0.5 * (x @ teacher)), jnp.zeros((4, 3))
    missed = [float(jnp.abs(y - jnp.tanh(x @ W)).max())]
    squared = [float(jnp.sum((y - jnp.tanh(x @ W)) ** 2))]
    for _ in range(300):
        W = W + 0.5 * rule(x, y, x @ W, 0.05, reduction=reduction)
        squared.append(float(jnp.sum((y - jnp.tanh(x @ W)) ** 2)))
    missed.append(float(jnp.abs(y - jnp.tanh(x @ W)).max()))
    assert squared[1] < squared[0]
    assert missed[0] > 0.3
    assert missed[1] < 0.05


@pytest.mark.parametrize("tolerance", [0.5, 0.25])
def test_an_error_that_is_exactly_the_tolerance_counts(tolerance):
    # Of a field of 0 the activity is 0, so the error is the target.
    x, field = jnp.ones((1, 1)), jnp.zeros((1, 1))
    tied, within = jnp.full((1, 1), tolerance), jnp.full((1, 1), tolerance - 1e-6)
    for sign in (1, -1):
        assert violated_tolerance(sign * tied, field, tolerance).item() is True
        assert continuous_perceptron(x, sign * tied, field, tolerance).item() == sign * tolerance
        assert violated_tolerance(sign * within, field, tolerance).item() is False
        assert continuous_perceptron(x, sign * within, field, tolerance).item() == 0


def test_no_tolerance_is_the_plain_delta_rule_at_rest():
    # An error of exactly zero counts as violated, and asks for nothing.
    field = jnp.array([[0.3, -1.0]])
    assert not continuous_correction(jnp.tanh(field), field, 0.0).any()


def test_a_saturated_unit_hardly_learns():
    x, y = jnp.ones((1, 1)), -jnp.ones((1, 1))
    added = [rule(x, y, jnp.full((1, 1), field), 0.1).item() for field in (0.0, 2.0, 6.0)]
    assert added[0] < added[1] < added[2] < 0
    assert added[2] > -1e-4


def test_a_tolerance_and_a_gain_of_a_unit_touch_that_unit_alone(batch):
    x, y, W = batch
    closed = rule(x, y, x @ W, jnp.array([9.0, 0.0, 9.0]))
    assert not closed[:, [0, 2]].any()
    assert np.array_equal(closed[:, 1], rule(x, y, x @ W, 0.0)[:, 1])
    steep = rule(x, y, x @ W, 0.0, gain=jnp.array([1.0, 4.0, 1.0]))
    changed = (np.asarray(steep) != np.asarray(rule(x, y, x @ W, 0.0))).any(0)
    assert changed.tolist() == [False, True, False]


def test_the_root_scale_grows_with_the_batch_and_the_mean_does_not(batch):
    x, y, W = batch
    repeated = np.tile(x, (4, 1)), np.tile(y, (4, 1)), np.tile(x @ W, (4, 1))
    for reduction, factor in (("sqrt", 2), ("mean", 1)):
        once = factor * np.asarray(rule(x, y, x @ W, 0.2, reduction=reduction))
        fourfold = rule(*repeated, 0.2, reduction=reduction)
        np.testing.assert_allclose(fourfold, once, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_of_the_weights_is_kept(dtype):
    x, y, shared, per_unit = (
        jax.ShapeDtypeStruct(shape, dtype) for shape in [(6, 4), (6, 3), (), (3,)]
    )
    for value in (shared, per_unit):
        added = jax.eval_shape(
            lambda *a: continuous_perceptron(*a[:4], gain=a[4]), x, y, y, *[value] * 2
        )
        assert added.dtype == dtype
    assert jax.eval_shape(lambda *a: continuous_perceptron(*a, 0.2, gain=2), x, y, y).dtype == dtype


@pytest.mark.parametrize("narrow", ["x", "y", "y_hat"])
def test_a_width_or_a_batch_of_one_does_not_broadcast_in_silence(batch, says, narrow):
    x, y, W = batch
    arrays = {"x": x, "y": y, "y_hat": x @ W}
    arrays[narrow] = arrays[narrow][:1] if narrow == "x" else arrays[narrow][:, :1]
    shapes = "{}, {} and {}".format(*(array.shape for array in arrays.values()))
    sentence = f"needs x (n, d), y (n, k) and y_hat (n, k), got shapes {shapes}."
    with says(ValueError, f"continuous_perceptron: {sentence}"):
        continuous_perceptron(**arrays, tolerance=0.2)


def test_a_gate_of_one_factor_and_an_unknown_reduction_are_refused(batch, says):
    x, y, W = batch
    with says(ValueError, "gate: needs one factor per sample, shape (6,), got shape (1,)."):
        continuous_perceptron(x, y, x @ W, 0.2, gate=jnp.ones(1))
    with says(ValueError, "rules: No reduction is named 'means'. Did you mean 'mean'?"):
        continuous_perceptron(x, y, x @ W, 0.2, reduction="means")
