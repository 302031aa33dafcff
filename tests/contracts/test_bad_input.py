"""What no method that looks at the loss takes: each bad input, and the sentence that tells it."""

from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from bionet.experimental.hybrid import (
    LocalES,
    PastGuidedES,
    SelfGuidedES,
    SurrogateES,
    es_gradient,
    hybrid_gradient,
    make_hybrid_train_step,
    sges_gradient,
)
from bionet.modules.through_time.surrogates import Surrogate
from bionet.training.batches import ArrayBatches, Examples
from bionet.training.checks.health import NonFiniteError
from bionet.training.first_order.gradient import Gradient
from bionet.training.first_order.surrogate import SurrogateGradient
from bionet.training.fit import fit
from bionet.training.local.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment
from bionet.training.local.readout import FreeReadout
from bionet.training.local.two_phase import TwoPhase
from bionet.training.method import AbstractMethod
from bionet.training.objective import Objective
from bionet.training.problem import Problem
from bionet.training.zeroth_order.evolution import Evolution
from bionet.training.zeroth_order.lowrank_es import LowRankES
from bionet.training.zeroth_order.random_search import RandomSearch

KEY = jax.random.key(0)
MLP = eqx.nn.MLP(5, 3, width_size=4, depth=1, activation=jnp.tanh, key=KEY)
POPULATIONS = (Evolution, LowRankES, RandomSearch)
PAIRS = (LocalES, SurrogateES, SelfGuidedES, PastGuidedES)
DERIVATIVES = (Gradient, SurrogateGradient, FeedbackAlignment, DirectFeedbackAlignment)


def answers(model, x, key):
    return jax.vmap(model)(x)


@final
class Beyond(eqx.Module):
    """A loss that has no value where the answers sum up to more than an edge."""

    edge: Array

    def __call__(self, outputs: Array, y: Array) -> Array:
        return jnp.where(outputs.sum() > self.edge, jnp.nan, ((outputs - y) ** 2).mean())


class Task(NamedTuple):
    """A method with a model that it can train."""

    method: AbstractMethod
    model: Any
    predict: Any
    batch: tuple[Array, Array]


@pytest.fixture
def make(one_hidden):
    """`make(kind, loss, **options)`: a method, with a model and a batch for it."""

    def build(kind, loss, **options):
        batch, network = (one_hidden.x, one_hidden.y), one_hidden.orchestrator
        if kind is LocalES:
            predict, local = FreeReadout(one_hidden.state, 2), TwoPhase(one_hidden.state)
            return Task(
                LocalES(Objective(predict, loss), local, **options), network, predict, batch
            )
        return Task(kind(Objective(answers, loss), **options), MLP, answers, batch)

    return build


def some(kind):
    """Options with which a method is quick."""
    if kind in POPULATIONS:
        return {"population": 8}
    return {"num_samples": 4} if kind in PAIRS else {}


@eqx.filter_jit
def step(method, model, batch):
    return method.step(method.init(model, KEY), batch, KEY)


@pytest.mark.parametrize("kind", [*POPULATIONS, *PAIRS, *DERIVATIVES], ids=lambda k: k.__name__)
class TestLoss:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("loss", "error", "sentence"),
        [
            (
                lambda outputs, y: ((outputs - y) ** 2).mean(1),
                ValueError,
                "Objective: the loss needs to be one number per batch, got shape (6,). Take the",
            ),
            (
                lambda outputs, y: (((outputs - y) ** 2).mean(), outputs),
                TypeError,
                "Objective: the loss needs to be one real number, got tuple.",
            ),
            (
                lambda outputs, y: outputs.mean() * 1j,
                TypeError,
                "Objective: the loss needs to be one real number, got complex64.",
            ),
        ],
        ids=["vector", "tuple", "complex"],
    )
    def test_what_is_no_single_number_is_refused(self, kind, loss, error, sentence, make, says):
        task = make(kind, loss, **some(kind))
        with says(error, sentence):
            eqx.filter_eval_shape(step, task.method, task.model, task.batch)


