"""Contrastive learning: the free phase is taught what the clamped phase did."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.orchestrators.settle import settle
from bionet.training.fit import fit
from bionet.training.local.contrastive import Contrastive

KEY = jax.random.key(0)


def phases(network, steps):
    """The free state with its answer, and the clamped one, by plain loops of steps."""
    orchestrator = network.orchestrator
    free = network.clamped
    for _ in range(steps):
        free, _ = orchestrator.step_inference(free, rng=None)
    clamped = free
    for _ in range(steps):
        clamped, _ = orchestrator.step(clamped, rng=None)
    return orchestrator.predict(free)[0], clamped


@pytest.fixture(scope="module")
def stepped(one_hidden):
    method = Contrastive(one_hidden.state, optimizer=optax.sgd(1.0), free=3, clamped=3)
    train_state = method.init(one_hidden.orchestrator, KEY)
    return method.step(train_state, (one_hidden.x, one_hidden.y), KEY)


def test_the_first_step_is_that_of_the_rules_between_the_phases(one_hidden, stepped):
    network, (free, clamped) = one_hidden.orchestrator, phases(one_hidden, 3)
    field = network.lmap[1, 0](free[0]) + network.lmap[1, 1](free[1])
    score = network.lmap[2, 1](free[1])
    expected = {
        (1, 0): ("W", network.lmap[1, 0].increments(free[0], clamped[1], field)["W"]),
        (1, 1): ("J", network.lmap[1, 1].increments(free[1], clamped[1], field)["J"]),
        (2, 1): ("W", network.lmap[2, 1].increments(free[1], one_hidden.y, score)["W"]),
    }
    for edge, (leaf, increment) in expected.items():
        added = getattr(stepped[0].model.lmap[edge], leaf) - getattr(network.lmap[edge], leaf)
        np.testing.assert_allclose(added, increment, atol=1e-5)
        assert np.abs(added).max() > 0


def test_it_says_how_many_units_the_label_moved(one_hidden, stepped):
    free, clamped = phases(one_hidden, 3)
    assert float(stepped[1]["moved"]) == pytest.approx(float((free[1] != clamped[1]).mean()))


def test_following_it_brings_the_free_phase_to_the_clamped_one(one_hidden):
    """The violated margins of the clamped targets under the free fields become fewer."""
    network = one_hidden.orchestrator
    free, clamped = phases(one_hidden, 3)
    gradient = network.backward(free, targets=clamped)
    follow = eqx.apply_updates(network, jax.tree.map(lambda g: -0.2 * g, gradient))

    def violated(orchestrator):
        field = orchestrator.lmap[1, 0](free[0]) + orchestrator.lmap[1, 1](free[1])
        margin = jnp.concatenate(
            [clamped[1] * field, clamped[2] * orchestrator.lmap[2, 1](free[1])], 1
        )
        return float(jnp.maximum(0.75 - margin, 0).sum())

    assert violated(follow) < violated(network)


def test_two_hidden_layers_learn_too(two_hidden):
    method = Contrastive(two_hidden.state, optimizer=optax.adam(0.1), free=2, clamped=2)
    train_state = method.init(two_hidden.orchestrator, KEY)
    trained, metrics = method.step(train_state, (two_hidden.x, two_hidden.y), KEY)
    assert int(trained.step) == 1
    assert 0 <= float(metrics["moved"]) <= 1
    assert not jnp.array_equal(trained.model.lmap[2, 1].W, two_hidden.orchestrator.lmap[2, 1].W)


def test_it_learns_a_task_from_its_first_step_on(task, one_hidden):
    problem = task()
    method = Contrastive(one_hidden.state, optimizer=optax.adam(0.02), free=3, clamped=3)
    untrained, trained = (fit(problem, method, epochs=n, key=KEY) for n in (0, 12))
    assert trained.test["accuracy"] >= max(0.7, untrained.test["accuracy"] + 0.2)


@pytest.mark.parametrize("name", ["free", "clamped"])
def test_a_negative_number_of_steps(one_hidden, says, name):
    with says(ValueError, f"Contrastive: {name} needs 0 steps or more, got -1."):
        Contrastive(one_hidden.state, **{name: -1})


def test_a_model_without_local_rules(one_hidden, says):
    sentence = "The method 'contrastive' needs an orchestrator, whose modules have local rules"
    with says(ValueError, sentence):
        Contrastive(one_hidden.state).init({"W": jnp.zeros(3)}, KEY)


def test_a_rate_for_an_edge_that_is_not_there(one_hidden, says):
    method = Contrastive(one_hidden.state, edge_rates={(2, 0): 0.5})
    with says(ValueError, "Contrastive: edge_rates names (2, 0), but the model has no such edge."):
        method.init(one_hidden.orchestrator, KEY)


def test_settle_takes_the_messages_that_are_known(one_hidden, same_bits):
    network, state = one_hidden.orchestrator, one_hidden.clamped
    wrong = {(1, 0): jnp.full((len(state[0]), 7), 100.0)}
    found, _ = settle(network, state, max_steps=1, phase="free", known=wrong)
    same_bits(found[1], jnp.ones_like(found[1]))
