"""`StackedOrchestrator`: the numbers of the synchronous one, out of a single product."""

from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.senders import SENDERS
from bionet.layer_maps.shared import Shared
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.activations import sum_messages
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter, AbstractLayer
from bionet.orchestrators.settle import settle
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState

KINDS = (StackedOrchestrator, SynchronousOrchestrator)
BATCH = 6
# Rows 1 to 4 of different widths: row 3 hears no other row, row 2 hears all of them.
WIDTHS = (5, 3, 7, 1, 4, 2)
HEARD = {1: (0, 1, 2, 5), 2: (1, 2, 3, 4), 3: (0, 3), 4: (0, 1, 4, 5), 5: (4, 5)}


@pytest.fixture
def uneven(dense, binary):
    """Rows of different widths that hear different numbers of others, with exact weights."""
    draw = np.random.default_rng(7)

    def module(i, j):
        if i == j == 5:
            return OutputLayer()
        weights = draw.integers(-3, 4, (WIDTHS[j], WIDTHS[i])) / 4
        return binary(weights) if i == j else dense(weights)

    lmap = LayerMap.from_dict({i: {j: module(i, j) for j in row} for i, row in HEARD.items()})
    buffers = [jnp.asarray(draw.choice([-1.0, 1.0], (BATCH, n)), jnp.float32) for n in WIDTHS]
    state = eqx.tree_at(lambda s: s.buffers, SequentialState(WIDTHS), tuple(buffers))
    return lmap, state


@eqx.filter_jit
def stepped(network, state, senders="all", steps=1):
    for _ in range(steps):
        state, _ = network.step(state, rng=None, senders=senders)
    return state


@pytest.mark.parametrize("senders", SENDERS)
def test_rows_of_other_widths_with_other_senders_are_padded_without_a_trace(
    uneven, same_bits, senders
):
    lmap, start = uneven
    states = [stepped(kind(lmap), start, senders, steps=3) for kind in KINDS]
    same_bits(*states)
    assert not all(np.array_equal(states[0][i], start[i]) for i in (1, 2, 3, 4))


def test_a_row_that_is_not_heard_has_no_way_in(uneven):
    # Row 3 hears no other row, so its empty slots must not let anything through either.
    lmap, start = uneven
    broken = start
    for i in (1, 2, 4):
        broken = broken.replace(i, jnp.full_like(start[i], jnp.nan))
    found, expected = (stepped(StackedOrchestrator(lmap), state) for state in (broken, start))
    assert np.array_equal(found[3], expected[3])


@final
class Leaky(AbstractLayer):
    """A layer with a bias and a graded activation, that shows its matrix; only here."""

    J: jax.Array
    bias: jax.Array
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(self, J, bias):
        self.J, self.bias = jnp.asarray(J, jnp.float32), jnp.asarray(bias, jnp.float32)
        self.sender_shape = self.receiver_shape = (len(J),)

    @property
    def matrix(self):
        return self.J

    def __call__(self, x, rng=None):
        return x @ self.J

    def reduce(self, messages):
        return sum_messages(messages) + self.bias

    def activation(self, local_field):
        return jnp.tanh(local_field)

    def trained(self):
        return {}

    def increments(self, x, y, y_hat, gate=None):
        return {}


@pytest.fixture
def graded(dense):
    """Two rows whose buffers are their local fields under a tanh, with weights that round."""
    draw = np.random.default_rng(3)

    def weights(i, j):
        return draw.normal(size=(i, j)) / np.sqrt(4 * i)

    lmap = LayerMap.from_dict(
        {
            1: {
                0: dense(weights(4, 6)),
                1: Leaky(weights(6, 6), draw.normal(size=6)),
                2: dense(weights(5, 6)),
            },
            2: {1: dense(weights(6, 5)), 2: Leaky(weights(5, 5), draw.normal(size=5))},
            3: {2: dense(weights(5, 2)), 3: OutputLayer()},
        }
    )
    return lmap, SequentialState((4, 6, 5, 2)).init(draw.normal(size=(BATCH, 4)))


