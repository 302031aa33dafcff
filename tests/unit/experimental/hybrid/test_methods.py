"""The hybrids as methods: against the methods that they are made of, and on small tasks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.experimental.hybrid import (
    LocalES,
    PastGuidedES,
    SelfGuidedES,
    SurrogateES,
    local_direction,
)
from bionet.training.first_order.gradient import Gradient
from bionet.training.local.contrastive import Contrastive
from bionet.training.local.error_phase import ErrorPhase
from bionet.training.local.readout import FreeReadout, ReadoutHinge
from bionet.training.local.two_phase import TwoPhase
from bionet.training.objective import Objective

KEY = jax.random.key(1)
KINDS = {"LocalES": LocalES, "SurrogateES": SurrogateES, "SelfGuidedES": SelfGuidedES}
KINDS["PastGuidedES"] = PastGuidedES
HINGE = ReadoutHinge(2.0)
STEPS = 40


@pytest.fixture(scope="module")
def objective(one_hidden):
    return Objective(FreeReadout(one_hidden.state, 3), HINGE)


@pytest.fixture(scope="module")
def local(one_hidden):
    return TwoPhase(
        one_hidden.state,
        optimizer=optax.adamw(0.125),
        clamped=3,
        free=3,
        edge_rates={(1, 0): 0.5},
        edge_decays={(1, 1): 0.25},
    )


@eqx.filter_jit
def run(method, train_state, batch, keys):
    """Steps on one batch, and the losses that were met."""
    arrays, static = eqx.partition(train_state, eqx.is_array)

    def body(carry, key):
        state, told = method.step(eqx.combine(carry, static), batch, key)
        return eqx.filter(state, eqx.is_array), told

    arrays, told = jax.lax.scan(body, arrays, keys)
    return eqx.combine(arrays, static), told


def trained(method, model, batch):
    return run(method, method.init(model, KEY), batch, jax.random.split(KEY, STEPS))


def made(kind, objective, local, lam):
    options = {"num_samples": 16, "sigma": 0.2, "lam": lam}
    if kind is LocalES:
        return LocalES(objective, local, snr=True, **options)
    bulk = {"bulk": local_direction(local)} if kind is SelfGuidedES else {}
    return kind(objective, optax.adam(0.03), **bulk, **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_it_lowers_its_own_loss(kind, one_hidden, objective, local):
    """On the six samples of a network of signs, which has no gradient."""
    method = made(kind, objective, local, 0.8)
    network, batch = one_hidden.orchestrator, (one_hidden.x, one_hidden.y)
    state, told = trained(method, network, batch)
    before, after = (
        float(objective(model, batch, KEY)) for model in (network, method.finish(state))
    )
    assert after < 0.7 * before
    assert told["training_loss"][-5:].mean() < 0.7 * told["training_loss"][0]
    assert np.array_equal(told["evaluations"], np.full(STEPS, 32.0))


def test_with_lam_zero_it_is_the_local_method_bit_by_bit(one_hidden, objective, local, same_bits):
    """Its optimiser, its rates and its decays included."""
    network, batch = one_hidden.orchestrator, (one_hidden.x, one_hidden.y)
    found, told = trained(made(LocalES, objective, local, 0.0), network, batch)
    expected, alone = trained(local, network, batch)
    same_bits(*(eqx.filter(state, eqx.is_array) for state in (found, expected)))
    assert set(alone) < set(told)


def test_a_metric_that_both_have_is_refused(one_hidden, objective, local, monkeypatch, says):
    """The correction's would take the place of the local method's, without a word."""
    plain = TwoPhase.pseudo_gradient

    def counted(self, model, batch, key):
        learned, metrics = plain(self, model, batch, key)
        return learned, metrics | {"evaluations": jnp.ones(())}

    monkeypatch.setattr(TwoPhase, "pseudo_gradient", counted)
    method = LocalES(objective, local, num_samples=6, sigma=0.2, lam=0.2)
    state = method.init(one_hidden.orchestrator, KEY)
    sentence = (
        "LocalES: the metrics of TwoPhase and those of the correction both have the name "
        "'evaluations'. Rename that of the local method."
    )
    with says(ValueError, sentence):
        method.step(state, (one_hidden.x, one_hidden.y), KEY)


def test_any_local_method_will_do(one_hidden, objective):
    network, batch = one_hidden.orchestrator, (one_hidden.x, one_hidden.y)
    for kind, known in ((ErrorPhase, "taught"), (Contrastive, "moved")):
        method = LocalES(objective, kind(one_hidden.state))
        _, told = eqx.filter_eval_shape(method.step, method.init(network, KEY), batch, KEY)
        assert {known, "training_loss", "correction_fraction"} < set(told)


@pytest.mark.slow
def test_with_lam_zero_it_is_gradient_descent_of_the_loss():
    mlp = eqx.nn.MLP(5, 3, width_size=4, depth=1, activation=jnp.tanh, key=KEY)
    objective = Objective(lambda model, x, key: jax.vmap(model)(x), HINGE)
    rng = np.random.default_rng(0)
    batch = tuple(jnp.asarray(np.sign(rng.normal(size=(8, n))), jnp.float32) for n in (5, 3))
    optimizer = optax.sgd(0.1)
    hybrid = SurrogateES(objective, optimizer, lam=0.0, num_samples=1)
    methods = (hybrid, Gradient(objective, optimizer))
    models = [trained(method, mlp, batch)[0].model for method in methods]
    leaves = [jax.tree.leaves(eqx.filter(model, eqx.is_array)) for model in models]
    for left, right in zip(*leaves, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


def test_only_a_local_method_is_one(objective, says):
    sentence = (
        "LocalES: local needs a method with local rules, such as TwoPhase, got Gradient. Where "
        "there is a gradient, take SurrogateES."
    )
    with says(TypeError, sentence):
        LocalES(objective, Gradient(objective))


def test_what_the_local_method_refuses_is_refused(one_hidden, objective, says):
    local = TwoPhase(one_hidden.state, edge_rates={(5, 0): 1.0})
    with says(ValueError, "TwoPhase: edge_rates names (5, 0)"):
        LocalES(objective, local).init(one_hidden.orchestrator, KEY)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_samples": 0}, "num_samples needs a positive int, got 0."),
        ({"sigma": 0.0}, "sigma needs to be above 0 and finite, got 0.0."),
        ({"lam": -1.0}, "lam needs to be 0 or more and finite, got -1.0."),
        ({"chunk": 5}, "chunk needs an even number"),
        ({"num_samples": 1, "snr": True}, "snr compares two halves of the random pairs"),
    ],
)
def test_bad_numbers_are_refused(kind, options, sentence, objective, local, says):
    given = (objective, local) if kind is LocalES else (objective,)
    with says(ValueError, f"{kind.__name__}: {sentence}"):
        kind(*given, **options)


def test_past_estimates_guide_by_hand():
    """One pair, along the past alone: the slope of |w|^2 at (3, 4) along (0, 1) is 8."""
    objective = Objective(lambda model, x, key: model, lambda w, y: (w**2).sum())
    method = PastGuidedES(objective, optax.sgd(0.1), num_samples=1, sigma=0.5)
    begun = method.init(jnp.array([3.0, 4.0]), KEY)
    begun = eqx.tree_at(lambda s: s.memory.past, begun, jnp.array([0.0, 2.0]))
    after, told = method.step(begun, (jnp.zeros(1), jnp.zeros(1)), KEY)
    np.testing.assert_allclose(after.model, [3.0, 3.2], rtol=1e-6)
    np.testing.assert_allclose(after.memory.past, [0.0, 0.9 * 2 + 0.1 * 8], rtol=1e-6)
    assert float(told["proj"]) == pytest.approx(8.0)
    assert float(told["evaluations"]) == 2


def test_past_estimates_lie_along_the_gradient_after_some_steps():
    """In 40 dimensions four pairs have a cosine of about 0.3 with it; their mean has more."""
    rng = np.random.default_rng(0)
    goal = jnp.asarray(rng.normal(size=40), jnp.float32)
    objective = Objective(lambda model, x, key: model, lambda w, y: ((w - goal) ** 2).sum())
    method = PastGuidedES(objective, optax.sgd(0.0), num_samples=4, sigma=0.1)
    batch = (jnp.zeros(1), jnp.zeros(1))
    state, _ = trained(method, jnp.zeros(40), batch)
    gradient, past = -2 * np.asarray(goal), np.asarray(state.memory.past)
    cosine = gradient @ past / np.linalg.norm(gradient) / np.linalg.norm(past)
    assert cosine > 0.8


def test_a_decay_of_one_would_never_learn_from_an_estimate(objective, says):
    with says(ValueError, "PastGuidedES: `decay` must be 0 or more and below 1, got 1.0."):
        PastGuidedES(objective, decay=1.0)
