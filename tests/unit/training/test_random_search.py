"""Random search keeps the best of a model and its neighbours, and nothing worse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training.objective import Objective
from bionet.training.zeroth_order.random_search import RandomSearch

KEY = jax.random.key(0)
MODEL = {"w": jnp.asarray([1.0, -2.0])}
OBJECTIVE = Objective(lambda model, x, key: model["w"] - x, lambda outputs, y: jnp.sum(outputs**2))


@eqx.filter_jit
def step(method, model, x):
    return method.step(method.init(model, KEY), (x, jnp.zeros(())), KEY)


def test_the_best_of_the_neighbours_is_kept():
    state, told = step(RandomSearch(OBJECTIVE, population=6, sigma=0.5), MODEL, jnp.zeros(2))
    steps, _ = jax.random.split(KEY)
    neighbours = [
        MODEL["w"] + 0.5 * np.asarray(jax.random.normal(jax.random.fold_in(steps, i), (2,)))
        for i in range(1, 6)
    ]
    members = np.asarray([MODEL["w"], *neighbours], np.float64)
    losses = (members**2).sum(1)
    assert losses.argmin() != 0
    np.testing.assert_allclose(state.model["w"], members[losses.argmin()], rtol=1e-5)
    np.testing.assert_allclose(told["best_loss"], losses.min(), rtol=1e-5)
    np.testing.assert_allclose(told["training_loss"], losses.mean(), rtol=1e-5)
    assert (int(told["evaluations"]), int(state.step)) == (6, 1)


def test_a_model_without_a_better_neighbour_stays():
    state, told = step(RandomSearch(OBJECTIVE, population=6, sigma=0.5), MODEL, MODEL["w"])
    assert np.array_equal(state.model["w"], MODEL["w"])
    assert told["best_loss"] == 0


def test_a_loss_that_is_no_number_is_never_kept():
    logarithm = Objective(lambda m, x, key: jnp.log(m["w"][0]), lambda outputs, y: -outputs)
    lost = {"w": jnp.asarray([-0.01, 0.0])}
    state, told = step(RandomSearch(logarithm, population=8, sigma=0.5), lost, jnp.zeros(2))
    assert state.model["w"][0] > 0
    assert told["failed"] >= 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sigma": 0.0}, "RandomSearch: sigma needs to be above 0 and finite, got 0.0."),
        ({"population": 1}, "RandomSearch: population needs 2 or more, got 1."),
    ],
)
def test_what_it_can_not_be_made_with(options, sentence, says):
    with says(ValueError, sentence):
        RandomSearch(OBJECTIVE, **options)
