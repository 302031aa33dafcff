"""A sparse network trained by bionet, and by plain NumPy on dense matrices with masks.

The reference knows matrices of (senders, receivers), a mask for each, and loops; it is in
double precision. Weights, inputs, rates and decay are such that all sums are exact in single
precision (batch times fan-in is a power of four), so equal means equal, ties included.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.rules import sparse_margin_perceptron
from bionet.states.sequential import SequentialState
from bionet.training.local.two_phase import TwoPhase

BATCH, PIXELS, HIDDEN, CLASSES, FAN_IN = 4, 9, 16, 3, 4
RATE, DECAY, STEPS = 0.25, 0.125, 3
WARMUP, CLAMPED, FREE = 1, 3, 3
THRESHOLDS = {(1, 0): 1.0, (1, 1): 1.0, (2, 1): 2.0}


@pytest.fixture(scope="module")
def drawn():
    """Everything random, as NumPy arrays: images, labels, and wiring and weights by edge."""
    rng = np.random.default_rng(0)
    senders = {
        (1, 0): [rng.permutation(PIXELS)[:FAN_IN] for _ in range(HIDDEN)],
        (1, 1): [rng.permutation(np.delete(np.arange(HIDDEN), k))[:FAN_IN] for k in range(HIDDEN)],
        (1, 2): [[0, 1, 2] for _ in range(HIDDEN)],
        (2, 1): [rng.permutation(HIDDEN)[:FAN_IN] for _ in range(CLASSES)],
    }
    wiring = {edge: np.asarray(rows, np.int32) for edge, rows in senders.items()}
    weights = {e: np.round(4 * rng.normal(size=rows.shape)) / 4 for e, rows in wiring.items()}
    j_d = np.round(4 * rng.uniform(0, 2, HIDDEN)) / 4
    x = rng.choice([-1.0, 0.0, 1.0], (STEPS, BATCH, PIXELS))
    y = 2.0 * np.eye(CLASSES)[rng.integers(CLASSES, size=(STEPS, BATCH))] - 1.0
    return wiring, weights, j_d, x, y


def trained_by_numpy(wiring, weights, j_d, xs, ys):
    """The dense matrices after training, without the self-couplings."""
    widths = PIXELS, HIDDEN, CLASSES
    dense, masks = {}, {}
    for (i, j), rows in wiring.items():
        dense[i, j], masks[i, j] = (np.zeros((widths[j], widths[i])) for _ in range(2))
        for unit, row in enumerate(rows):
            dense[i, j][row, unit] = weights[i, j][unit]
            masks[i, j][row, unit] = 1

    def field(x, h, back=None):
        total = x @ (dense[1, 0] * masks[1, 0]) + h @ (dense[1, 1] * masks[1, 1]) + h * j_d
        return total if back is None else total + back @ dense[1, 2]

    def increment(edge, x, y, score):
        wrong = y * (y * score <= THRESHOLDS[edge])
        return masks[edge] * (x.T @ wrong) / np.sqrt(len(x) * FAN_IN)

    for x, y in zip(xs, ys, strict=True):
        h = np.zeros((len(x), HIDDEN))
        for back in [None] * WARMUP + [y] * CLAMPED + [None] * FREE:
            h = np.where(field(x, h, back) >= 0, 1.0, -1.0)
        score, answer = field(x, h), h @ (dense[2, 1] * masks[2, 1])
        ends = {(1, 0): (x, h, score), (1, 1): (h, h, score), (2, 1): (h, y, answer)}
        added = {edge: increment(edge, *end) for edge, end in ends.items()}
        for edge, change in added.items():
            dense[edge] = dense[edge] + RATE * (change - DECAY * dense[edge])
    return dense


def network(wiring, weights, j_d):
    """The same network out of sparse modules, the readout and the feedback included."""
    key = jax.random.key(0)
    widths = PIXELS, HIDDEN, CLASSES

    def edge(i, j, threshold):
        make = lambda key: SparseFullyConnected(  # noqa: E731
            widths[j], widths[i], 1.0, 0.0, key, fan_in=wiring[i, j].shape[1]
        )
        values = (weights[i, j], wiring[i, j], 1.0, threshold)
        return filled(make, ("W", "indices", "strength", "threshold"), values)

    def filled(make, names, values):
        hollow = eqx.filter_eval_shape(make, key)
        arrays = [
            jnp.asarray(value, getattr(hollow, name).dtype)
            for name, value in zip(names, values, strict=True)
        ]
        return eqx.tree_at(lambda m: [getattr(m, name) for name in names], hollow, arrays)

    layer = filled(
        lambda key: SparseRecurrentDiscrete(HIDDEN, 0.0, 0.0, key, fan_in=FAN_IN),
        ("J", "indices", "j_d", "threshold"),
        (weights[1, 1], wiring[1, 1], j_d, THRESHOLDS[1, 1]),
    )
    rows = {
        # No margin is under a threshold of -1000, so the feedback learns nothing.
        1: {0: edge(1, 0, THRESHOLDS[1, 0]), 1: layer, 2: edge(1, 2, -1000.0)},
        2: {1: edge(2, 1, THRESHOLDS[2, 1]), 2: OutputLayer()},
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


@pytest.mark.slow
def test_training_is_that_of_dense_matrices_with_masks(drawn):
    wiring, weights, j_d, xs, ys = drawn
    model = network(wiring, weights, j_d)
    method = TwoPhase(
        SequentialState((PIXELS, HIDDEN, CLASSES)),
        optimizer=optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(RATE)),
        warmup=WARMUP,
        clamped=CLAMPED,
        free=FREE,
        edge_rates={(1, 2): 0.0},  # and does not decay either
    )
    state = method.init(model, jax.random.key(0))
    for x, y in zip(jnp.asarray(xs, jnp.float32), jnp.asarray(ys, jnp.float32), strict=True):
        state, _ = method.step(state, (x, y), jax.random.key(1))
    expected, learned = trained_by_numpy(wiring, weights, j_d, xs, ys), state.model.lmap
    for edge in wiring:
        found = np.asarray(learned[edge].to_dense(), np.float64)
        if edge == (1, 1):
            assert np.array_equal(np.diagonal(found), j_d)
            np.fill_diagonal(found, 0.0)
        assert np.array_equal(found, expected[edge]), edge
        assert np.array_equal(learned[edge].indices, wiring[edge])
    moved = [
        e for e in wiring if not np.array_equal(learned[e].to_dense(), model.lmap[e].to_dense())
    ]
    assert moved == [(1, 0), (1, 1), (2, 1)]


def test_the_sparse_rule_by_hand():
    # Two samples of three inputs; unit 0 hears inputs 0 and 2, unit 1 hears 1 and 2. Margins:
    #     sample 1:   1 *  2 =  2    -1 * 1 = -1
    #     sample 2:  -1 * -1 =  1     1 * 3 =  3
    # Under a threshold of 1 unit 1 errs in sample 1, which adds -x1, and unit 0 ties in
    # sample 2, which adds -x2. n = 2 and a fan-in of 2 make sqrt(4) = 2 and 2 sqrt(2).
    x = jnp.array([[1.0, -1.0, 3.0], [1.0, 1.0, 5.0]])
    y, scores = jnp.array([[1.0, -1.0], [-1.0, 1.0]]), jnp.array([[2.0, 1.0], [-1.0, 3.0]])
    indices = jnp.array([[0, 2], [1, 2]])
    summed = np.array([[-1.0, -5.0], [1.0, -3.0]])
    assert np.array_equal(sparse_margin_perceptron(x, indices, y, scores, 1.0), summed / 2)
    mean = sparse_margin_perceptron(x, indices, y, scores, 1.0, reduction="mean")
    np.testing.assert_allclose(mean, summed / 2.8284271, rtol=1e-6)
    # A gate of zero silences the first sample; n stays 2.
    gated = sparse_margin_perceptron(x, indices, y, scores, 1.0, gate=jnp.array([0.0, 1.0]))
    assert np.array_equal(gated, np.array([[-1.0, -5.0], [0.0, 0.0]]) / 2)
