"""Strategies of evosax as a method: which way they go, what they leave alone, and their errors."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from evosax.algorithms import distribution_based_algorithms

from bionet.modules.recurrent import RecurrentDiscrete
from bionet.training.objective import Objective
from bionet.training.zeroth_order.evolution import WITHOUT_A_MEAN, Evolution

KEY = jax.random.key(0)
TARGET = np.array([1.0, -2.0, 0.5], np.float32)
MODEL = {"w": jnp.zeros(2), "b": jnp.zeros(())}
BATCH = (jnp.asarray(TARGET), jnp.zeros(()))


def distance(model, x, key):
    return jnp.concatenate([model["b"][None], model["w"]]) - x


OBJECTIVE = Objective(distance, lambda outputs, y: jnp.sum(outputs**2))


@eqx.filter_jit
def run(method, model, steps):
    """The model and the strategy's state after some steps, and all that was told."""
    arrays, static = eqx.partition(method.init(model, KEY), eqx.is_array)

    def step(carry, key):
        state, told = method.step(eqx.combine(carry, static), BATCH, key)
        return eqx.filter(state, eqx.is_array), told

    arrays, told = jax.lax.scan(step, arrays, jax.random.split(KEY, steps))
    return eqx.combine(arrays, static), told


# b comes before w in the vector of all numbers.
def test_a_step_of_open_es_is_the_one_by_hand():
    method = Evolution(OBJECTIVE, population=6, sigma=0.5, optimizer=optax.sgd(0.25))
    state, told = run(method, MODEL, 1)
    asking = jax.random.split(jax.random.split(KEY, 1)[0], 3)[0]
    half = np.asarray(jax.random.normal(asking, (3, 3)), np.float64)
    noise = np.concatenate([half, -half])
    losses = ((0.5 * noise - TARGET) ** 2).sum(1)
    ranks = losses.argsort().argsort() / 5 - 0.5
    mean = -0.25 * ranks @ noise / (6 * 0.5)
    np.testing.assert_allclose(state.model["b"], mean[0], rtol=1e-5)
    np.testing.assert_allclose(state.model["w"], mean[1:], rtol=1e-5)
    np.testing.assert_allclose(told["training_loss"], [losses.mean()], rtol=1e-5)
    np.testing.assert_allclose(told["best_loss"], [losses.min()], rtol=1e-5)
    assert (int(told["evaluations"][0]), int(told["failed"][0])) == (6, 0)


@pytest.mark.parametrize("strategy", ["SNES", "CR_FM_NES"])
def test_losses_fall(strategy):
    state, told = run(Evolution(OBJECTIVE, strategy, population=16, sigma=0.3), MODEL, 60)
    assert told["training_loss"][-1] < 0.05 * told["training_loss"][0]
    np.testing.assert_allclose(state.model["w"], TARGET[1:], atol=0.2)


@pytest.mark.parametrize("strategy", sorted(set(distribution_based_algorithms) - {*WITHOUT_A_MEAN}))
def test_every_strategy_can_be_named(strategy):
    sigma = None if strategy == "GradientlessDescent" else 0.1
    assert Evolution(OBJECTIVE, strategy, sigma=sigma).strategy == strategy


class TestSigma:
    @pytest.mark.parametrize("strategy", ["Open_ES", "SNES"])
    def test_it_is_the_spread_of_the_first_population(self, strategy):
        method = Evolution(OBJECTIVE, strategy, population=4, sigma=0.25)
        state = eqx.filter_jit(method.init)(MODEL, KEY)
        assert set(np.ravel(state.memory.std).tolist()) == {0.25}

    def test_a_schedule_of_ones_own(self, says):
        options = {"std_schedule": optax.constant_schedule(0.5), "population": 4}
        method = Evolution(OBJECTIVE, sigma=None, **options)
        assert eqx.filter_jit(method.init)(MODEL, KEY).memory.std == 0.5
        with says(ValueError, "Evolution: std_schedule says how wide the population is; pass"):
            Evolution(OBJECTIVE, **options)

    def test_a_strategy_without_one(self, says):
        with says(ValueError, "Evolution: GradientlessDescent has no sigma; pass sigma=None."):
            Evolution(OBJECTIVE, "GradientlessDescent")


