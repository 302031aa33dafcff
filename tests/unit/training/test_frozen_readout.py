"""The frozen readout is the ridge regression of numpy, chosen on validation data."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training import (
    ArrayBatches,
    Examples,
    FrozenReadout,
    LinearReadout,
    Problem,
    accuracy,
    frozen_readout_control,
)

KEY = jax.random.key(0)
MODEL = eqx.nn.MLP(4, 2, width_size=5, depth=1, activation=jnp.tanh, key=KEY)
LINEAR = LinearReadout(
    lambda m, x, key: jnp.tanh(jax.vmap(m.layers[0])(x)),
    lambda m, W, b: eqx.tree_at(lambda o: (o.layers[1].weight, o.layers[1].bias), m, (W.T, b)),
    lambda m: m.layers[1].weight.shape[::-1],
)


@pytest.fixture(scope="module")
def problem():
    def part(seed):
        x = jax.random.normal(jax.random.key(seed), (60, 4))
        return Examples(
            x, jnp.where((x[:, :1] * x[:, 1:2] > 0) == jnp.array([True, False]), 1, -1.0)
        )

    return Problem(
        model=MODEL,
        predict=lambda model, x, key: jax.vmap(model)(x),
        loss=lambda outputs, y: ((outputs - y) ** 2).mean(),
        metric=accuracy,
        train=ArrayBatches(part(1), 20),
        validation=part(2),
        test=part(3),
    )


def test_it_is_the_ridge_of_numpy(problem):
    method = FrozenReadout(LINEAR, ridge=0.5)
    state = method.init(MODEL, KEY)
    examples = problem.train.examples
    for rows in (slice(0, 25), slice(25, 60)):
        state, _ = method.step(state, (examples.x[rows], examples.y[rows]), KEY)
    solved = method.finish(state)
    seen = np.asarray(LINEAR.features(MODEL, examples.x, KEY), np.float64)
    seen = np.concatenate([seen, np.ones((60, 1))], 1)
    penalty = np.diag([0.5] * 5 + [0.0])
    expected = np.linalg.solve(seen.T @ seen + penalty, seen.T @ np.asarray(examples.y, np.float64))
    np.testing.assert_allclose(solved.layers[1].weight.T, expected[:-1], atol=1e-4)
    np.testing.assert_allclose(solved.layers[1].bias, expected[-1], atol=1e-4)
    assert np.array_equal(solved.layers[0].weight, MODEL.layers[0].weight)


def test_the_penalty_is_chosen_on_validation_data(problem):
    found = frozen_readout_control(problem, LINEAR, key=KEY, ridges=(1e-2, 1e6))
    assert (found.hidden, found.ridge) == ("features", 1e-2)
    assert set(found.test) == {"loss", "accuracy"}


def test_a_penalty_whose_metric_is_nan_is_not_chosen(problem):
    """`max` keeps a NaN that comes first."""

    def metric(outputs, y):  # NaN where the readout is as good as zero
        return jnp.where(jnp.abs(outputs).max() < 1e-2, jnp.nan, accuracy(outputs, y))

    judged = dataclasses.replace(problem, metric=metric)
    found = frozen_readout_control(judged, LINEAR, key=KEY, ridges=(1e9, 1e-2))
    assert found.ridge == 1e-2


@pytest.mark.parametrize("ridges", [(), (1.0,)])
def test_it_needs_a_split_and_a_penalty_to_choose(problem, ridges, says):
    asked = dataclasses.replace(problem, validation=None) if ridges else problem
    with says(ValueError, "frozen_readout_control: needs a validation split and one penalty"):
        frozen_readout_control(asked, LINEAR, key=KEY, ridges=ridges)


def test_a_negative_penalty_is_refused(says):
    method = FrozenReadout(LINEAR, ridge=-1.0)
    with says(ValueError, "FrozenReadout: ridge needs 0 or more, got -1.0."):
        method.finish(method.init(MODEL, KEY))
