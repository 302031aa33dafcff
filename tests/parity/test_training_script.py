"""The usual training script of this family of networks, as people have it, and its fast twin.

Prototypes in 100 dimensions, ten classes, a thousand samples with 30 % of their bits flipped;
256 hidden units, ten clamped and ten free steps a batch, Adam. Nothing here knows of `fit`.
"""

import equinox as eqx
import jax
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.states.sequential import SequentialState

DIM_DATA, DIM_HIDDEN, NUM_LABELS = 100, 256, 10
BATCH, EPOCHS, STEPS = 16, 2, 10
STATE = SequentialState((DIM_DATA, DIM_HIDDEN, NUM_LABELS))
OPTIMIZER = optax.adam(5e-3)


def prototypes(seed):
    """x (1000, 100) and y (1000, 10), both of signs."""
    rng = np.random.default_rng(seed)
    centres = rng.choice([-1.0, 1.0], (NUM_LABELS, DIM_DATA))
    classes = np.repeat(np.arange(NUM_LABELS), 100)
    flips = np.where(rng.random((1000, DIM_DATA)) < 0.3, -1.0, 1.0)
    order = rng.permutation(1000)
    y = 2 * np.eye(NUM_LABELS)[classes] - 1
    return (centres[classes] * flips)[order].astype("float32"), y[order].astype("float32")


def build(seed):
    keys = jax.random.split(jax.random.PRNGKey(seed), 4)
    layer_map = {
        1: {
            0: FullyConnected(
                in_features=DIM_DATA,
                out_features=DIM_HIDDEN,
                strength=1.0,
                threshold=3.5,
                key=keys[0],
            ),
            1: RecurrentDiscrete(features=DIM_HIDDEN, j_d=0.5, threshold=0.5, key=keys[1]),
            2: FrozenFullyConnected(
                in_features=NUM_LABELS,
                out_features=DIM_HIDDEN,
                strength=0.3,
                threshold=0.5,
                key=keys[2],
            ),
        },
        2: {
            1: FullyConnected(
                in_features=DIM_HIDDEN,
                out_features=NUM_LABELS,
                strength=1.0,
                threshold=3.5,
                key=keys[3],
            ),
            2: OutputLayer(),
        },
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict(layer_map))


@pytest.fixture(scope="module")
def start():
    """The network before training; drawing its weights takes longest."""
    return build(seed=0)


@pytest.fixture(scope="module")
def data():
    return prototypes(seed=0)


def batches(data, rng):
    x, y = data
    order = rng.permutation(len(x))
    for first in range(0, len(x) - BATCH + 1, BATCH):
        chosen = order[first : first + BATCH]
        yield x[chosen], y[chosen]


@eqx.filter_jit
def update(orchestrator, state, memory, rng):
    """Orchestrator against orchestrator."""
    gradients = orchestrator.backward(state, rng=rng)
    params = eqx.filter(orchestrator, eqx.is_inexact_array)
    gradients = eqx.filter(gradients, eqx.is_inexact_array)
    updates, memory = OPTIMIZER.update(gradients, memory, params=params)
    return eqx.apply_updates(orchestrator, updates), memory


def dynamics_by_hand(orchestrator, x, y, rng):
    state = STATE.init(x, y)
    for _ in range(STEPS):
        state, rng = orchestrator.step(state, rng=rng)
    for _ in range(STEPS):
        state, rng = orchestrator.step_inference(state, rng=rng)
    return state, rng


@eqx.filter_jit
def step(orchestrator, state, rng):
    return orchestrator.step(state, rng=rng)


@eqx.filter_jit
def step_inference(orchestrator, state, rng):
    return orchestrator.step_inference(state, rng=rng)


def dynamics_by_compiled_steps(orchestrator, x, y, rng):
    state = STATE.init(x, y)
    for _ in range(STEPS):
        state, rng = step(orchestrator, state, rng)
    for _ in range(STEPS):
        state, rng = step_inference(orchestrator, state, rng)
    return state, rng


