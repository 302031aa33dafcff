"""Two-phase learning: held against the plain loop, leaf by leaf, and what it leaves alone."""

import re
from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.training.fit import fit
from bionet.training.local.two_phase import TwoPhase

KEY = jax.random.key(0)
TRAINED = {
    1: {(1, 0): "W", (1, 1): "J", (2, 1): "W"},
    2: {(1, 0): "W", (1, 1): "J", (1, 2): "W", (2, 1): "W", (2, 2): "J", (3, 2): "W"},
}


def weights(network, orchestrator=None):
    """The trained leaves by edge, as anybody would pick them by hand."""
    lmap = (orchestrator or network.orchestrator).lmap
    return {edge: getattr(lmap[edge], name) for edge, name in TRAINED[len(network.hidden)].items()}


def with_weights(network, orchestrator, new):
    named = TRAINED[len(network.hidden)].items()
    return eqx.tree_at(
        lambda o: [getattr(o.lmap[edge], name) for edge, name in named],
        orchestrator,
        [new[edge] for edge, _ in named],
    )


@eqx.filter_jit
def plain_loop(network, orchestrator, memory, optimizer, phases):
    """One batch of the usual script: Python loops, `backward`, and Optax on what learns."""
    rng, (warmup, clamped, free) = None, phases
    state = network.clamped
    for _ in range(warmup):
        state, rng = orchestrator.step_inference(state, rng=rng)
    for _ in range(clamped):
        state, rng = orchestrator.step(state, rng=rng)
    for _ in range(free):
        state, rng = orchestrator.step_inference(state, rng=rng)
    old = weights(network, orchestrator)
    gradient = weights(network, orchestrator.backward(state, rng))
    updates, memory = optimizer.update(gradient, memory, old)
    new = optax.apply_updates(old, updates)
    for edge, leaf in old.items():
        if edge[0] == edge[1]:
            new[edge] = jnp.fill_diagonal(new[edge], jnp.diagonal(leaf), inplace=False)
    return with_weights(network, orchestrator, new), memory


@eqx.filter_jit
def one_step(method, train_state, batch, key=KEY):
    return method.step(train_state, batch, key)


def batches(network):
    """Three batches for a network."""
    flips = (jnp.array([1.0] * 5), jnp.array([1, -1, 1, -1, 1.0]), jnp.array([-1.0] * 5))
    return [(network.x * flip, network.y) for flip in flips]


def train(method, network, batches):
    train_state = method.init(network.orchestrator, KEY)
    for batch in batches:
        train_state, _ = one_step(method, train_state, batch)
    return train_state


ADAM, DECAY = optax.adam(0.125), optax.adamw(0.125, weight_decay=4.0)


def compare(found, network, optimizer, phases):
    """Each leaf after three steps, against the plain loop."""
    expected, memory = network.orchestrator, optimizer.init(weights(network))
    for x, y in batches(network):
        now = network._replace(x=x, y=y)
        expected, memory = plain_loop(now, expected, memory, optimizer, phases)
    assert int(found.step) == 3
    moved = 0
    for left, right, before in zip(
        *(jax.tree.leaves(tree) for tree in (found.model, expected, network.orchestrator)),
        strict=True,
    ):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)
        moved += not np.array_equal(left, before)
    assert moved == len(TRAINED[len(network.hidden)])


def test_steps_are_those_of_the_plain_loop(two_hidden):
    method = TwoPhase(two_hidden.state, optimizer=ADAM, warmup=2, clamped=3, free=3)
    compare(train(method, two_hidden, batches(two_hidden)), two_hidden, ADAM, (2, 3, 3))


@pytest.fixture(scope="module")
def decayed(one_hidden):
    """A network after steps with a weight decay that would shrink anything by a lot."""
    method = TwoPhase(one_hidden.state, optimizer=DECAY, clamped=4, free=0)
    return train(method, one_hidden, batches(one_hidden))


def test_with_weight_decay_too_and_without_a_free_phase(one_hidden, decayed):
    compare(decayed, one_hidden, DECAY, (0, 4, 0))


@pytest.mark.parametrize("left_out", [None, "warmup", "clamped", "free"])
def test_a_phase_of_no_steps_is_left_out(one_hidden, left_out):
    phases = {"warmup": 2, "clamped": 2, "free": 2}
    method = TwoPhase(one_hidden.state, **(phases | ({left_out: 0} if left_out else {})))
    start = method.init(one_hidden.orchestrator, KEY)
    _, metrics = eqx.filter_eval_shape(method.step, start, (one_hidden.x, one_hidden.y), KEY)
    kept = [phase for phase in phases if phase != left_out]
    assert set(metrics) == {f"{phase}_{what}" for phase in kept for what in ("settled", "steps")}


