"""Two phases in asynchronous time: with one clock they are those of `TwoPhase`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.graph import Graph, Uniform, from_layer_map, generate_graphs
from bionet.modules.trained import partition_trained
from bionet.training.local.asynchronous import AsyncReadout, AsyncTwoPhase
from bionet.training.local.readout import FreeReadout
from bionet.training.local.two_phase import TwoPhase

KEY = jax.random.key(0)


def timed(network, rates=10, seconds=1.5, episodes=1, **options):
    nodes = from_layer_map(network.orchestrator.lmap, rates, **options)
    graphs = generate_graphs(nodes.nodes, seconds, num_episodes=episodes)
    last = nodes.name(network.orchestrator.lmap.last)
    return nodes, Graph(nodes.nodes, last, graphs, prune=False, progress_bar=False)


@pytest.mark.slow
def test_with_one_clock_it_is_two_phase_learning(two_hidden):
    clocked = TwoPhase(two_hidden.state, clamped=3, free=2, early_stop=False)
    method = AsyncTwoPhase(*timed(two_hidden), clamped=3, free=2)
    model, batch = two_hidden.orchestrator, (two_hidden.x, two_hidden.y)
    expected, _ = clocked.pseudo_gradient(model, batch, KEY)
    found, metrics = eqx.filter_jit(method.pseudo_gradient)(model, batch, KEY)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert any(leaf.any() for leaf in jax.tree.leaves(partition_trained(found)[0]))
    assert 0 <= metrics["moved"] <= 1


def test_with_one_clock_it_answers_as_an_orchestrator(one_hidden):
    readout = AsyncReadout(*timed(one_hidden), 4)
    found = eqx.filter_jit(readout)(one_hidden.orchestrator, one_hidden.x, KEY)
    expected = FreeReadout(one_hidden.state, 4)(one_hidden.orchestrator, one_hidden.x, KEY)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_following_it_learns_a_batch(one_hidden):
    rates = {0: 40, 1: 20, 2: 10}
    late = timed(one_hidden, rates, episodes=3, delays=Uniform(0.0, 0.02))
    method = AsyncTwoPhase(*late, optimizer=optax.sgd(0.05), clamped=3, free=3)
    readout = AsyncReadout(*late, 4)
    x, y = one_hidden.x, one_hidden.y

    @eqx.filter_jit
    def violated(model):
        return jnp.maximum(0.5 - y * readout(model, x, KEY), 0).mean()

    train_state = method.init(one_hidden.orchestrator, KEY)
    before = violated(train_state.model)
    for key in jax.random.split(KEY, 40):
        train_state, _ = method.step(train_state, (x, y), key)
    assert violated(train_state.model) < 0.5 * before


def test_each_key_draws_a_schedule(one_hidden):
    rates, late = {0: 40, 1: 20, 2: 10}, Uniform(0.0, 0.3)
    readout = eqx.filter_jit(AsyncReadout(*timed(one_hidden, rates, episodes=4, delays=late), 3))
    answers = {
        readout(one_hidden.orchestrator, one_hidden.x, key).tobytes()
        for key in jax.random.split(KEY, 12)
    }
    assert 1 < len(answers) <= 4


@pytest.mark.parametrize("name", ["clamped", "free"])
def test_numbers_of_steps_are_told(one_hidden, says, name):
    late = timed(one_hidden)
    with says(ValueError, f"AsyncTwoPhase: {name} needs 0 steps or more, got -1."):
        AsyncTwoPhase(*late, **{name: -1})
    with says(ValueError, "AsyncTwoPhase: needs 21 steps of the supervisor, but the shortest"):
        AsyncTwoPhase(*late)
    with says(ValueError, "AsyncReadout: needs 99 steps of the supervisor, but the shortest"):
        AsyncReadout(*late, 99)


def test_models_that_do_not_fit_are_told(one_hidden, two_hidden, says):
    method = AsyncTwoPhase(*timed(one_hidden), clamped=1, free=1)
    with says(ValueError, "The method 'async-two-phase' needs an orchestrator"):
        method.init(eqx.nn.Linear(2, 2, key=KEY), KEY)
    with says(ValueError, "AsyncTwoPhase: the network has edges "):
        method.init(two_hidden.orchestrator, KEY)