@pytest.mark.slow
def test_fields_are_close_and_each_layer_sums_up_and_activates_by_itself(graded):
    lmap, state = graded
    found, expected = (
        settle(kind(lmap), state, max_steps=4, senders="all", early_stop=False)[0] for kind in KINDS
    )
    for i in (1, 2):
        np.testing.assert_allclose(found[i], expected[i], rtol=1e-5, atol=1e-6)
        assert np.abs(found[i]).min() > 0
        assert np.abs(found[i]).max() < 1


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["clamped", "free"])
def test_signs_are_equal_for_weights_that_round(make_network, same_bits, phase):
    for seed in range(3):
        states = []
        for kind in KINDS:
            network = make_network(2, seed=seed, exact=False, orchestrator=kind)
            states.append(settle(network.orchestrator, network.clamped, max_steps=6, phase=phase))
        same_bits(*states)


def loops(jaxpr):
    """The bodies of the loops of a traced program, all the way down."""
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                if equation.primitive.name == "while":
                    yield inner
                yield from loops(inner)


def operations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from operations(inner)


def test_a_loop_holds_one_product_and_stacks_no_weights(uneven):
    lmap, start = uneven

    def run(lmap, state):
        return settle(StackedOrchestrator(lmap), state, max_steps=9, phase="clamped")

    found = [
        op for loop in loops(jax.make_jaxpr(run)(lmap, start).jaxpr) for op in operations(loop)
    ]
    products = [op for op in found if op.primitive.name == "dot_general"]
    assert len(products) == 1
    shape = products[0].invars[1].aval.shape
    assert shape == (4, 4 * 7, 7)
    assert not any(out.aval.shape == shape for op in found for out in op.outvars)


def test_without_known_messages_clamped_senders_speak_for_themselves(uneven, same_bits):
    lmap, start = uneven
    settled, _ = settle(StackedOrchestrator(lmap), start, max_steps=1, phase="clamped")
    same_bits(stepped(StackedOrchestrator(lmap), start), settled)


@pytest.mark.slow
def test_what_comes_from_clamped_buffers_need_not_be_dense(noisy, same_bits):
    # Noise on the way from the input: its keys are those of the synchronous orchestrator.
    found, expected = (
        kind(noisy.orchestrator.lmap).step(noisy.clamped, rng=jax.random.PRNGKey(4))
        for kind in KINDS
    )
    same_bits(found, expected)
    with pytest.raises(ValueError, match="uses randomness and needs a key"):
        StackedOrchestrator(noisy.orchestrator.lmap).step(noisy.clamped, rng=None)


@final
class Elsewhere(AbstractAdapter):
    """An adapter of another package; `matrix` is what makes it dense."""

    needs_key: ClassVar[bool] = False
    sender_shape: ClassVar[tuple[int, ...]] = (6,)
    receiver_shape: ClassVar[tuple[int, ...]] = (7,)

    @property
    def matrix(self):
        return jnp.ones((6, 7))

    def __call__(self, x, rng=None):
        return x @ self.matrix

    def trained(self):
        return {}

    def increments(self, x, y, y_hat, gate=None):
        return {}


@final
class Opaque(AbstractAdapter):
    """The same without a matrix."""

    needs_key: ClassVar[bool] = False
    sender_shape: ClassVar[tuple[int, ...]] = (6,)
    receiver_shape: ClassVar[tuple[int, ...]] = (7,)

    def __call__(self, x, rng=None):
        return x @ jnp.ones((6, 7))

    def trained(self):
        return {}

    def increments(self, x, y, y_hat, gate=None):
        return {}


def with_edge(network, edge, module):
    rows = network.orchestrator.lmap.to_dict()
    rows[edge[0]][edge[1]] = module
    return LayerMap.from_dict(rows)


def test_a_dense_module_from_elsewhere_is_stacked(two_hidden, same_bits):
    lmap = with_edge(two_hidden, (1, 2), Elsewhere())
    start = two_hidden.clamped.replace(2, jnp.ones_like(two_hidden.clamped[2]))
    same_bits(*(stepped(kind(lmap), start) for kind in KINDS))