@pytest.mark.parametrize("kind", [*POPULATIONS, *PAIRS], ids=lambda k: k.__name__)
class TestNoValue:
    @pytest.mark.slow
    def test_some_evaluations_without_one_spoil_nothing(self, kind, make):
        task = make(kind, Beyond(jnp.asarray(np.inf)), sigma=0.5, **some(kind))
        middle = jnp.asarray(task.predict(task.model, task.batch[0], KEY).sum())
        told = {}
        for name, edge in (("some", middle), ("all", jnp.asarray(-np.inf))):
            method = eqx.tree_at(lambda m: m.objective.loss.edge, task.method, edge)
            state, told[name] = step(method, task.model, task.batch)
            if name == "some":
                leaves = jax.tree.leaves(eqx.filter(state, eqx.is_inexact_array))
                assert all(np.isfinite(leaf).all() for leaf in leaves)
                assert np.isfinite(told[name]["training_loss"])
        assert 0 < told["some"]["failed"] < told["some"]["evaluations"] == 8
        assert told["all"]["failed"] == told["all"]["evaluations"] == 8


def problem_of(task, edge=np.inf, steps=2):
    x, y = (jnp.concatenate([part] * steps) for part in task.batch)
    return Problem(
        model=task.model,
        predict=task.predict,
        loss=Beyond(jnp.asarray(edge)),
        metric=lambda outputs, y: jnp.zeros(()),
        train=ArrayBatches(Examples(x, y), len(x) // steps, shuffle=False),
        validation=None,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RandomSearch, SurrogateES], ids=lambda k: k.__name__)
def test_a_run_whose_loss_never_has_a_value_ends_with_a_sentence(kind, make, says):
    """Whether such a step moves nothing, or makes weights NaN."""
    task = make(kind, Beyond(jnp.asarray(-np.inf)), **some(kind))
    sentence = (
        "Training stopped: every evaluation of the loss in epoch 1 was NaN or infinite. Look at "
        "the loss of the model itself, or lower sigma. No checkpoint was kept; pass checkpoint="
    )
    with says(NonFiniteError, sentence):
        fit(problem_of(task), task.method, epochs=2, key=KEY)


@pytest.mark.slow
def test_a_gradient_without_a_value_names_what_it_has_spoiled(make, says):
    task = make(Gradient, Beyond(jnp.asarray(-np.inf)), optimizer=optax.sgd(0.1))
    spoiled = eqx.tree_at(
        lambda m: m.objective.loss, task.method, lambda outputs, y: jnp.nan * outputs.mean()
    )
    with says(NonFiniteError, "leaf .layers[0].weight, became NaN or infinite in step 1. Lower"):
        fit(problem_of(task), spoiled, epochs=1, key=KEY)


def above_zero(name, kind):
    return f"{name}: sigma needs to be above 0 and finite, got {kind}."


@pytest.mark.parametrize("kind", [*POPULATIONS, *PAIRS], ids=lambda k: k.__name__)
@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_sigma_is_above_zero(kind, sigma, make, says):
    with says(ValueError, above_zero(kind.__name__, sigma)):
        make(kind, Beyond(jnp.zeros(())), sigma=sigma)


@pytest.mark.parametrize("kind", POPULATIONS, ids=lambda k: k.__name__)
@pytest.mark.parametrize("population", [0, 1])
def test_a_population_has_two_members(kind, population, make, says):
    with says(ValueError, f"{kind.__name__}: population needs 2 or more, got {population}."):
        make(kind, Beyond(jnp.zeros(())), population=population)


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (
            LowRankES,
            {},
            "LowRankES: antithetic members come in pairs, so population needs an even number, "
            "got 7; take 8, or antithetic=False.",
        ),
        *(
            (
                Evolution,
                {"strategy": strategy},
                f"Evolution: {strategy} refuses a population of 7 for 39 trained numbers. evosax "
                "says: Population size must be even.",
            )
            for strategy in ("Open_ES", "CR_FM_NES", "PGPE", "ARS")
        ),
    ],
)
def test_pairs_need_an_even_population(kind, options, sentence, make, says):
    with says(ValueError, sentence):
        task = make(kind, Beyond(jnp.zeros(())), population=7, **options)
        task.method.init(task.model, KEY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RandomSearch, LowRankES, Evolution], ids=lambda k: k.__name__)