class TestTrainedLeaves:
    def test_weight_decay_reaches_what_learns(self, decayed, one_hidden):
        before = weights(one_hidden)
        for edge, after in weights(one_hidden, decayed.model).items():
            changed = np.asarray(after) != np.asarray(before[edge])
            off_diagonal = ~np.eye(7, dtype=bool) if edge == (1, 1) else True
            assert (changed == off_diagonal).mean() > 0.9

    def test_thresholds_strengths_and_frozen_weights_do_not_move(self, decayed, one_hidden):
        before, after = one_hidden.orchestrator.lmap, decayed.model.lmap
        for edge, module in before.edge_items():
            for name in ("threshold", "strength"):
                if hasattr(module, name):
                    assert np.array_equal(getattr(after[edge], name), getattr(module, name))
        assert np.array_equal(after[1, 2].W, before[1, 2].W)

    def test_the_diagonal_of_J_does_not_move(self, decayed, one_hidden):
        J = decayed.model.lmap[1, 1].J
        assert np.array_equal(jnp.diagonal(J), np.full(7, 0.5))
        assert not np.array_equal(J, one_hidden.orchestrator.lmap[1, 1].J)

    def test_the_optimiser_remembers_the_trained_leaves_alone(self, decayed, one_hidden):
        shapes = [leaf.shape for leaf in weights(one_hidden).values()]
        remembered = [leaf.shape for leaf in jax.tree.leaves(decayed.memory)]
        assert sorted(remembered) == sorted([*shapes, *shapes, ()])  # two moments and a count


class TestEdgeRates:
    EDGES = ((1, 0), (1, 1), (1, 2), (2, 1))
    traces: ClassVar[list] = []

    @staticmethod
    def count(updates, state, params=None):
        TestEdgeRates.traces.append(params)
        return jax.tree.map(lambda leaf: -leaf, updates), state

    optimizer = optax.GradientTransformation(lambda params: (), count)

    def added(self, network, rates):
        """By rates, what a step adds to each edge; rates that are not given are 1."""
        method = TwoPhase(
            network.state,
            optimizer=self.optimizer,
            clamped=2,
            free=2,
            edge_rates=dict.fromkeys(self.EDGES, 1.0) | rates,
        )
        found = train(method, network, batches(network)[:1]).model
        before = weights(network)
        return {
            edge: np.asarray(after) - np.asarray(before[edge])
            for edge, after in weights(network, found).items()
        }

    @pytest.mark.parametrize("edge", [(1, 0), (1, 1), (2, 1)])
    def test_a_rate_scales_its_edge_and_no_other(self, one_hidden, edge):
        usual, scaled = self.added(one_hidden, {}), self.added(one_hidden, {edge: 0.25})
        for other, added in usual.items():
            assert np.abs(added).max() > 0.1
            if other == edge:
                np.testing.assert_allclose(scaled[other], 0.25 * added, atol=1e-6)
            else:
                assert np.array_equal(scaled[other], added)

    def test_a_rate_of_zero_holds_an_edge(self, one_hidden):
        added = self.added(one_hidden, {(1, 1): 0.0})
        assert not added[1, 1].any()
        assert added[1, 0].any()

    def test_a_rate_for_a_frozen_edge_moves_nothing(self, one_hidden):
        method = TwoPhase(
            one_hidden.state,
            optimizer=self.optimizer,
            clamped=2,
            free=2,
            edge_rates=dict.fromkeys(self.EDGES, 100.0),
        )
        found = train(method, one_hidden, batches(one_hidden)[:1]).model
        assert np.array_equal(found.lmap[1, 2].W, one_hidden.orchestrator.lmap[1, 2].W)

    def test_rates_and_networks_change_without_a_new_trace(self, one_hidden, make_network):
        self.added(one_hidden, {})
        before = len(self.traces)
        for seed, rate in enumerate((0.5, jnp.asarray(0.25), np.float64(2.0), 3)):
            self.added(make_network(1, seed=seed), {(1, 0): rate})
        assert len(self.traces) == before >= 1

    @pytest.mark.parametrize("edge", [(2, 0), (0, 1), (9, 9)])
    def test_an_edge_that_is_not_there_is_named(self, one_hidden, says, edge):
        sentence = f"TwoPhase: edge_rates names {edge}, but the model has no such edge."
        method = TwoPhase(one_hidden.state, edge_rates={(1, 0): 0.5, edge: 0.5})
        with says(ValueError, sentence):
            method.init(one_hidden.orchestrator, KEY)