def test_a_parameter_of_the_strategy_may_be_swept():
    method = Evolution(OBJECTIVE, "SNES", population=4, lr_std_init=jnp.asarray(0.125))
    assert eqx.filter_jit(method.init)(MODEL, KEY).memory.lr_std == 0.125


@pytest.mark.slow
def test_held_entries_are_neither_perturbed_nor_moved():
    """PersistentES moves its mean by what it drew itself, not by what was evaluated."""
    layer = RecurrentDiscrete(4, 0.5, 0.0, KEY)

    def steep(J, y):
        return jnp.sum(J**2) + 1e6 * jnp.sum(jnp.abs(jnp.diag(J) - 0.5))

    objective = Objective(lambda m, x, key: m.J, steep)
    state, told = run(Evolution(objective, "PersistentES", population=4, sigma=1.0), layer, 2)
    assert told["training_loss"].max() < 1e3
    for J in (state.model.J, state.memory.mean.reshape(4, 4)):
        assert np.array_equal(np.diag(J), np.full(4, 0.5, np.float32))
    assert np.sum(state.model.J != layer.J) == 12


def test_members_without_a_loss_spoil_nothing():
    """Numbers above zero have no square root of their negative."""
    root = Objective(lambda m, x, key: jnp.sqrt(-m["b"]), lambda outputs, y: outputs)
    state, told = run(Evolution(root, population=8, sigma=0.5), {"b": jnp.zeros(())}, 1)
    assert (int(told["failed"][0]), int(told["evaluations"][0])) == (4, 8)
    assert np.isfinite(state.model["b"])
    assert state.model["b"] < 0  # away from where there is none


def test_leaves_keep_their_dtypes():
    model = {"w": jnp.zeros(2, jnp.bfloat16), "b": jnp.zeros(())}
    method = Evolution(OBJECTIVE, population=4)
    start = method.init(model, KEY)
    after, _ = eqx.filter_eval_shape(method.step, start, BATCH, KEY)
    assert (after.model["w"].dtype, after.model["b"].dtype) == (jnp.bfloat16, jnp.float32)
    assert after.memory.mean.dtype == jnp.float32


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        (
            "OpenES",
            {},
            "Evolution: No strategy of evosax is named 'OpenES'. Did you mean",
        ),
        ("SV_CMA_ES", {}, "Evolution: SV_CMA_ES does not keep one mean, which the model would be"),
        ("SNES", {"optimiser": None}, "Evolution, SNES: No option is named 'optimiser'. Did you"),
        ("SNES", {"std_init": 1.0}, "Evolution, SNES: No option is named 'std_init'."),
        ("Open_ES", {"sigma": -1.0}, "Evolution: sigma needs to be above 0 and finite, got -1.0."),
        ("Open_ES", {"population": 1}, "Evolution: population needs 2 or more, got 1."),
    ],
)
def test_what_it_can_not_be_made_with(given, options, sentence, says):
    with says(ValueError, sentence):
        Evolution(OBJECTIVE, given, **options)


def test_an_odd_population_where_the_strategy_needs_pairs(says):
    with says(ValueError, "Evolution: Open_ES refuses a population of 7 for 3 trained numbers."):
        Evolution(OBJECTIVE, population=7).init(MODEL, KEY)


def test_a_loss_per_example_is_refused(says):
    method = Evolution(Objective(distance, lambda outputs, y: outputs**2), population=2)
    with says(ValueError, "Objective: the loss needs to be one number per batch, got shape (3,)."):
        eqx.filter_eval_shape(method.step, method.init(MODEL, KEY), BATCH, KEY)
