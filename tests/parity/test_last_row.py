"""The score of a last row that has couplings of its own: what it says to itself is left out.

While it learns, its buffer is the label. With a self-coupling of 4 the label made its own score,
no sample was ever wrong, and nothing was learned.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import Graph, from_layer_map, generate_graphs
from bionet.layer_maps.shared import Shared
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.messages import local_field, score
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.local.contrastive import Contrastive

ORCHESTRATORS = {
    "sequential": lambda layers: SequentialOrchestrator(layers),
    "synchronous": lambda layers: SynchronousOrchestrator(layers),
    "grouped": lambda layers: GroupedOrchestrator(layers, {"all": (1, 2)}),
    "stacked": lambda layers: StackedOrchestrator(layers),
}
BATCH, INPUT, UNITS, THRESHOLD = 6, 4, 3, 1.0


class Numbers(NamedTuple):
    """What the NumPy reference and the network are made of; all sums are exact."""

    W: np.ndarray
    J: np.ndarray
    V: np.ndarray
    K: np.ndarray
    buffers: tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)

    def weights(rows, columns):
        return rng.integers(-3, 4, (rows, columns)) / 4

    buffers = tuple(rng.choice([-1.0, 1.0], (BATCH, n)) for n in (INPUT, UNITS, UNITS))
    sizes = ((INPUT, UNITS), (UNITS, UNITS), (UNITS, UNITS), (UNITS, UNITS))
    return Numbers(*(weights(*size) for size in sizes), buffers)


def with_diagonal(matrix, value):
    return np.where(np.eye(len(matrix), dtype=bool), value, matrix)


@pytest.fixture(scope="module")
def rows(numbers, dense, binary):
    """The rows of a network whose last row is coupled to itself by `j_d` and to others by K."""

    def make(j_d, shared=False):
        J, K = (with_diagonal(m, d) for m, d in ((numbers.J, 0.5), (numbers.K, j_d)))
        return {
            1: {0: dense(numbers.W, THRESHOLD), 1: binary(J, THRESHOLD)},
            2: {
                1: dense(numbers.V, THRESHOLD),
                2: Shared(1, 1) if shared else binary(K, THRESHOLD),
            },
        }

    return make


def expected(x, y, field):
    """Minus the increment of the margin perceptron, written down once more."""
    wrong = np.where(y * field <= THRESHOLD, y, 0.0)
    return -x.T @ wrong / np.sqrt(len(x) * x.shape[1])


def reference(numbers):
    x, hidden, label = numbers.buffers
    first = x @ numbers.W + hidden @ with_diagonal(numbers.J, 0.5)
    last = hidden @ numbers.V
    return {
        (1, 0): expected(x, hidden, first),
        (1, 1): with_diagonal(expected(hidden, hidden, first), 0.0),
        (2, 1): expected(hidden, label, last),
        (2, 2): with_diagonal(expected(label, label, last), 0.0),
    }


def state_of(numbers):
    x, hidden, label = numbers.buffers
    return SequentialState((INPUT, UNITS, UNITS)).init(x, label).replace(1, hidden)


def agree(lmap, wanted):
    for edge, gradient in wanted.items():
        np.testing.assert_allclose(lmap[edge].matrix, gradient, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("j_d", [0.0, 4.0, -4.0])
@pytest.mark.parametrize("name", ORCHESTRATORS)
def test_in_every_orchestrator(name, j_d, numbers, rows):
    network = ORCHESTRATORS[name](LayerMap.from_dict(rows(j_d)))
    agree(network.backward(state_of(numbers)).lmap, reference(numbers))


def test_shared_couplings_learn_from_both_rows(numbers, rows):
    network = SequentialOrchestrator(LayerMap.from_dict(rows(4.0, shared=True)))
    wanted = reference(numbers)
    wanted[1, 1] = wanted[1, 1] + wanted.pop((2, 2))
    agree(network.backward(state_of(numbers)).lmap, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("j_d", [0.0, 4.0])
def test_inside_a_nested_network(j_d, numbers, rows, dense):
    inner = SequentialOrchestrator(LayerMap.from_dict(rows(j_d)))
    node = NestedNetwork(inner, (INPUT, UNITS, UNITS))
    outer = {1: {0: dense(np.zeros((1, node.width))), 1: node}}
    outer[2] = {1: dense(np.zeros((node.width, 1))), 2: OutputLayer()}
    network = SequentialOrchestrator(LayerMap.from_dict(outer))
    buffer = node.pack(state_of(numbers))
    state = SequentialState((1, node.width, 1)).init(np.zeros((BATCH, 1)), np.ones((BATCH, 1)))
    learned = network.backward(state.replace(1, buffer)).lmap[1, 1]
    agree(learned.inner.lmap, reference(numbers))


@pytest.mark.slow
@pytest.mark.parametrize("j_d", [0.0, 4.0])
def test_in_asynchronous_time(j_d, numbers, rows):
    network = from_layer_map(LayerMap.from_dict(rows(j_d)), 10.0)
    graph = Graph(network.nodes, network.name(2), generate_graphs(network.nodes, 0.5), prune=False)
    x, _, label = numbers.buffers
    graph_state = graph.run(network.init(graph, x, label))
    hidden = np.asarray(network.buffers(graph_state)[1])
    graph_state = graph.run(network.phase(graph_state, moving=False, learning=1.0))
    agree(
        network.pseudo_gradients(graph_state),
        reference(numbers._replace(buffers=(x, hidden, label))),
    )


def test_other_rows_still_hear_themselves(numbers, rows):
    lmap, state = LayerMap.from_dict(rows(4.0)), state_of(numbers)
    np.testing.assert_array_equal(
        score(lmap, state, 1, "forward", None)[0], local_field(lmap, state, 1, "forward", None)[0]
    )


def test_a_last_row_that_hears_nobody_else_scores_zero(numbers, rows):
    network = SequentialOrchestrator(LayerMap.from_dict(rows(4.0)))
    label = numbers.buffers[2]
    found = network.backward(state_of(numbers), senders="backward").lmap[2, 2].matrix
    wanted = with_diagonal(expected(label, label, 0.0 * label), 0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_contrastive_answer_is_given_without_the_label(numbers, rows):
    x, _, label = numbers.buffers
    state = SequentialState((INPUT, UNITS, UNITS))
    answers = []
    for j_d in (0.0, 4.0):
        network = SequentialOrchestrator(LayerMap.from_dict(rows(j_d)))
        method = Contrastive(state, free=2, clamped=2)
        batch = jnp.asarray(x, jnp.float32), jnp.asarray(label, jnp.float32)
        learned, _ = method.pseudo_gradient(network, batch, jax.random.key(0))
        answers.append(learned.lmap)
    jax.tree.map(np.testing.assert_array_equal, *answers)