def test_an_edge_between_rows_that_is_not_dense_is_named(two_hidden, noisy, says):
    sentence = "StackedOrchestrator: edge (1, 2) joins two rows and needs a dense module"
    with says(TypeError, sentence):
        StackedOrchestrator(with_edge(two_hidden, (1, 2), Opaque()))
    noise = type(noisy.orchestrator.lmap[1, 0])(6, 7)
    with says(TypeError, f"{sentence}, whose message is x @ matrix without randomness, got Noisy"):
        StackedOrchestrator(with_edge(two_hidden, (1, 2), noise))


@pytest.mark.slow
@pytest.mark.parametrize("operands", ["bfloat16", "bfloat16x3", "fastest"])
def test_narrow_operands_are_those_of_the_modules(dense, binary, same_bits, operands):
    draw = np.random.default_rng(11)

    def weights():
        return draw.normal(size=(5, 5))

    rows = {
        1: {0: dense(weights()), 1: binary(weights(), operands=operands)},
        2: {1: dense(weights(), operands=operands), 2: binary(weights(), operands=operands)},
        3: {2: dense(weights()), 3: OutputLayer()},
    }
    lmap = LayerMap.from_dict(rows)
    state = SequentialState((5, 5, 5, 5)).init(draw.choice([-1.0, 1.0], (BATCH, 5)))
    same_bits(*(kind(lmap).step(state, rng=None) for kind in KINDS))
    text = str(jax.make_jaxpr(lambda s: StackedOrchestrator(lmap).step(s, rng=None)[0])(state))
    assert ("reduce_precision" in text) == (operands != "fastest")


def test_operands_that_differ_are_named(dense, binary, says):
    one = np.eye(2)
    rows = {
        1: {0: dense(one, operands="bfloat16"), 1: binary(one)},
        2: {1: dense(one, operands="bfloat16"), 2: binary(one)},
        3: {2: dense(one), 3: OutputLayer()},
    }
    sentence = "edge (2, 1) multiplies operands 'bfloat16', but edge (1, 1) 'weights'; one product"
    with says(ValueError, f"StackedOrchestrator: {sentence}"):
        StackedOrchestrator(LayerMap.from_dict(rows))


def test_without_hidden_rows_a_step_does_nothing(dense):
    lmap = LayerMap.from_dict({1: {0: dense([[2.0], [0.0]], 1.0), 1: OutputLayer()}})
    state = SequentialState((2, 1)).init([[1.0, 1.0]], [[-1.0]])
    after, rng = StackedOrchestrator(lmap).step(state, rng=None)
    assert after is state
    assert rng is None
    assert StackedOrchestrator(lmap).predict(state)[0].readout.item() == 2.0


def test_predict_writes_the_last_buffer_and_a_longer_state_is_refused(uneven, says):
    lmap, start = uneven
    network = StackedOrchestrator(lmap)
    answer, _ = network.predict(start)
    assert np.array_equal(answer[5], np.asarray(start[4]) @ np.asarray(lmap[5, 4].W))
    assert all(np.array_equal(answer[i], start[i]) for i in range(5))
    longer = SequentialState((*WIDTHS, 2)).init(start[0])
    for run in (network.predict, lambda s: network.step(s, rng=None), network.backward):
        with says(ValueError, "The state has 7 buffers, but the last row of the layer map is 5"):
            run(longer)


def test_layers_is_a_layer_map(says):
    with says(TypeError, "StackedOrchestrator: layers needs a LayerMap, got dict;"):
        StackedOrchestrator(layers={})


def test_rows_may_share_what_comes_from_the_input(dense, binary, same_bits):
    draw = np.random.default_rng(13)

    def weights():
        return draw.integers(-3, 4, (4, 4)) / 4

    rows = {
        1: {0: dense(weights()), 1: binary(weights())},
        2: {0: Shared(1, 0), 1: dense(weights()), 2: binary(weights())},
        3: {2: dense(weights()), 3: OutputLayer()},
    }
    start = SequentialState((4,) * 4).init(draw.choice([-1.0, 1.0], (BATCH, 4)))
    lmap = LayerMap.from_dict(rows)
    same_bits(*(kind(lmap).step(start, rng=None)[0] for kind in KINDS))
