"""What the margin perceptron does not depend on, for any batch of small whole numbers.

Whole numbers tie often, and n d = 8 x 2 makes the divisor 4, so equal means equal.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bionet.rules import margin_hinge, margin_perceptron, violated_margin

N, D, K = 8, 2, 3
rule = jax.jit(margin_perceptron, static_argnames="reduction")
violated = jax.jit(violated_margin)


def whole(shape, low=-4, high=4):
    return arrays(np.float32, shape, elements=st.integers(low, high).map(float))


def signs(*shape):
    return arrays(np.float32, shape, elements=st.sampled_from([-1.0, 1.0]))


batches = st.tuples(whole((N, D)), signs(N, K), whole((N, K)))
thresholds = whole((K,))


@pytest.mark.slow
@given(batches, thresholds, signs(D), signs(K))
def test_flipping_signs_on_both_sides_flips_the_increment(batch, threshold, inputs, units):
    # The margins are the same, so the same synapses move, each in its own direction.
    x, y, score = batch
    flipped = rule(x * inputs, y * units, score * units, threshold)
    expected = np.outer(inputs, units) * np.asarray(rule(x, y, score, threshold))
    assert np.array_equal(flipped, expected)


@pytest.mark.slow
@given(batches, thresholds, st.permutations(range(N)))
def test_the_order_of_the_batch_does_not_matter(batch, threshold, order):
    shuffled = [array[list(order)] for array in batch]
    assert np.array_equal(rule(*shuffled, threshold), rule(*batch, threshold))


@given(batches, thresholds, st.sampled_from([0.25, 2.0, 8.0]))
def test_only_the_ratio_of_score_and_threshold_matters(batch, threshold, scale):
    x, y, score = batch
    assert np.array_equal(
        rule(x, y, scale * score, scale * threshold), rule(x, y, score, threshold)
    )


@given(batches, thresholds, st.sampled_from([-2.0, 0.5, 4.0]))
def test_it_is_linear_in_the_input(batch, threshold, scale):
    x, y, score = batch
    expected = scale * np.asarray(rule(x, y, score, threshold))
    assert np.array_equal(rule(scale * x, y, score, threshold), expected)


@given(batches, thresholds, st.integers(0, K - 1))
def test_units_learn_on_their_own(batch, threshold, unit):
    x, y, score = batch
    others = np.delete(np.arange(K), unit)
    changed = [array.copy() for array in (y, score, threshold)]
    for array in changed:
        array[..., unit] += 100
    found = np.asarray(rule(x, *changed))[:, others]
    assert np.array_equal(found, np.asarray(rule(*batch, threshold))[:, others])


@given(batches, thresholds)
def test_the_sum_over_a_batch_is_the_sum_over_its_samples(batch, threshold):
    # sqrt(n d) of the whole against sqrt(1 d) of each.
    apart = sum(
        np.asarray(rule(*(array[i : i + 1] for array in batch), threshold), np.float64)
        for i in range(N)
    )
    np.testing.assert_allclose(rule(*batch, threshold), apart / np.sqrt(N), rtol=1e-6, atol=1e-6)
    mean = rule(*batch, threshold, reduction="mean")
    np.testing.assert_allclose(mean, apart / N, rtol=1e-6, atol=1e-6)


@given(batches, thresholds, whole((K,), 0, 3))
def test_a_higher_threshold_finds_no_fewer_errors(batch, threshold, more):
    _, y, score = batch
    before, after = violated(y, score, threshold), violated(y, score, threshold + more)
    assert np.all(~np.asarray(before) | np.asarray(after))


@given(batches, thresholds)
def test_every_violated_margin_grows_on_its_own_sample(batch, threshold):
    # One sample at a time: margins that are violated grow by |x|^2 / sqrt(d), others stay.
    for x, y, score in zip(*batch, strict=True):
        increment = np.asarray(rule(x[None], y[None], score[None], threshold), np.float64)
        grown = y * (x @ increment)
        wrong = y * score <= threshold
        np.testing.assert_allclose(grown, np.where(wrong, x @ x / np.sqrt(D), 0), rtol=1e-6)


@given(batches, thresholds, whole((D, K)))
def test_it_is_the_steepest_descent_of_the_hinge(batch, threshold, weights):
    # Margins are whole and thresholds end in a half, so that there is no kink to stand on.
    (x, y, _), threshold = batch, threshold + 0.5
    increment = np.asarray(rule(x, y, x @ weights, threshold), np.float64)
    step = 2.0**-10

    def hinge(W):
        return np.maximum(threshold - y * (x @ W), 0).sum(dtype=np.float64)

    fallen = hinge(weights) - hinge(weights + step * increment)
    np.testing.assert_allclose(fallen, step * np.sqrt(N * D) * (increment**2).sum(), atol=1e-6)
    np.testing.assert_allclose(
        margin_hinge(y, x @ weights, threshold), hinge(weights) / (N * K), rtol=1e-6
    )


def test_the_strategies_tie():
    # A rule with < in the place of <= would pass tests in which no margin ever ties.
    rng = np.random.default_rng(0)
    score, y = rng.integers(-4, 5, (N, K)), rng.choice([-1, 1], (N, K))
    assert (y * score == 2).any()
    assert jnp.array_equal(violated(y, score, 2.0), y * score <= 2)