def dynamics_by_settling(orchestrator, x, y, rng):
    state = STATE.init(x, y)
    state, _ = settle(orchestrator, state, rng=rng, max_steps=STEPS, phase="clamped")
    state, _ = settle(orchestrator, state, rng=rng, max_steps=STEPS, phase="free")
    return state, rng


def train(orchestrator, data, dynamics, epochs):
    memory = OPTIMIZER.init(eqx.filter(orchestrator, eqx.is_inexact_array))
    rng, order = jax.random.PRNGKey(1), np.random.default_rng(1)
    for _ in range(epochs):
        for x, y in batches(data, order):
            state, rng = dynamics(orchestrator, x, y, rng)
            rng, learning_key = jax.random.split(rng)
            orchestrator, memory = update(orchestrator, state, memory, learning_key)
    return orchestrator


def accuracy(orchestrator, data, rng=None):
    x, y = data
    state = STATE.init(x)
    for _ in range(STEPS):
        state, rng = orchestrator.step_inference(state, rng=rng)
    state, _ = orchestrator.predict(state, rng)
    return float((np.argmax(state.readout, axis=1) == np.argmax(y, axis=1)).mean())


@pytest.fixture(scope="module")
def trained(start, data):
    """What the script arrives at, in Python loops of compiled steps."""
    return train(start, data, dynamics_by_compiled_steps, EPOCHS)


def test_it_reaches_its_known_accuracy(start, trained, data):
    assert accuracy(start, data) < 0.3
    assert accuracy(trained, data) >= 0.93


def test_what_does_not_learn_stays_as_it_was(start, trained):
    for edge, module in trained.lmap.edge_items():
        old = start.lmap[edge]
        for name in {"strength", "threshold"} & set(vars(module)):
            assert getattr(module, name) == getattr(old, name)
    assert np.array_equal(trained.lmap[1, 2].W, start.lmap[1, 2].W)
    assert np.array_equal(trained.lmap[1, 1].j_d, np.full(DIM_HIDDEN, 0.5))
    for edge in [(1, 0), (2, 1)]:
        assert not np.array_equal(trained.lmap[edge].W, start.lmap[edge].W)
    assert not np.array_equal(trained.lmap[1, 1].J, start.lmap[1, 1].J)


@pytest.mark.slow
def test_settling_gives_the_same_network(start, trained, data, same_bits):
    same_bits(train(start, data, dynamics_by_settling, EPOCHS), trained)


def test_uncompiled_loops_give_the_same_states(start, data, same_bits):
    x, y = (array[:BATCH] for array in data)
    expected, _ = dynamics_by_settling(start, x, y, None)
    for rng in (None, jax.random.PRNGKey(1), jax.random.key(1)):
        found, left = dynamics_by_hand(start, x, y, rng)
        same_bits(found, expected)
        assert left is rng


def test_layer_map_against_layer_map(start, data, same_bits):
    # The other way that scripts are written: Optax sees the map and not the orchestrator.
    def params_of(lmap):
        return eqx.filter(lmap, eqx.is_inexact_array)

    @eqx.filter_jit
    def update_map(orchestrator, state, memory):
        gradients, params = orchestrator.backward(state).lmap, params_of(orchestrator.lmap)
        updates, memory = OPTIMIZER.update(params_of(gradients), memory, params)
        lmap = eqx.apply_updates(orchestrator.lmap, updates)
        return eqx.tree_at(lambda o: o.lmap, orchestrator, lmap), memory

    x, y = (array[:BATCH] for array in data)
    whole, by_map = start, start
    memory = OPTIMIZER.init(eqx.filter(start, eqx.is_inexact_array))
    map_memory = OPTIMIZER.init(params_of(start.lmap))
    for _ in range(3):
        state, rng = dynamics_by_settling(whole, x, y, jax.random.PRNGKey(1))
        whole, memory = update(whole, state, memory, rng)
        by_map, map_memory = update_map(by_map, state, map_memory)
    same_bits(by_map, whole)
    assert not np.array_equal(whole.lmap[1, 1].J, start.lmap[1, 1].J)
