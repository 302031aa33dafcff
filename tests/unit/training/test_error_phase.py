"""Error feedback as a phase: held against numpy, written out, and by what it brings about."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.fully_connected import FrozenFullyConnected
from bionet.modules.softmax import SoftmaxReadout
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.rules import cross_entropy
from bionet.training.checks.data_checks import check_batch
from bionet.training.fit import fit
from bionet.training.local.error_phase import ErrorPhase
from bionet.training.local.readout import FreeReadout, readout_cross_entropy

KEY = jax.random.key(0)
SGD = optax.sgd(1.0)
RATES = {(1, 0): 0.4, (1, 1): 0.1, (2, 1): 2.0, (1, 2): 3.0}


@pytest.fixture(scope="module")
def network(one_hidden):
    """The network 5-7-3 with a softmax readout, and feedback that learns and kicks hard."""
    rows = one_hidden.orchestrator.lmap.to_dict()
    rows[2][1] = SoftmaxReadout(7, 3, 1.0, jax.random.key(1))
    rows[1][2] = LearnedFeedback(3, 7, 3.0, jax.random.key(2))
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


@pytest.fixture(scope="module")
def batch():
    """Eight inputs of signs, and one-vs-all labels."""
    rng = np.random.default_rng(3)
    x = rng.choice([-1.0, 1.0], (8, 5))
    y = 2 * np.eye(3)[rng.integers(0, 3, 8)] - 1
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def method_for(one_hidden, **options):
    options = {"optimizer": SGD, "warmup": 2, "clamped": 2, **options}
    return ErrorPhase(one_hidden.state, **options)


def weights(network):
    lmap = network.lmap
    return {
        (1, 0): np.asarray(lmap[1, 0].W, float),
        (1, 1): np.asarray(lmap[1, 1].J, float),
        (1, 2): np.asarray(lmap[1, 2].W, float),
        (2, 1): np.asarray(lmap[2, 1].W, float),
    }


def by_numpy(network, x, y, *, warmup=2, clamped=2, free=0, margin=None, beta=1.0):
    """The increments of the four edges, the error, the gate, and the states before and after."""
    w = weights(network)
    x, y = np.asarray(x, float), np.asarray(y, float)
    threshold = {edge: float(network.lmap[edge].threshold) for edge in ((1, 0), (1, 1))}
    n, hidden = len(x), len(w[1, 1])

    def sign(field):
        return np.where(field >= 0, 1.0, -1.0)

    def probabilities(scores):
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    s = np.zeros((n, hidden))
    for _ in range(warmup):
        s = sign(x @ w[1, 0] + s @ w[1, 1])
    scores = s @ w[2, 1]
    e = (y + 1) / 2 - probabilities(beta * scores)
    kick = 3.0 * e @ w[1, 2] / np.sqrt((w[1, 2] ** 2).mean())
    t = s
    for _ in range(clamped):
        t = sign(x @ w[1, 0] + t @ w[1, 1] + kick)
    for _ in range(free):
        t = sign(x @ w[1, 0] + t @ w[1, 1])
    gate = np.ones(n)
    if margin is not None:
        label = scores[y > 0]
        gate = (label - np.where(y > 0, -np.inf, scores).max(1) <= margin) * 1.0
    field = x @ w[1, 0] + t @ w[1, 1]
    wrong = {edge: gate[:, None] * (t * field <= limit) * t for edge, limit in threshold.items()}
    recurrent = t.T @ wrong[1, 1] / np.sqrt(n * hidden)
    np.fill_diagonal(recurrent, 0)
    readout = s.T @ ((y + 1) / 2 - probabilities(scores)) / np.sqrt(n * hidden)
    added = {
        (1, 0): x.T @ wrong[1, 0] / np.sqrt(n * x.shape[1]),
        (1, 1): recurrent,
        (1, 2): e.T @ s / np.sqrt(n * hidden),
        (2, 1): readout,
    }
    return added, e, gate, s, t


CASES = [
    {},
    {"margin": -1.0},
    {"free": 2},
    {"beta": 3.0},
    {"clamped": 0},
    {"warmup": 1, "clamped": 1, "margin": -1.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", CASES, ids=str)
def test_one_step_is_that_of_numpy(one_hidden, network, batch, options):
    method = method_for(one_hidden, edge_rates=RATES, **options)
    train_state, metrics = method.step(method.init(network, KEY), batch, KEY)
    expected, _, gate, before, after = by_numpy(network, *batch, **options)
    was, found = weights(network), weights(train_state.model)
    for edge, increment in expected.items():
        step = RATES[edge] * increment
        np.testing.assert_allclose(found[edge] - was[edge], step, atol=2e-5, err_msg=str(edge))
        assert np.abs(step).max() > 0.01, edge
    assert float(metrics["taught"]) == pytest.approx(gate.mean())
    assert float(metrics["moved"]) == pytest.approx((before != after).mean())


def test_the_case_is_one_in_which_things_happen(network, batch):
    _, e, gate, before, after = by_numpy(network, *batch, margin=-1.0)
    assert 0 < gate.mean() < 1
    assert 0.1 < (before != after).mean() < 0.9
    assert np.abs(e).max() > 0.5


def test_following_it_lowers_the_cross_entropy_of_the_answer(one_hidden, network, batch):
    """The whole step, and the hidden rows alone, with a readout that stays as it is."""
    x, y = batch
    read = FreeReadout(one_hidden.state, 2)
    before = float(cross_entropy(y, read(network, x, KEY)))
    rates = {(1, 0): 0.1, (1, 1): 0.1, (2, 1): 0.5, (1, 2): 0.5}
    hidden_alone = {**rates, (2, 1): 0.0, (1, 2): 0.0}
    # Feedback that points where the readout does: then the kick goes the right way.
    aligned = eqx.tree_at(lambda o: o.lmap[1, 2].W, network, network.lmap[2, 1].W.T)
    for model, chosen in ((network, rates), (aligned, hidden_alone)):
        method = method_for(one_hidden, edge_rates=chosen)
        state = method.init(model, KEY)
        for _ in range(8):
            state, _ = method.step(state, batch, KEY)
        after = float(cross_entropy(y, read(state.model, x, KEY)))
        assert after < before - 0.2


class TestGate:
    def test_closed_for_all_no_hidden_unit_learns(self, one_hidden, network, batch):
        method = method_for(one_hidden, margin=-1e6)
        train_state, metrics = method.step(method.init(network, KEY), batch, KEY)
        after, before = weights(train_state.model), weights(network)
        assert float(metrics["taught"]) == 0
        for edge in ((1, 0), (1, 1)):
            assert np.array_equal(after[edge], before[edge])
        for edge in ((2, 1), (1, 2)):
            assert np.abs(after[edge] - before[edge]).max() > 0.01

    def test_open_for_all_is_none(self, one_hidden, network, batch):
        open_, none = (
            method_for(one_hidden, margin=m).step(
                method_for(one_hidden, margin=m).init(network, KEY), batch, KEY
            )[0]
            for m in (1e6, None)
        )
        for left, right in zip(*map(jax.tree.leaves, (open_.model, none.model)), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-6)

    def test_it_is_a_value(self, one_hidden, network, batch):
        method = method_for(one_hidden, margin=0.5)
        other = eqx.tree_at(lambda m: (m.margin, m.beta), method, (jnp.array(1.0), jnp.array(2.0)))
        assert jax.tree.structure(other) == jax.tree.structure(method)


def test_a_network_that_is_right_for_sure_moves_nobody(one_hidden, network, batch):
    """One sample, whose class has all the probability: no error, no kick, nothing to learn."""
    x, y = batch[0][:1], batch[1][:1]
    hidden = jnp.asarray(by_numpy(network, x, y, warmup=9)[3], jnp.float32)
    sure = eqx.tree_at(lambda o: o.lmap[2, 1].W, network, 20 * hidden.T @ y)
    method = method_for(one_hidden, margin=4.0, warmup=9)
    train_state, metrics = method.step(method.init(sure, KEY), (x, y), KEY)
    assert float(metrics["warmup_settled"]) == 1
    assert float(metrics["moved"]) == float(metrics["taught"]) == 0
    for edge, was in weights(sure).items():
        np.testing.assert_allclose(weights(train_state.model)[edge], was, atol=1e-6)


def test_frozen_feedback_stays_and_kicks(one_hidden, network, batch):
    rows = network.lmap.to_dict()
    rows[1][2] = FrozenFullyConnected(3, 7, 5.0, 0.0, KEY)
    model = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
    method = method_for(one_hidden)
    train_state, metrics = method.step(method.init(model, KEY), batch, KEY)
    assert float(metrics["moved"]) > 0
    assert np.array_equal(train_state.model.lmap[1, 2].W, model.lmap[1, 2].W)


def test_decay_is_a_share_of_the_weight(one_hidden, network, batch):
    plain, decayed = (
        method_for(one_hidden, edge_decays=decays)
        .step(method_for(one_hidden, edge_decays=decays).init(network, KEY), batch, KEY)[0]
        .model
        for decays in ({}, {(1, 2): 0.25})
    )
    lost = plain.lmap[1, 2].W - decayed.lmap[1, 2].W
    np.testing.assert_allclose(lost, 0.25 * network.lmap[1, 2].W, atol=1e-6)
    assert np.array_equal(plain.lmap[1, 0].W, decayed.lmap[1, 0].W)


def test_early_stop_changes_no_number(one_hidden, network, batch):
    stopped, not_stopped = (
        method_for(one_hidden, early_stop=stop, warmup=6, clamped=6)
        .step(method_for(one_hidden).init(network, KEY), batch, KEY)[0]
        .model
        for stop in (True, False)
    )
    for left, right in zip(*map(jax.tree.leaves, (stopped, not_stopped)), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


@pytest.mark.slow
def test_two_hidden_layers_learn_too(two_hidden):
    method = ErrorPhase(two_hidden.state, optimizer=SGD, warmup=2, clamped=2)
    trained, _ = method.step(
        method.init(two_hidden.orchestrator, KEY), (two_hidden.x, two_hidden.y), KEY
    )
    for edge in ((1, 0), (2, 1), (1, 2), (3, 2)):
        assert not np.array_equal(trained.model.lmap[edge].W, two_hidden.orchestrator.lmap[edge].W)


@pytest.mark.slow
def test_a_network_with_randomness_uses_the_key(noisy, batch):
    method = ErrorPhase(noisy.state, optimizer=SGD, warmup=1, clamped=1)
    start = method.init(noisy.orchestrator, KEY)
    one, same, other = (method.step(start, batch, jax.random.key(k))[0].model for k in (0, 0, 1))
    assert np.array_equal(one.lmap[2, 1].W, same.lmap[2, 1].W)
    assert not np.array_equal(one.lmap[2, 1].W, other.lmap[2, 1].W)


@pytest.mark.slow
def test_it_learns_a_task(task, one_hidden, network):
    turned = eqx.tree_at(lambda o: o.lmap[2, 1].W, network, replace_fn=jnp.negative)
    problem = replace(task(), model=turned)
    method = ErrorPhase(one_hidden.state, optimizer=optax.sgd(0.5), warmup=2, clamped=2, margin=4.0)
    untrained, trained = (fit(problem, method, epochs=n, key=KEY) for n in (0, 8))
    assert trained.test["accuracy"] >= max(0.7, untrained.test["accuracy"] + 0.2)


def test_the_loss_of_its_readout():
    outputs, y = jnp.array([[0.0, 0.0], [0.0, 1e3]]), jnp.array([[1.0, -1.0], [-1.0, 1.0]])
    assert float(readout_cross_entropy(outputs, y)) == pytest.approx(np.log(2) / 2)


class TestRefusals:
    @pytest.mark.parametrize("name", ["warmup", "clamped", "free"])
    def test_a_negative_number_of_steps(self, one_hidden, says, name):
        with says(ValueError, f"ErrorPhase: {name} needs 0 steps or more, got -1."):
            ErrorPhase(one_hidden.state, **{name: -1})

    def test_a_model_without_local_rules(self, one_hidden, says):
        sentence = "The method 'error-phase' needs an orchestrator, whose modules have local rules"
        with says(ValueError, sentence):
            ErrorPhase(one_hidden.state).init({"W": jnp.zeros(3)}, KEY)

    def test_a_network_without_feedback(self, one_hidden, says):
        rows = one_hidden.orchestrator.lmap.to_dict()
        del rows[1][2]
        model = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
        sentence = "'error-phase' needs feedback from the output row to a hidden row"
        with says(ValueError, sentence):
            ErrorPhase(one_hidden.state).init(model, KEY)

    def test_a_rate_for_an_edge_that_is_not_there(self, one_hidden, says):
        method = ErrorPhase(one_hidden.state, edge_rates={(2, 0): 0.5})
        sentence = "ErrorPhase: edge_rates names (2, 0), but the model has no such edge."
        with says(ValueError, sentence):
            method.init(one_hidden.orchestrator, KEY)

    def test_labels_that_the_readout_can_not_learn(self, one_hidden, network, batch, says):
        method = method_for(one_hidden)
        with says(RuntimeError, "SoftmaxReadout: each sample needs exactly one label of +1"):
            check_batch(method, network, (batch[0], -batch[1]))