def test_without_pairs_an_odd_population_is_fine(kind, make):
    alone = {LowRankES: {"antithetic": False}, Evolution: {"strategy": "CMA_ES"}}
    task = make(kind, Beyond(jnp.zeros(())), population=7, **alone.get(kind, {}))
    assert int(task.method.init(task.model, KEY).step) == 0


@pytest.mark.parametrize("kind", PAIRS, ids=lambda k: k.__name__)
@pytest.mark.parametrize("pairs", [0, -2, 1.5])
def test_a_hybrid_has_a_pair(kind, pairs, make, says):
    with says(ValueError, f"{kind.__name__}: num_samples needs a positive int, got {pairs}."):
        make(kind, Beyond(jnp.zeros(())), num_samples=pairs)


def test_a_strategy_that_evosax_lacks_is_told_the_nearest(make, says):
    sentence = "Evolution: No strategy of evosax is named 'CMAES'. Did you mean 'CMA_ES'"
    with says(ValueError, sentence):
        make(Evolution, Beyond(jnp.zeros(())), strategy="CMAES")


# The functions, which are called without a method.


def total(theta):
    return (theta**2).sum()


def guided(gradient):
    return lambda loss, **options: gradient(jnp.ones(3), lambda t: t, loss, KEY, **options)


def one_step(loss, **options):
    train = make_hybrid_train_step(lambda t: t, loss, optax.sgd(0.1), **options)
    return train(jnp.ones(3), train.init(jnp.ones(3)), KEY)


FUNCTIONS = {
    "es_gradient": lambda loss, **options: es_gradient(jnp.ones(3), loss, KEY, **options),
    "hybrid_gradient": guided(hybrid_gradient),
    "sges_gradient": guided(sges_gradient),
    "make_hybrid_train_step": one_step,
}


@pytest.mark.parametrize("name", FUNCTIONS)
class TestFunctions:
    def test_numbers(self, name, says):
        with says(ValueError, f"{name}: num_samples needs a positive int, got 0."):
            FUNCTIONS[name](total, num_samples=0)
        with says(ValueError, above_zero(name, 0.0)):
            FUNCTIONS[name](total, sigma=0.0)

    def test_losses(self, name, says):
        with says(ValueError, f"{name}: the loss needs to return one number, got shape (3,). Take"):
            FUNCTIONS[name](lambda theta: theta)
        with says(TypeError, f"{name}: the loss needs to return one real number, got tuple."):
            FUNCTIONS[name](lambda theta: (total(theta), theta))

    @pytest.mark.slow
    def test_no_evaluation_has_a_value(self, name, says):
        sentence = (
            f"{name}: all 4 evaluations of the loss were NaN or infinite. Look at the loss of the "
            "model itself, or lower sigma."
        )
        with says(RuntimeError, sentence):
            FUNCTIONS[name](lambda theta: total(theta) * jnp.nan, num_samples=2)


@pytest.mark.parametrize("kind", [SurrogateGradient, SurrogateES], ids=lambda k: k.__name__)
def test_the_gradient_of_a_surrogate_has_none(kind, make, says):
    """A penalty on the gradient of spikes, say, which a method would differentiate again."""

    def steepness(outputs, y):
        spikes = lambda field: Surrogate("arctan")(field).sum()  # noqa: E731
        return (jax.grad(spikes)(outputs) ** 2).mean()

    task = make(kind, steepness, **some(kind))
    with says(TypeError, "Surrogate 'arctan': can be differentiated once, and was differentiated"):
        eqx.filter_eval_shape(step, task.method, task.model, task.batch)
