"""Small cases that were worked on paper, so that the expected numbers owe nothing to a program."""

import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.rules import margin_perceptron
from bionet.states.sequential import SequentialState

# Two samples of two inputs, two units. The margins y * y_hat are
#
#     sample 1:   1 *  2 =  2    -1 * 1 = -1
#     sample 2:  -1 * -1 =  1     1 * 3 =  3
X = [[1.0, -1.0], [1.0, 1.0]]
Y = [[1.0, -1.0], [-1.0, 1.0]]
SCORES = [[2.0, 1.0], [-1.0, 3.0]]


@pytest.mark.parametrize(
    ("threshold", "summed"),
    [
        # Under 0: the second unit in sample 1 alone, which adds -x1 to its weights.
        (0.0, [[0, -1], [0, 1]]),
        # A threshold of 1 ties with the first unit in sample 2, which adds -x2.
        (1.0, [[-1, -1], [-1, 1]]),
        # Just under 1 it does not.
        (0.999, [[0, -1], [0, 1]]),
        # 2 ties with the first unit in sample 1 as well: x1 - x2.
        (2.0, [[0, -1], [-2, 1]]),
        # Per unit: 0.5 leaves the first one alone; 3 ties in the second one: -x1 + x2.
        ([0.5, 3.0], [[0, 0], [0, 2]]),
        # Per unit: 1 ties in the first one, -2 is under every margin of the second one.
        ([1.0, -2.0], [[-1, 0], [-1, 0]]),
    ],
)
def test_the_margin_perceptron(threshold, summed):
    x, y, scores, threshold = (jnp.asarray(array) for array in (X, Y, SCORES, threshold))
    # n = 2 and d = 2: sqrt(n d) = 2, and n sqrt(d) = 2.8284...
    assert np.array_equal(margin_perceptron(x, y, scores, threshold), np.array(summed) / 2)
    mean = margin_perceptron(x, y, scores, threshold, reduction="mean")
    np.testing.assert_allclose(mean, np.array(summed) / 2.8284271, rtol=1e-6)


def test_both_scales_as_the_batch_is_repeated():
    # One sample of four inputs: sqrt(1 * 4) = 2 and 1 * sqrt(4) = 2. Four times over, the sum
    # is four times as large: divided by sqrt(16) = 4 it has doubled, by 4 * 2 = 8 it is as before.
    x, y, score = [[1.0, 1.0, -1.0, 1.0]], [[1.0]], [[0.0]]
    for reduction, after in (("sqrt", [1, 1, -1, 1]), ("mean", [0.5, 0.5, -0.5, 0.5])):
        once = margin_perceptron(*map(jnp.asarray, (x, y, score)), 0.0, reduction=reduction)
        assert np.array_equal(once[:, 0], [0.5, 0.5, -0.5, 0.5])
        repeated = margin_perceptron(
            *(jnp.asarray(a * 4) for a in (x, y, score)), 0.0, reduction=reduction
        )
        assert np.array_equal(repeated[:, 0], after)


@pytest.fixture
def network(dense, binary):
    """2 - 2 - 1, with the field of the hidden units (s: their last state, y: the label)

    first:   x1       + 0.5 s1 -     s2 + 2 y
    second:      - x2 +     s1 + 0.5 s2 - 2 y
    """
    lmap = LayerMap.from_dict(
        {
            1: {
                0: dense([[1, 0], [0, -1]], threshold=1.0),
                1: binary([[0.5, 1], [-1, 0.5]], threshold=0.5),
                2: dense([[2, -2]], threshold=None),
            },
            2: {1: dense([[1], [1]], threshold=1.0), 2: OutputLayer()},
        }
    )
    return SequentialOrchestrator(layers=lmap)


@pytest.fixture
def start():
    """The input (1, 1) with the label -1."""
    return SequentialState((2, 2, 1)).init([[1.0, 1.0]], [[-1.0]])


def test_the_clamped_phase(network, start):
    # From zeros: (1 - 2, -1 + 2) = (-1, 1), so (-, +).
    # From (-, +): (1 - 0.5 - 1 - 2, -1 - 1 + 0.5 + 2) = (-2.5, 0.5), so (-, +) again.
    state, _ = network.step(start, rng=None)
    assert np.array_equal(state[1], [[-1, 1]])
    state, result = settle(network, start, max_steps=9, phase="clamped")
    assert np.array_equal(state[1], [[-1, 1]])
    assert (bool(result.settled), int(result.steps)) == (True, 2)


