"""Each order of updates against its equations, written down in float64 NumPy.

Two hidden layers with every coupling there is: the input, the other layer, the layer itself
and the labels speak to both. Weights are quarters and states are signs, so that every sum is
exact, ties are many, and equal means equal in each bit.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.modules.port import Port
from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState

SIZES, BATCH, STEPS = (5, 7, 6, 3), 8, 2
EDGES = [(i, j) for i in (1, 2) for j in range(4)] + [(3, 1), (3, 2)]
MARGIN = 0.5

# By name: how to build it, and the rows that it updates at once, one set after the other.
ORDERS = {
    "sequential": (SequentialOrchestrator, [[1], [2]]),
    "synchronous": (SynchronousOrchestrator, [[1, 2]]),
    "stacked": (StackedOrchestrator, [[1, 2]]),
    "grouped, backwards": (
        functools.partial(GroupedOrchestrator, groups={"late": (2, 3), "early": (1,)}),
        [[2], [1]],
    ),
    "grouped, together": (
        functools.partial(GroupedOrchestrator, groups={"hidden": (2, 1)}),
        [[1, 2]],
    ),
}


def drawn(seed):
    """Weights by edge, and a sign for every unit of every buffer."""
    rng = np.random.default_rng(seed)
    weights = {(i, j): rng.integers(-3, 4, (SIZES[j], SIZES[i])) / 4 for i, j in EDGES}
    return weights, [rng.choice([-1.0, 1.0], (BATCH, n)) for n in SIZES]


def field(weights, buffers, i, heard):
    parts = [buffers[j] @ weights[i, j] for j in range(4) if (i, j) in weights and heard(i, j)]
    return sum(parts)


def reference_step(weights, buffers, order, heard):
    for rows in order:
        fresh = {i: np.where(field(weights, buffers, i, heard) >= 0, 1.0, -1.0) for i in rows}
        buffers = [fresh.get(i, buffer) for i, buffer in enumerate(buffers)]
    return buffers


def everyone(i, j):
    return True


def forward(i, j):
    return j <= i


def reference_gradients(weights, buffers):
    """Minus the margin-perceptron increments, sample by sample."""
    gradients = {}
    for (i, j), W in weights.items():
        score, added = field(weights, buffers, i, forward), np.zeros_like(W)
        for x, y, s in zip(buffers[j], buffers[i], score, strict=True):
            added += np.outer(x, np.where(y * s <= MARGIN, y, 0.0))
        gradients[i, j] = -added / np.sqrt(BATCH * SIZES[j])
        if i == j:
            np.fill_diagonal(gradients[i, j], 0.0)
    return gradients


@pytest.fixture
def mapped(dense, binary):
    """The layer map of some weights; the diagonal of the output's row is an `OutputLayer`."""

    def make(weights):
        rows = {1: {}, 2: {}, 3: {3: OutputLayer()}}
        for (i, j), W in weights.items():
            rows[i][j] = binary(W, MARGIN) if i == j else dense(W, MARGIN)
        return LayerMap.from_dict(rows)

    return make


def state_of(buffers, sizes=SIZES):
    arrays = tuple(jnp.asarray(buffer, jnp.float32) for buffer in buffers)
    return eqx.tree_at(lambda s: s.buffers, SequentialState(sizes), arrays)


def agree(found, expected):
    for left, right in zip(found, expected, strict=True):
        assert np.array_equal(np.asarray(left, np.float64), right)


def gradients_agree(lmap, expected):
    for (i, j), gradient in expected.items():
        matrix = lmap[i, j].matrix
        np.testing.assert_allclose(matrix, gradient, rtol=1e-6, err_msg=str((i, j)))
        assert np.abs(gradient).max() > 0


@eqx.filter_jit
def one_step(network, state):
    return network.step(state, rng=None)[0], network.step_inference(state, rng=None)[0]


@eqx.filter_jit
def the_rest(network, state):
    return network.predict(state)[0], network.backward(state)


@pytest.mark.parametrize("name", ORDERS)
def test_steps_answers_and_pseudo_gradients(mapped, name):
    kind, order = ORDERS[name]
    ties = 0
    for seed in range(4):
        weights, buffers = drawn(seed)
        network, state = kind(mapped(weights)), state_of(buffers)
        for _ in range(STEPS):
            ties += sum((field(weights, buffers, i, everyone) == 0).sum() for i in (1, 2))
            inferred = reference_step(weights, buffers, order, forward)
            buffers = reference_step(weights, buffers, order, everyone)
            state, free = one_step(network, state)
            agree(state.buffers, buffers)
            agree(free.buffers, inferred)
        answer, learned = the_rest(network, state)
        agree(answer.buffers, [*buffers[:-1], field(weights, buffers, 3, forward)])
        gradients_agree(learned.lmap, reference_gradients(weights, buffers))
    assert ties > 0


def test_the_orders_are_not_all_the_same():
    weights, buffers = drawn(0)
    after = {
        str(order): reference_step(weights, buffers, order, everyone)
        for _, order in ORDERS.values()
    }
    assert len(after) == 3
    assert len({np.concatenate(b, axis=None).tobytes() for b in after.values()}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_a_nested_network(mapped, inner_steps):
    # Outside: buffer 0 holds the input, buffer 2 the labels, which reach the inner readout.
    for seed in range(3):
        weights, buffers = drawn(seed)
        inner = SequentialOrchestrator(mapped(weights))
        node = NestedNetwork(inner, SIZES, steps=inner_steps)
        rows = {
            1: {0: Port(drives=node.span(0)), 1: node, 2: Port(drives=node.span(-1))},
            2: {1: Port(hears=node.span(-1)), 2: OutputLayer()},
        }
        network = SequentialOrchestrator(LayerMap.from_dict(rows))
        x, labels = buffers[0], buffers[3]
        blank = SequentialState((5, node.width, 3)).init(x, labels)
        state = blank.replace(1, node.pack(state_of(buffers)))
        for _ in range(STEPS):
            buffers = [*buffers[:-1], labels]
            for _ in range(inner_steps):
                buffers = reference_step(weights, buffers, [[1], [2]], everyone)
            buffers = [*buffers[:-1], field(weights, buffers, 3, forward)]
            state, _ = one_step(network, state)
            agree(node.unpack(state[1]).buffers, buffers)
        _, learned = the_rest(network, state)
        signs = [*buffers[:-1], np.where(buffers[-1] >= 0, 1.0, -1.0)]
        gradients_agree(learned.lmap[1, 1].inner.lmap, reference_gradients(weights, signs))


def test_the_reference_is_not_the_library():
    # The last check of a parity test: its numbers come from NumPy alone.
    weights, buffers = drawn(1)
    arrays = [*weights.values(), *reference_step(weights, buffers, [[1, 2]], everyone)]
    assert not any(isinstance(array, jax.Array) for array in arrays)
