"""The margin perceptron on the connections that exist: what the dense rule has there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import (
    REDUCTIONS,
    margin_hinge,
    margin_perceptron,
    sparse_margin_perceptron,
    violated_margin,
)

rule = jax.jit(sparse_margin_perceptron, static_argnames="reduction")
SAMPLES, SENDERS, UNITS, FAN_IN = 6, 9, 4, 3


@pytest.fixture(scope="module")
def batch():
    """x (6, 9), indices (4, 3), y in {-1, +1} and Gaussian scores (6, 4)."""
    rng = np.random.default_rng(0)
    x, scores = rng.normal(size=(SAMPLES, SENDERS)), rng.normal(size=(SAMPLES, UNITS))
    y = rng.choice([-1.0, 1.0], (SAMPLES, UNITS))
    indices = np.sort(np.argsort(rng.random((UNITS, SENDERS)), axis=1)[:, :FAN_IN], axis=1)
    x, y, scores = (jnp.asarray(array, jnp.float32) for array in (x, y, scores))
    return x, jnp.asarray(indices), y, scores


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("gate", [None, [1.0, 0.0, 2.0, 0.5, 0.0, 1.0]])
@pytest.mark.parametrize("threshold", [0.5, [0.0, 0.5, 1.0, 5.0]])
def test_it_is_the_dense_rule_where_there_are_connections(batch, threshold, gate, reduction):
    x, indices, y, scores = batch
    threshold, gate = jnp.asarray(threshold), None if gate is None else jnp.asarray(gate)
    found = rule(x, indices, y, scores, threshold, reduction=reduction, gate=gate)
    whole = margin_perceptron(x, y, scores, threshold, reduction=reduction, gate=gate)
    there = np.take_along_axis(np.asarray(whole).T, np.asarray(indices), axis=1)
    # The scale counts the connections that a unit has, and the dense unit has nine.
    np.testing.assert_allclose(found, there * np.sqrt(SENDERS / FAN_IN), rtol=1e-5, atol=1e-6)
    assert np.abs(found).max() > 0


def test_with_every_connection_it_is_the_dense_rule(batch):
    x, _, y, scores = batch
    everyone = jnp.tile(jnp.arange(SENDERS), (UNITS, 1))
    found = rule(x, everyone, y, scores, 0.5)
    np.testing.assert_allclose(found, margin_perceptron(x, y, scores, 0.5).T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_following_it_lowers_the_hinge_and_repairs_every_margin(batch, reduction):
    x, indices, _, _ = batch
    rng = np.random.default_rng(1)

    def score(W):
        return jnp.einsum("ke,nke->nk", W, x[:, indices])

    y = jnp.sign(score(jnp.asarray(rng.normal(size=(UNITS, FAN_IN)), jnp.float32)))
    W = jnp.zeros((UNITS, FAN_IN))
    before = margin_hinge(y, score(W), 0.1)
    assert margin_hinge(y, score(W + 0.01 * rule(x, indices, y, score(W), 0.1)), 0.1) < before
    for _ in range(300):
        W = W + 0.1 * rule(x, indices, y, score(W), 0.1, reduction=reduction)
    assert not violated_margin(y, score(W), 0.1).any()


@pytest.mark.parametrize("threshold", [0.0, 0.5, -0.25])
def test_a_tie_counts_as_an_error(threshold):
    one, first = np.ones((1, 1), np.float32), np.zeros((1, 1), np.int32)
    assert rule(one, first, one, np.full((1, 1), threshold), threshold).item() == 1.0
    assert rule(one, first, one, np.full((1, 1), threshold + 1e-6), threshold).item() == 0.0


def test_whom_a_unit_does_not_hear_makes_no_difference(batch):
    x, indices, y, scores = batch
    loud = x.at[:, 0].set(1e6)
    heard = (np.asarray(indices) == 0).any(axis=1)
    assert heard.any()
    assert not heard.all()
    quiet, other = rule(x, indices, y, scores, 5.0), rule(loud, indices, y, scores, 5.0)
    assert np.array_equal(quiet[~heard], other[~heard])
    assert not np.array_equal(quiet[heard], other[heard])


def test_indices_need_a_row_for_each_unit(batch, says):
    x, indices, y, scores = batch
    for wrong in (indices[:3], indices[0], indices[None]):
        sentence = (
            "sparse_margin_perceptron: indices needs a row of senders for each unit, shape "
            f"(4, fan_in), got shape {wrong.shape}."
        )
        with says(ValueError, sentence):
            sparse_margin_perceptron(x, wrong, y, scores, 0.5)


def test_a_width_or_a_batch_of_one_does_not_broadcast_in_silence(batch, says):
    x, indices, y, scores = batch
    for narrow in ((x[:1], y, scores), (x, y[:, :1], scores), (x, y, scores[:, :1])):
        with says(ValueError, "sparse_margin_perceptron: needs x (n, d), y (n, k) and y_hat"):
            sparse_margin_perceptron(narrow[0], indices, *narrow[1:], 0.5)


def test_an_unknown_reduction_and_a_gate_of_another_length_are_refused(batch, says):
    x, indices, y, scores = batch
    with says(ValueError, "No reduction is named 'means'. Did you mean 'mean'?"):
        sparse_margin_perceptron(x, indices, y, scores, 0.5, reduction="means")
    with says(ValueError, "gate: needs one factor per sample, shape (6,), got shape (1,)."):
        sparse_margin_perceptron(x, indices, y, scores, 0.5, gate=jnp.ones(1))
