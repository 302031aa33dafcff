"""A network of images learns end to end: are the bars horizontal or vertical?

The pixels reach a convolutional hidden layer, pooling makes it smaller, and a second one answers
through a dense readout. The label comes back to both, and the second speaks to the first by a
transposed convolution. Every adapter and layer for images is in it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.images.pooling import Pooling2D
from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.images.reshaping import Reshaped
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.messages import local_field
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.rules import violated_margin
from bionet.states.sequential import SequentialState
from bionet.training.local.readout import FreeReadout, accuracy
from bionet.training.local.two_phase import TwoPhase

PIXELS, LARGE, SMALL, CLASSES = (6, 6, 1), (6, 6, 3), (3, 3, 3), 2
STATE = SequentialState((PIXELS, LARGE, SMALL, CLASSES))
METHOD = TwoPhase(STATE, optimizer=optax.adam(0.01), clamped=5, free=5)
BATCH, STEPS, SEEDS = 64, 40, (0, 1, 2)


def bars(n, seed):
    """Images with a bar of two rows or two columns, a tenth of their pixels flipped."""
    rng = np.random.default_rng(seed)
    vertical, place = rng.integers(0, 2, n), rng.integers(0, 2, n) * 2 + 1
    inside = (np.arange(6) - place[:, None]) // 2 == 0
    lines = np.where(inside, 1.0, -1.0)
    x = np.where(vertical[:, None, None], lines[:, None, :], lines[:, :, None])
    x = x * np.where(rng.random(x.shape) < 0.1, -1, 1)
    y = 2 * np.eye(2)[vertical] - 1
    return jnp.asarray(x[..., None], jnp.float32), jnp.asarray(y, jnp.float32)


def network(seed):
    k = jax.random.split(jax.random.key(seed), 7)

    def label_to(shape, key):
        units = int(np.prod(shape))
        feedback = FrozenFullyConnected(CLASSES, units, 0.3, 0.0, key)
        return Reshaped(feedback, receiver_shape=shape)

    first = {
        0: Convolution2D(PIXELS, 3, 3, 3.0, 3.0, k[0]),
        1: RecurrentDiscrete2D(LARGE, 3, 0.5, 0.5, k[1]),
        2: TransposedConvolution2D(SMALL, 3, 2, 0.5, 3.0, k[2]),
        3: label_to(LARGE, k[3]),
    }
    second = {
        1: Pooling2D(LARGE, 2),
        2: RecurrentDiscrete2D(SMALL, 1, 0.5, 0.5, k[4]),
        3: label_to(SMALL, k[5]),
    }
    readout = Reshaped(FullyConnected(27, CLASSES, 1.0, 3.0, k[6]), sender_shape=SMALL)
    rows = {1: first, 2: second, 3: {2: readout, 3: OutputLayer()}}
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


@eqx.filter_jit
def violated(network, x, y):
    """The share of margins that the rules find too small after both phases, edge by edge."""
    state, _ = settle(network, STATE.init(x, y), max_steps=5, phase="clamped")
    state, _ = settle(network, state, max_steps=5, phase="free")
    fields = {i: local_field(network.lmap, state, i, "forward", None)[0] for i in (1, 2, 3)}
    margins = {(1, 0): 3.0, (1, 1): 0.5, (1, 2): 3.0, (2, 2): 0.5, (3, 2): 3.0}
    return {
        str(edge): violated_margin(state[edge[0]], fields[edge[0]], margin).mean()
        for edge, margin in margins.items()
    }


step = eqx.filter_jit(METHOD.step)
answer = eqx.filter_jit(FreeReadout(STATE, 5))


def train(seed):
    """Held-out accuracy and violated margins, before and after."""
    x, y = bars(BATCH * STEPS, seed)
    held_out, key = bars(500, 99), jax.random.key(0)
    train_state, told = METHOD.init(network(seed), key), []
    for batch in range(STEPS + 1):
        now = slice(batch * BATCH, (batch + 1) * BATCH)
        if batch in (0, STEPS):
            model = train_state.model
            score = accuracy(answer(model, held_out[0], key), held_out[1])
            told.append((float(score), violated(model, x[:BATCH], y[:BATCH])))
        if batch < STEPS:
            train_state, _ = step(train_state, (x[now], y[now]), key)
    return train_state.model, told


@pytest.fixture(scope="module")
def runs():
    return [train(seed) for seed in SEEDS]


@pytest.mark.slow
def test_held_out_bars_are_told_apart(runs):
    after = [told[1][0] for _, told in runs]
    assert np.mean(after) > 0.7
    assert min(after) > 0.55


@pytest.mark.slow
def test_violated_margins_fall(runs):
    for _, (before, after) in runs:
        assert sum(after[1].values()) < 0.8 * sum(before[1].values())


def test_all_that_learns_has_moved_and_nothing_else(runs):
    for seed, (model, _) in zip(SEEDS, runs, strict=True):
        start = network(seed).lmap
        moved = {
            edge
            for edge, module in model.lmap.edge_items()
            if any(
                not np.array_equal(a, b)
                for a, b in zip(jax.tree.leaves(module), jax.tree.leaves(start[edge]), strict=True)
            )
        }
        assert moved == {(1, 0), (1, 1), (1, 2), (2, 2), (3, 2)}
        assert np.array_equal(model.lmap[1, 1].j_d, start[1, 1].j_d)
