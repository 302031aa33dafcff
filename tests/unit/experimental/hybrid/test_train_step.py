"""The training step: what it moves, what it tells, and which optimiser's state it takes."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from bionet.experimental.hybrid import (
    hybrid_gradient,
    make_hybrid_train_step,
    surrogate_direction,
)

KEY = jax.random.key(5)
SGD = optax.sgd(0.125)
MLP = eqx.nn.MLP(2, 1, width_size=8, depth=1, activation=jnp.tanh, key=KEY)
X = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (32, 2)), jnp.float32)
BATCH = (X, jnp.sign(X[:, :1] + 0.5 * X[:, 1:]))


def squares(model, x, y):
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


def mistakes(model, x, y):
    """What counts in the end, and has no slope."""
    return jnp.mean(jnp.sign(jax.vmap(model)(x)) != y)


SURROGATE = surrogate_direction(squares)


@pytest.fixture(scope="module")
def step():
    return make_hybrid_train_step(SURROGATE, mistakes, SGD, sigma=0.3, num_samples=16, lam=0.3)


@pytest.fixture(scope="module")
def taken(step):
    return step(MLP, step.init(MLP), KEY, *BATCH)


@pytest.mark.slow
def test_it_descends_the_hybrid_gradient(taken):
    g = hybrid_gradient(
        MLP, SURROGATE, mistakes, KEY, batch=BATCH, sigma=0.3, num_samples=16, lam=0.3
    )
    arrays = [eqx.filter(tree, eqx.is_inexact_array) for tree in (MLP, g, taken[0])]
    for before, slope, after in zip(*map(jax.tree.leaves, arrays), strict=True):
        np.testing.assert_allclose(after, before - 0.125 * slope, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_its_metrics_are_scalars_and_count(taken):
    metrics = taken[2]
    assert all(value.shape == () and np.isfinite(value) for value in metrics.values())
    assert float(metrics["evaluations"]) == 32
    assert float(metrics["failed"]) == 0
    assert metrics["correction_fraction"] == pytest.approx(0.3, rel=1e-5)
    assert metrics["training_loss"] == pytest.approx(float(mistakes(MLP, *BATCH)), abs=0.2)


def test_it_learns_under_scan(step):
    """Errors that have no slope come down."""
    arrays, static = eqx.partition(MLP, eqx.is_array)

    @eqx.filter_jit
    def run(arrays, opt_state, keys):
        def body(carry, key):
            model, opt_state = carry
            model, opt_state, told = step(eqx.combine(model, static), opt_state, key, *BATCH)
            return (eqx.filter(model, eqx.is_array), opt_state), told["training_loss"]

        return jax.lax.scan(body, (arrays, opt_state), keys)

    (arrays, _), losses = run(arrays, step.init(MLP), jax.random.split(KEY, 200))
    assert losses[-20:].mean() < 0.5 * losses[:20].mean()
    assert float(mistakes(eqx.combine(arrays, static), *BATCH)) < 0.1


@final
class Line(eqx.Module):
    """Two slopes of which the second is held, and a number that does not learn."""

    slopes: Array
    offset: Array

    def trained(self):
        return {"slopes": jnp.array([True, False])}


def heights(line, x):
    return jnp.mean((x @ line.slopes + line.offset) ** 2)


@pytest.mark.slow
def test_a_state_of_all_inexact_arrays_will_do(says):
    """As in the plain Optax loop; what does not learn stays where it is, weight decay or not."""
    line = Line(jnp.array([1.0, 2.0]), jnp.array(3.0))
    optimizer = optax.adamw(0.1, weight_decay=0.5)
    step = make_hybrid_train_step(surrogate_direction(heights), heights, optimizer, num_samples=2)
    ours, theirs = step.init(line), optimizer.init(line)
    assert jax.tree.structure(ours) != jax.tree.structure(theirs)
    for state in (ours, theirs):
        moved, kept, _ = step(line, state, KEY, X)
        assert jax.tree.structure(kept) == jax.tree.structure(state)
        assert moved.slopes[0] == pytest.approx(1.0 - 0.1 - 0.1 * 0.5, rel=1e-4)
        assert (float(moved.slopes[1]), float(moved.offset)) == (2.0, 3.0)
    sentence = (
        "make_hybrid_train_step: the optimiser's state fits neither the trained leaves of the "
        "model nor all its inexact arrays; make it by opt_state = step.init(model)."
    )
    with says(ValueError, sentence):
        step(line, optimizer.init(jnp.ones(3)), KEY, X)


def test_other_numbers_are_not_traced_again():
    traces = []

    def counted(model, x, y):
        traces.append(x)
        return mistakes(model, x, y)

    seen = []
    for sigma, lam in ((0.1, 0.2), (0.3, 0.0), (1.0, 5)):
        step = make_hybrid_train_step(SURROGATE, counted, SGD, num_samples=1, sigma=sigma, lam=lam)
        step(MLP, step.init(MLP), KEY, *BATCH)
        seen.append(len(traces))
    assert seen == seen[:1] * 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_samples": 0}, "make_hybrid_train_step: num_samples needs a positive int, got 0."),
        ({"sigma": 0}, "make_hybrid_train_step: sigma needs to be above 0 and finite, got 0.0."),
        ({"num_samples": 1, "snr": True}, "make_hybrid_train_step: snr compares two halves"),
    ],
)
def test_bad_numbers_are_refused_when_it_is_made(options, sentence, says):
    with says(ValueError, sentence):
        make_hybrid_train_step(SURROGATE, mistakes, SGD, **options)