class TestRefusals:
    @pytest.mark.parametrize("phase", ["warmup", "clamped", "free"])
    def test_a_negative_number_of_steps(self, one_hidden, says, phase):
        with says(ValueError, f"TwoPhase: {phase} needs 0 steps or more, got -1."):
            TwoPhase(one_hidden.state, **{phase: -1})

    @pytest.mark.parametrize("model", [None, {"W": jnp.ones(3)}, jnp.tanh])
    def test_a_model_without_local_rules(self, one_hidden, says, model):
        sentence = (
            "The method 'two-phase' needs an orchestrator, whose modules have local rules, got a "
            f"model of type {type(model).__name__}. Take a model that has it, or another "
            "method."
        )
        with says(ValueError, sentence):
            TwoPhase(one_hidden.state).init(model, KEY)

    def test_labels_coded_0_and_1(self, task, two_phase):
        problem = task()
        coded = (problem.train.examples.y + 1) / 2
        train = eqx.tree_at(lambda batches: batches.examples.y, problem.train, coded)
        sentence = "fit: targets need rows in -1 / +1, or class numbers"
        with pytest.raises(ValueError, match=re.escape(sentence)):
            fit(replace(problem, train=train), two_phase, epochs=1, key=KEY)


def test_the_key_reaches_modules_that_use_randomness(noisy):
    method = TwoPhase(noisy.state, optimizer=optax.sgd(0.25), clamped=1, free=0)
    start = method.init(noisy.orchestrator, KEY)
    first, again, other = (
        one_step(method, start, (noisy.x, noisy.y), jax.random.key(seed))[0].model.lmap[1, 1].J
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_finish_hands_over_the_network_as_it_is(one_hidden, two_phase):
    start = two_phase.init(one_hidden.orchestrator, KEY)
    assert two_phase.finish(start) is start.model is one_hidden.orchestrator


class TestDecays:
    def test_each_trained_entry_loses_its_share_and_nothing_else_moves(self, one_hidden):
        network = one_hidden.orchestrator
        options = {"optimizer": optax.sgd(0.5), "clamped": 2, "free": 2}
        batch = (one_hidden.x, one_hidden.y)
        plain, decayed = (
            method.step(method.init(network, KEY), batch, KEY)[0].model
            for method in (
                TwoPhase(one_hidden.state, **options),
                TwoPhase(one_hidden.state, edge_decays={(1, 1): 0.25, (1, 2): 0.25}, **options),
            )
        )
        J, off = network.lmap[1, 1].J, ~np.eye(7, dtype=bool)
        lost = np.asarray(plain.lmap[1, 1].J - decayed.lmap[1, 1].J)
        np.testing.assert_allclose(lost, np.where(off, 0.25 * J, 0.0), atol=1e-6)
        for edge, leaf in [((1, 0), "W"), ((2, 1), "W"), ((1, 2), "W"), ((1, 1), "threshold")]:
            found, expected = (getattr(o.lmap[edge], leaf) for o in (decayed, plain))
            assert jnp.array_equal(found, expected)
        assert jnp.array_equal(decayed.lmap[1, 2].W, network.lmap[1, 2].W)  # frozen

    def test_an_edge_that_is_not_there(self, one_hidden, says):
        with says(
            ValueError, "TwoPhase: edge_decays names (2, 0), but the model has no such edge."
        ):
            TwoPhase(one_hidden.state, edge_decays={(2, 0): 0.1}).init(one_hidden.orchestrator, KEY)


class TestLabelCode:
    OPTIONS: ClassVar = {"optimizer": optax.sgd(1.0), "clamped": 3, "free": 0}

    def model(self, one_hidden, **options):
        method = TwoPhase(one_hidden.state, **self.OPTIONS, **options)
        train_state = method.init(one_hidden.orchestrator, KEY)
        return method.step(train_state, (one_hidden.x, one_hidden.y), KEY)[0].model

    def test_plus_and_minus_one_change_nothing(self, one_hidden, same_bits):
        coded = self.model(one_hidden, label_code=(1.0, -1.0))
        same_bits(coded, self.model(one_hidden))

    def test_the_code_enters_the_feedback_and_the_readout_learns_the_labels(self, one_hidden):
        on, off = 1.5, -1 / 3
        coded = self.model(one_hidden, label_code=(on, off))
        network = one_hidden.orchestrator
        state = one_hidden.clamped.replace(-1, jnp.where(one_hidden.y > 0, on, off))
        for _ in range(3):
            state, _ = network.step(state, rng=None)
        gradient = network.backward(state.replace(-1, one_hidden.y)).lmap
        for edge, leaf in [((1, 0), "W"), ((1, 1), "J"), ((2, 1), "W")]:
            expected = getattr(network.lmap[edge], leaf) - getattr(gradient[edge], leaf)
            np.testing.assert_allclose(getattr(coded.lmap[edge], leaf), expected, atol=1e-6)

    def test_silence_for_both_is_no_label_at_all(self, one_hidden):
        silent = self.model(one_hidden, label_code=(0.0, 0.0))
        network = one_hidden.orchestrator
        state = one_hidden.clamped
        for _ in range(3):
            state, _ = network.step_inference(state, rng=None)
        gradient = network.backward(state).lmap
        np.testing.assert_allclose(
            silent.lmap[1, 1].J, network.lmap[1, 1].J - gradient[1, 1].J, atol=1e-6
        )
