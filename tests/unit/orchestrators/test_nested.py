"""`NestedNetwork`: a node that does, keeps and learns what its network would by itself."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.modules.port import Port
from bionet.modules.trained import apply_trained, partition_trained, trained_mask
from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.rules import violated_margin
from bionet.states.sequential import SequentialState
from bionet.training.local.two_phase import TwoPhase

SIZES = (5, 7, 6, 3)
WIDTH = sum(SIZES)


def around(node, readout=None):
    """A network that copies its input into the node, and the node's readout out of it.

    The labels of the outer network reach the inner readout, where a step is clamped.
    """
    answer = Port(readout, hears=node.span(-1))
    rows = {
        1: {0: Port(drives=node.span(0)), 1: node, 2: Port(drives=node.span(-1))},
        2: {1: answer, 2: OutputLayer()},
    }
    inputs, outputs = node.span(0).shape, answer.receiver_shape
    blank = SequentialState((inputs, node.width, outputs))
    return SequentialOrchestrator(LayerMap.from_dict(rows)), blank


@pytest.fixture(scope="module")
def flat(two_hidden):
    """The exact network 5-7-6-3, which is put inside."""
    return two_hidden


def stepped(network, state, steps, method="step", **options):
    for _ in range(steps):
        state, _ = getattr(network, method)(state, rng=None, **options)
    return state


def inside(network, state):
    """The inner state of the node in row 1."""
    return network.lmap[1, 1].unpack(state[1])


@pytest.mark.parametrize("senders", ["forward", "backward", "unsupervised"])
def test_free_steps_are_those_of_the_network_by_itself(flat, same_bits, senders):
    node = NestedNetwork(flat.orchestrator, SIZES, steps=3, senders=senders)
    network, blank = around(node)
    state = stepped(network, blank.init(flat.x), 1, "step_inference")
    expected = stepped(flat.orchestrator, flat.state.init(flat.x), 3, senders=senders)
    expected, _ = flat.orchestrator.predict(expected)
    same_bits(inside(network, state), expected)
    assert np.array_equal(network.predict(state)[0].readout, expected.readout)


def test_clamped_steps_are_those_of_the_network_with_its_labels(flat):
    node = NestedNetwork(flat.orchestrator, SIZES, steps=3)
    network, blank = around(node)
    state = inside(network, stepped(network, blank.init(flat.x, flat.y), 1))
    expected = stepped(flat.orchestrator, flat.clamped, 3)
    answer, _ = flat.orchestrator.predict(expected)
    for i in (0, 1, 2):
        assert np.array_equal(state[i], expected[i])
    assert np.array_equal(state[-1], answer.readout)
    # Without the labels it is another state, so they have come through.
    free = inside(network, stepped(network, blank.init(flat.x), 1))
    assert not np.array_equal(free[1], state[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SequentialOrchestrator, SynchronousOrchestrator])
def test_the_inner_state_persists_from_step_to_step(make_network, same_bits, kind):
    flat = make_network(2, orchestrator=kind)
    by_one, by_four = (
        around(NestedNetwork(flat.orchestrator, SIZES, steps=n, senders="unsupervised"))
        for n in (1, 4)
    )
    expected = stepped(flat.orchestrator, flat.state.init(flat.x), 4, senders="unsupervised")
    expected, _ = flat.orchestrator.predict(expected)
    for (network, blank), steps in ((by_one, 4), (by_four, 1)):
        state = stepped(network, blank.init(flat.x), steps, "step_inference")
        same_bits(inside(network, state), expected)


@pytest.mark.slow
@pytest.mark.parametrize("outer", [SequentialOrchestrator, SynchronousOrchestrator])
@pytest.mark.parametrize("inner", [SynchronousOrchestrator, StackedOrchestrator])
def test_any_orchestrator_goes_into_any_other(make_network, same_bits, outer, inner):
    flat = make_network(2, orchestrator=inner)
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES, steps=2))
    network = outer(network.lmap)
    state = stepped(network, blank.init(flat.x), 1, "step_inference")
    expected = stepped(flat.orchestrator, flat.state.init(flat.x), 2, "step")
    same_bits(inside(network, state).buffers[:-1], expected.buffers[:-1])


@pytest.mark.slow
def test_a_node_in_a_node_is_the_network_still(flat, same_bits):
    node = NestedNetwork(flat.orchestrator, SIZES, steps=2, senders="forward")
    middle, blank = around(node)
    middle_sizes = tuple(shape for shape in blank.sizes)
    outer_node = NestedNetwork(middle, middle_sizes, steps=2, senders="forward")
    network, blank = around(outer_node)
    state = stepped(network, blank.init(flat.x), 1, "step_inference")
    innermost = node.unpack(inside(network, state)[1])
    expected = stepped(flat.orchestrator, flat.state.init(flat.x), 4, "step_inference")
    expected, _ = flat.orchestrator.predict(expected)
    same_bits(innermost, expected)
    assert np.array_equal(network.predict(state)[0].readout, expected.readout)
    # And it learns down there what it would learn by itself.
    learned = network.backward(state).lmap[1, 1].inner.lmap[1, 1].inner
    signs = expected.replace(-1, jnp.where(expected[-1] >= 0, 1.0, -1.0))
    same_bits(learned.lmap, flat.orchestrator.backward(signs).lmap)


def packed_into(network, blank, x, state):
    """An outer state whose node holds an inner state."""
    return blank.init(x).replace(1, network.lmap[1, 1].pack(state))


@pytest.mark.parametrize("gate", [None, np.arange(6.0)])
def test_inner_edges_learn_what_they_would_by_themselves(flat, same_bits, gate):
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES))
    state = stepped(flat.orchestrator, flat.clamped, 2)
    gate = None if gate is None else jnp.asarray(gate, jnp.float32)
    learned = network.backward(packed_into(network, blank, flat.x, state), gate=gate)
    expected = flat.orchestrator.backward(state, gate=gate)
    same_bits(learned.lmap[1, 1].inner.lmap, expected.lmap)
    assert np.abs(expected.lmap[3, 2].W).max() > 0
    assert np.abs(expected.lmap[1, 1].J).max() > 0


def test_what_an_output_layer_has_said_is_learned_by_its_signs(flat, same_bits):
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES))
    state = stepped(flat.orchestrator, flat.clamped, 2)
    said = state.replace(-1, jnp.array([[0.5, -2.0, 0.0]] * 6))
    signs = state.replace(-1, jnp.array([[1.0, -1.0, 1.0]] * 6))
    learned = network.backward(packed_into(network, blank, flat.x, said))
    same_bits(learned.lmap[1, 1].inner.lmap, flat.orchestrator.backward(signs).lmap)


def test_it_learns_what_it_did_in_another_phase(flat, same_bits):
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES))
    free, clamped = (stepped(flat.orchestrator, flat.clamped, n) for n in (1, 4))
    states = [packed_into(network, blank, flat.x, state) for state in (free, clamped)]
    learned = network.backward(states[0], targets=states[1]).lmap[1, 1].inner
    expected = flat.orchestrator.backward(free, targets=clamped)
    same_bits(learned.lmap, expected.lmap)
    assert not np.array_equal(
        learned.lmap[2, 1].W, network.backward(states[0]).lmap[1, 1].inner.lmap[2, 1].W
    )


@pytest.fixture
def remembering(dense, binary):
    """A node 1 - 1 - 1 whose readout holds itself, by twice what the hidden unit says."""
    rows = {
        1: {0: dense([[1.0]], 1.0), 1: binary([[0.0]], 1.0)},
        2: {1: dense([[1.0]], 4.0), 2: binary([[2.0]], 1.0)},
    }
    inner = SequentialOrchestrator(LayerMap.from_dict(rows))
    return around(NestedNetwork(inner, (1, 1, 1)))


@pytest.mark.slow
def test_a_readout_with_a_state_is_taught_and_keeps_it(remembering):
    network, blank = remembering
    # The label says -1 and the input +1: the label is heard twice as strongly.
    state = stepped(network, blank.init([[1.0]], [[-1.0]]), 1)
    assert np.array_equal(inside(network, state).readout, [[-1.0]])
    # It goes on after the label has been taken away, and it is the target.
    state = stepped(network, state, 3, "step_inference")
    assert np.array_equal(state[1], [[1.0, 1.0, -1.0]])
    learned = network.backward(state).lmap[1, 1].inner
    # field 1 - 2 = -1, margin 1 under 4: the weight moves from +1 towards -1.
    assert learned.lmap[2, 1].W.item() == 1.0


def test_following_its_rules_repairs_margins_inside(flat):
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES))
    state = stepped(flat.orchestrator, flat.clamped, 2)
    outer = packed_into(network, blank, flat.x, state)

    def violations(inner):
        field = np.asarray(state[2]) @ np.asarray(inner.lmap[3, 2].W)
        return int(violated_margin(np.asarray(flat.y), field, 1.5).sum())

    after = eqx.apply_updates(network, jax.tree.map(jnp.negative, network.backward(outer)))
    assert violations(after.lmap[1, 1].inner) < violations(flat.orchestrator)


def test_the_node_keeps_its_hidden_rows_and_a_readout_with_a_state(flat, remembering):
    buffer = jnp.arange(1.0, WIDTH + 1)[None]
    node = NestedNetwork(flat.orchestrator, SIZES)
    kept = np.asarray(node(buffer))[0]
    assert np.array_equal(kept, [*[0.0] * 5, *np.arange(6.0, 19.0), *[0.0] * 3])
    other = remembering[0].lmap[1, 1]
    assert np.array_equal(other(jnp.array([[2.0, 3.0, 4.0]])), [[0.0, 3.0, 4.0]])


def test_an_inner_buffer_without_a_row_is_driven_from_outside(dense, binary):
    # Inner buffer 1 is a second input: it is not kept, and holds what comes.
    rows = {
        2: {0: dense([[1.0]]), 1: dense([[2.0]]), 2: binary([[0.0]])},
        3: {2: dense([[1.0]]), 3: OutputLayer()},
    }
    inner = SequentialOrchestrator(LayerMap.from_dict(rows))
    node = NestedNetwork(inner, (1, 1, 1, 1))
    assert np.array_equal(node(jnp.full((1, 4), 5.0)), [[0.0, 0.0, 5.0, 0.0]])
    field = node.reduce({1: node(jnp.full((1, 4), 5.0)), 0: jnp.array([[1.0, -1.0, 0.0, 0.0]])})
    assert np.array_equal(node.activation(field), [[1.0, -1.0, -1.0, -1.0]])


def test_spans_pack_and_unpack(flat):
    node = NestedNetwork(flat.orchestrator, SIZES)
    assert node.width == WIDTH
    assert [(node.span(i).start, node.span(i).stop) for i in (0, 1, -2, -1)] == [
        (0, 5),
        (5, 12),
        (12, 18),
        (18, 21),
    ]
    state = flat.clamped
    assert jax.tree.structure(node.unpack(node.pack(state))) == jax.tree.structure(state)
    for found, expected in zip(node.unpack(node.pack(state)).buffers, state.buffers, strict=True):
        assert np.array_equal(found, expected)


def test_an_image_lies_in_the_buffer_unit_by_unit():
    inner = SequentialOrchestrator(LayerMap.from_dict({1: {1: OutputLayer()}}))
    node = NestedNetwork(inner, ((2, 3, 1), 4))
    assert (node.width, node.span(0).shape) == (10, (2, 3, 1))
    buffer = jnp.arange(20.0).reshape(2, 10)
    state = node.unpack(buffer)
    assert state[0].shape == (2, 2, 3, 1)
    assert np.array_equal(node.pack(state), buffer)
    assert node.trained() == {}
    assert node.increments(buffer, buffer, buffer) == {}


def test_what_learns_inside_is_what_learns(flat, same_bits):
    network, _ = around(NestedNetwork(flat.orchestrator, SIZES))
    mask = trained_mask(network).lmap[1, 1].inner
    assert eqx.tree_equal(mask, trained_mask(flat.orchestrator))
    learning, _ = partition_trained(network)
    moved = apply_trained(network, jax.tree.map(jnp.ones_like, learning)).lmap[1, 1].inner.lmap
    inner = flat.orchestrator.lmap
    same_bits(jnp.diag(moved[1, 1].J), jnp.diag(inner[1, 1].J))
    same_bits(moved[1, 3], inner[1, 3])
    same_bits(moved[1, 0].threshold, inner[1, 0].threshold)
    same_bits(moved[1, 0].W, inner[1, 0].W + 1)


@pytest.fixture
def settling(flat):
    """The network around the exact one, and a batch for it."""
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES, steps=2))
    return network, blank.init(flat.x, flat.y)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["clamped", "free"])
def test_settle_is_the_plain_loop(settling, same_bits, phase):
    network, state = settling
    expected = stepped(network, state, 4, "step" if phase == "clamped" else "step_inference")
    found, _ = settle(network, state, max_steps=4, phase=phase, early_stop=False)
    same_bits(found, expected)


def test_a_settled_network_has_a_settled_node(settling, same_bits):
    network, state = settling
    found, result = settle(network, state, max_steps=40)
    assert bool(result.settled)
    # The label that nobody speaks is what the inner rows hear from their readout.
    held = inside(network, found)
    held = held.replace(-1, jnp.zeros_like(held[-1]))
    same_bits(stepped(network.lmap[1, 1].inner, held, 2).buffers[1:3], held.buffers[1:3])


def everything(network, state):
    state, _ = network.step(state, rng=None)
    return network.predict(state)[0], network.backward(state)


@pytest.mark.slow
def test_it_goes_under_jit_and_vmap(settling, same_bits):
    network, state = settling
    compiled = eqx.filter_jit(everything)
    same_bits(compiled(network, state), everything(network, state))
    both = jax.tree.map(lambda leaf: jax.device_put(np.stack([leaf, -np.asarray(leaf)])), state)
    together = eqx.filter_jit(eqx.filter_vmap(everything, in_axes=(None, 0)))(network, both)
    for n in range(2):
        one, found = (
            jax.tree.map(lambda leaf, n=n: np.asarray(leaf)[n], tree) for tree in (both, together)
        )
        same_bits(found, compiled(network, jax.device_put(one)))


def test_other_numbers_are_not_traced_again(settling):
    network, state = settling
    traces = []

    @eqx.filter_jit
    def run(network, state):
        traces.append(state)
        return everything(network, state)

    doubled = jax.tree.map(lambda leaf: jax.device_put(2 * np.asarray(leaf)), network)
    run(network, state)
    run(doubled, state)
    assert len(traces) == 1


def products_inside_loops(jaxpr, inside=False):
    count = 0
    for equation in jaxpr.eqns:
        count += inside and equation.primitive.name == "dot_general"
        within = inside or equation.primitive.name in ("while", "scan")
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                count += products_inside_loops(inner, within)
    return count


def test_the_inner_input_speaks_once_in_an_outer_step(settling):
    # Four of the seven products of the inner rows are between rows; the others are from the
    # inner input and readout, which stay the same during the inner steps.
    network, state = settling
    jaxpr = jax.make_jaxpr(lambda s: network.step(s, rng=None)[0])(state).jaxpr
    assert products_inside_loops(jaxpr) == 4


@pytest.mark.slow
def test_a_node_trains_by_the_two_phase_method(flat, dense):
    readout = dense(np.zeros((3, 3)), 1.0)
    network, blank = around(NestedNetwork(flat.orchestrator, SIZES, steps=2), readout)
    method = TwoPhase(blank, clamped=2, free=2)
    before = method.init(network, jax.random.key(0))
    after, _ = eqx.filter_jit(method.step)(before, (flat.x, flat.y), jax.random.key(1))
    learning = jax.tree.leaves(partition_trained(network)[0])
    moved = jax.tree.leaves(partition_trained(after.model)[0])
    assert len(learning) == 7
    assert all((np.asarray(a) != np.asarray(b)).any() for a, b in zip(learning, moved, strict=True))


def test_a_state_that_does_not_fit_names_the_edge(settling, flat, says):
    network, _ = settling
    for run in (network.predict, lambda s: network.step(s, rng=None), network.backward):
        with says(ValueError, "but buffer 1 of the state has (20,), shape (1, 20) with the batch."):
            run(SequentialState((5, WIDTH - 1, 3)))
        with says(ValueError, "The state has 4 buffers, but the last row of the layer map is 2"):
            run(SequentialState((5, WIDTH, 3, 3)))


def test_predict_writes_the_last_buffer_and_no_other(settling):
    network, state = settling
    state = stepped(network, state, 1)
    answer, _ = network.predict(state)
    assert np.array_equal(answer[0], state[0])
    assert np.array_equal(answer[1], state[1])
    assert np.array_equal(answer[2], inside(network, state).readout)


def test_a_buffer_of_another_width_is_refused(flat, says):
    node = NestedNetwork(flat.orchestrator, SIZES)
    sentence = "NestedNetwork: its buffer needs shape (batch, 21), got (6, 1)."
    for run in (node, node.unpack, node.activation, lambda b: node.increments(b, b, b)):
        with says(ValueError, sentence):
            run(jnp.ones((6, 1)))


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((5, 7, 3), "The state has 3 buffers, but the last row of the layer map is 3"),
        ((5, 7, 6, 3, 3), "The state has 5 buffers, but the last row of the layer map is 3"),
        ((5, 7, 1, 3), "Edge (1, 2) sends (6,) per sample, but buffer 2 of the state has (1,)"),
    ],
)
def test_sizes_that_do_not_fit_the_inner_network(flat, says, sizes, sentence):
    with says(ValueError, f"NestedNetwork: sizes do not fit the inner network. {sentence}"):
        NestedNetwork(flat.orchestrator, sizes)


def test_what_else_can_be_wrong(flat, noisy, says):
    with says(TypeError, "NestedNetwork: inner needs an orchestrator, got LayerMap."):
        NestedNetwork(flat.orchestrator.lmap, SIZES)
    for steps in (0, -1, 1.5):
        with says(ValueError, f"NestedNetwork: steps needs a positive int, got {steps}."):
            NestedNetwork(flat.orchestrator, SIZES, steps=steps)
    with says(ValueError, "No group of senders is named 'forwards'. Did you mean 'forward'"):
        NestedNetwork(flat.orchestrator, SIZES, senders="forwards")
    with says(ValueError, "NestedNetwork: inner edge (1, 0) uses randomness, but an activation is"):
        NestedNetwork(noisy.orchestrator, (5, 7, 3))
    with says(IndexError, "NestedNetwork: inner buffers are 0 to 3, but not 4."):
        NestedNetwork(flat.orchestrator, SIZES).span(4)


def test_a_node_is_no_dense_module(settling, says):
    rows = settling[0].lmap.to_dict()
    with says(TypeError, "StackedOrchestrator: edge (1, 1) joins two rows and needs a dense"):
        StackedOrchestrator(LayerMap.from_dict(rows))
    state, _ = GroupedOrchestrator(settling[0].lmap, {"all": (1,)}).step(settling[1], rng=None)
    assert np.array_equal(state[1], settling[0].step(settling[1], rng=None)[0][1])