def test_the_free_phase(network, start):
    # From (-, +): (1 - 0.5 - 1, -1 - 1 + 0.5) = (-0.5, -1.5), so (-, -).
    # From (-, -): (1 - 0.5 + 1, -1 - 1 - 0.5) = (1.5, -2.5), so (+, -).
    # From (+, -): (1 + 0.5 + 1, -1 + 1 - 0.5) = (2.5, -0.5), so (+, -) again.
    state, _ = network.step(start, rng=None)
    seen = []
    for _ in range(3):
        state, _ = network.step_inference(state, rng=None)
        seen.append(np.asarray(state[1])[0].tolist())
    assert seen == [[-1, -1], [1, -1], [1, -1]]
    clamped, _ = settle(network, start, max_steps=9, phase="clamped")
    state, result = settle(network, clamped, max_steps=9, phase="free")
    assert np.array_equal(state[1], [[1, -1]])
    assert (bool(result.settled), int(result.steps)) == (True, 3)


def test_a_field_of_zero_makes_plus_one(network):
    # From zeros and the input (0, 0), without a label, both fields are 0.
    state = SequentialState((2, 2, 1)).init([[0.0, 0.0]])
    assert np.array_equal(network.step(state, rng=None)[0][1], [[1, 1]])


def test_the_answer(network, start):
    # At (+, -) the readout is 1 - 1 = 0; at (+, +) it is 2.
    for hidden, answer in ([[1.0, -1.0]], 0.0), ([[1.0, 1.0]], 2.0):
        state, _ = network.predict(start.replace(1, jnp.asarray(hidden)), None)
        assert np.array_equal(state.readout, [[answer]])


def test_the_pseudo_gradients(network, start):
    # At (+, -) the fields are 2.5 and -0.5, so the margins 2.5 and 0.5; the readout's is 0.
    # The first unit is right by more than both thresholds. The second is under the 1 of its
    # input weights, and ties with the 0.5 of its couplings. n = 1 and d = 2: sqrt(n d) = sqrt(2).
    #
    #   input      added: x (0, -1)       = [[0, -1], [0, -1]]
    #   couplings  added: s (0, -1)       = [[0, -1], [0, 1]], of which the diagonal is dropped
    #   readout    added: s (-1)          = [[-1], [1]]
    #
    # A pseudo-gradient is minus what is added.
    found = network.backward(start.replace(1, jnp.array([[1.0, -1.0]])), None).lmap
    root = np.sqrt(2)
    np.testing.assert_allclose(found[1, 0].W, np.array([[0, 1], [0, 1]]) / root, rtol=1e-6)
    np.testing.assert_allclose(found[1, 1].J, np.array([[0, 1], [0, 0]]) / root, rtol=1e-6)
    np.testing.assert_allclose(found[2, 1].W, np.array([[1], [-1]]) / root, rtol=1e-6)
    assert np.array_equal(found[1, 2].W, [[0, 0]])
    assert found[1, 0].threshold == found[1, 1].threshold == found[2, 1].strength == 0


def test_a_backward_edge_learns_its_receiver_from_what_it_sends(dense, binary):
    # 1 - 1 - 1 - 1, with an edge of weight 3 and threshold 1 from the second hidden unit back to
    # the first. At the input 2 and the state (+, -) the field of the first unit is 2 from
    # senders j <= i, a margin of 2; with the second unit heard it is 2 - 3, a margin of -1, and
    # added is s2 s1 = -1.
    lmap = LayerMap.from_dict(
        {
            1: {0: dense([[1.0]], -9.0), 1: binary([[0.0]]), 2: dense([[3.0]], 1.0)},
            2: {1: dense([[1.0]], -9.0), 2: binary([[0.0]])},
            3: {2: dense([[1.0]], -9.0), 3: OutputLayer()},
        }
    )
    network = SequentialOrchestrator(layers=lmap)
    state = SequentialState((1, 1, 1, 1)).init([[2.0]], [[1.0]])
    state = state.replace(1, jnp.array([[1.0]])).replace(2, jnp.array([[-1.0]]))
    assert network.backward(state).lmap[1, 2].W.item() == 0
    assert network.backward(state, senders="unsupervised").lmap[1, 2].W.item() == 1
