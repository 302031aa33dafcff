"""Members that tie: what they weigh, against NumPy, and strategies that meet nothing but ties."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evosax.algorithms import distribution_based_algorithms
from evosax.core.fitness_shaping import weights_fitness_shaping_fn
from hypothesis import given
from hypothesis import strategies as st

from bionet.training.objective import Objective
from bionet.training.zeroth_order.evolution import WITHOUT_A_MEAN, Evolution
from bionet.training.zeroth_order.ties import CLIPPED, shared_weights

KEY = jax.random.key(0)
STRATEGIES = sorted(set(distribution_based_algorithms) - {*WITHOUT_A_MEAN})
RANKED = [
    name
    for name in STRATEGIES
    if inspect.signature(distribution_based_algorithms[name])
    .parameters["fitness_shaping_fn"]
    .default
    is weights_fitness_shaping_fn
]
WEIGHTS = np.array([0.5, 0.3, 0.2, -0.1, -0.4, -0.8], np.float32)
weigh = jax.jit(shared_weights, static_argnames="by_sign")


def shared_by_hand(losses, weights):
    """Each member's mean over the ranks that its loss takes up."""
    ranked = np.sort(losses)
    return np.array([weights[ranked == loss].mean() for loss in losses])


@pytest.mark.slow
@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_members_that_tie_share_the_weights_of_their_ranks(losses):
    losses = np.asarray(losses, np.float32)
    found = weigh(losses, WEIGHTS)
    np.testing.assert_allclose(found, shared_by_hand(losses, WEIGHTS), rtol=1e-5, atol=1e-7)
    assert float(found.sum()) == pytest.approx(WEIGHTS.sum(), abs=1e-6)


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_by_sign_both_sums_stay(losses):
    """With evosax 0.3.2 they do not: two best of eight give 1.244 for the weights above zero."""
    found = np.asarray(weigh(np.asarray(losses, np.float32), WEIGHTS, by_sign=True))
    assert found[found > 0].sum() == pytest.approx(1.0, abs=1e-6)
    assert found[found < 0].sum() == pytest.approx(-1.3, abs=1e-6)


@given(st.permutations(range(6)))
def test_without_ties_they_are_the_weights_by_rank_bit_by_bit(losses):
    losses = np.asarray(losses, np.float32)
    for by_sign in (False, True):
        assert np.array_equal(weigh(losses, WEIGHTS, by_sign=by_sign), WEIGHTS[losses.astype(int)])


@eqx.filter_jit
def means(method, model, steps):
    """The mean after each generation."""
    arrays, static = eqx.partition(method.init(model, KEY), eqx.is_array)

    def step(carry, key):
        state, told = method.step(eqx.combine(carry, static), (model, model), key)
        return eqx.filter(state, eqx.is_array), (state.model, told["training_loss"])

    return jax.lax.scan(step, arrays, jax.random.split(KEY, steps))[1]


def in_a_ball(model, x, key):
    """Zero in a ball of radius 1 around 3, where all members soon tie."""
    return jnp.maximum(0.0, jnp.sum((model - 3) ** 2) - 1)


def test_cma_es_reaches_a_plateau_and_stays_finite():
    """NaN in step 339 before, because two members that tied for the best counted 1.24 times."""
    path, losses = means(evolution("CMA_ES", in_a_ball), jnp.zeros(4), 1500)
    assert np.isfinite(path).all()
    assert losses[-1] == 0


def evolution(strategy, loss):
    sigma = None if strategy == "GradientlessDescent" else 0.5
    return Evolution(Objective(loss, lambda out, y: out), strategy, population=8, sigma=sigma)


def flat(model, x, key):
    return 0 * model.sum() + 2.5


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [*RANKED, "Open_ES", "HillClimbing"])
def test_generations_in_which_all_tie_leave_the_mean_where_it_is(strategy):
    path = means(evolution(strategy, flat), jnp.zeros(4), 2)[0]
    assert np.array_equal(path, np.zeros((2, 4)))


# evosax itself calls a name that Optax no longer likes.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:optax.global_norm:DeprecationWarning")
@pytest.mark.parametrize("strategy", sorted({*STRATEGIES} - {*RANKED}))
def test_the_state_of_every_strategy_can_be_held(strategy):
    """By shapes alone: a state that a generation makes anew is that which it was drawn from."""
    method, model = evolution(strategy, flat), jnp.zeros(4)
    before = eqx.filter_eval_shape(method.init, model, KEY)
    after, _ = eqx.filter_eval_shape(method.step, before, (model, model), KEY)
    assert after.memory.mean.shape == (4,)


def test_strategies_that_weigh_by_rank_are_all_found():
    assert {"CMA_ES", "Sep_CMA_ES", "SNES", "xNES", "CR_FM_NES", "SimpleES"} <= set(RANKED)
    assert set(CLIPPED) <= set(RANKED)
