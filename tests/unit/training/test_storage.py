"""Stored patterns are fixed points, and Hebb's rule is the outer product."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.modules.recurrent import RecurrentDiscrete
from bionet.training import Recall, Storage, recalled, wrong_bits

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def patterns():
    return jax.random.rademacher(jax.random.key(1), (8, 24), float)


def stored(rule, patterns, steps, margin=1.0):
    layer = RecurrentDiscrete(24, 0.0, margin, KEY)
    if rule == "hebb":
        layer = eqx.tree_at(lambda one: one.J, layer, jnp.zeros((24, 24)))
    method = Storage(rule, optimizer=optax.sgd(1.0))
    state = method.init(layer, KEY)
    step = eqx.filter_jit(method.step)
    for _ in range(steps):
        state, told = step(state, (patterns, patterns), KEY)
    return state.model, told


def test_the_perceptron_holds_all_patterns_by_its_margin(patterns):
    layer, told = stored("perceptron", patterns, 60)
    assert float(told["unstable"]) == 0
    assert float((patterns * layer(patterns)).min()) > 1.0
    assert float(wrong_bits(Recall(5)(layer, patterns, KEY), patterns)) == 0


def test_a_step_lowers_the_share_of_units_that_would_leave(patterns):
    _, first = stored("perceptron", patterns, 1)
    _, later = stored("perceptron", patterns, 20)
    assert later["unstable"] < first["unstable"]


def test_hebb_is_the_outer_product_without_a_diagonal(patterns):
    layer, _ = stored("hebb", patterns, 1)
    n, d = patterns.shape
    expected = np.asarray(patterns).T @ np.asarray(patterns) / np.sqrt(n * d)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(layer.J, expected, rtol=1e-6)


def test_recall_corrects_a_cue(patterns):
    layer, _ = stored("perceptron", patterns[:3], 60, margin=2.0)
    cue = patterns[:3].at[:, :2].multiply(-1)
    assert float(recalled(Recall(0)(layer, cue, KEY), patterns[:3])) == 0
    assert float(recalled(Recall(5)(layer, cue, KEY), patterns[:3])) == 1


def test_the_scores_by_hand():
    outputs, y = jnp.array([[1.0, 1.0], [1.0, -1.0]]), jnp.ones((2, 2))
    assert float(wrong_bits(outputs, y)) == 0.25
    assert float(recalled(outputs, y)) == 0.5


def test_an_unknown_rule_is_told_the_nearest(says):
    with says(ValueError, "Storage: No rule is named 'hebbs'. Did you mean 'hebb'?"):
        Storage("hebbs")


def test_patterns_in_zero_and_one_are_judged_as_those_in_signs():
    """A bit of 0 counted as wrong, whatever the layer had answered."""
    signs = np.where(np.random.default_rng(0).normal(size=(4, 40)) > 0, 1.0, -1.0)
    answers = signs.copy()
    answers[:, 0] *= -1  # one of forty, an overlap of 0.95
    for y in (signs, (signs + 1) / 2):
        assert float(wrong_bits(jnp.asarray(answers), jnp.asarray(y))) == pytest.approx(1 / 40)
        assert float(recalled(jnp.asarray(answers), jnp.asarray(y), 0.94)) == 1.0
