"""The two halves of feedback alignment, by hand and by following them."""

import jax.numpy as jnp
import numpy as np

from bionet.rules import error_increment, sent_back


def test_an_error_goes_back_by_hand():
    error, feedback = jnp.array([[1.0, -2.0]]), jnp.array([[1.0, 0.0, 3.0], [0.5, 1.0, 0.0]])
    slope = jnp.array([[1.0, 0.5, 0.0]])
    # (1 * 1 - 2 * 0.5, -2 * 1, 1 * 3), times the slopes.
    np.testing.assert_array_equal(sent_back(error, feedback, slope), [[0.0, -1.0, 0.0]])


def test_an_increment_by_hand():
    x, error = jnp.array([[1.0, 2.0], [0.0, 1.0]]), jnp.array([[0.5], [-1.0]])
    np.testing.assert_array_equal(error_increment(x, error), [[-0.5, 0.0]])


def test_following_it_lowers_the_error():
    x, y, W = jnp.array([[1.0, -1.0]]), jnp.array([[2.0]]), jnp.zeros((1, 2))
    before = ((x @ W.T - y) ** 2).sum()
    W = W + 0.1 * error_increment(x, 2 * (x @ W.T - y))
    assert ((x @ W.T - y) ** 2).sum() < before
