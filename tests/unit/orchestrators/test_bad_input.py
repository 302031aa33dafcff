"""States and words that do not fit a network: each method says so before any arithmetic."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.states.sequential import SequentialState

METHODS = {
    "step": lambda network, state: network.step(state, rng=None),
    "step_inference": lambda network, state: network.step_inference(state, rng=None),
    "predict": lambda network, state: network.predict(state, None),
    "backward": lambda network, state: network.backward(state, None),
    "settle": lambda network, state: settle(network, state, max_steps=2),
}


@pytest.fixture(params=METHODS)
def method(request):
    """Each thing that can be done with a network and a state."""
    return METHODS[request.param]


@pytest.fixture
def small(one_hidden):
    """The network 5-7-3."""
    return one_hidden.orchestrator


def ones(*sizes, batch=2, dtype="float32"):
    """A state of ones with these sizes, made without `init` and so without its checks."""
    hollow = eqx.filter_eval_shape(lambda: SequentialState(sizes, dtype=dtype))
    shapes = [(batch, *([size] if isinstance(size, int) else size)) for size in sizes]
    buffers = [jax.device_put(np.ones(shape).astype(dtype)) for shape in shapes]
    return jax.tree.unflatten(jax.tree.structure(hollow), buffers)


@pytest.mark.parametrize(("sizes", "count"), [((5, 7, 3, 3), 4), ((5, 3), 2), ((5, 7, 7, 3), 4)])
def test_a_state_with_more_or_fewer_buffers_than_the_map(small, method, says, sizes, count):
    sentence = (
        f"The state has {count} buffers, but the last row of the layer map is 2, which needs 3: "
        "one for the input and one for each row."
    )
    with says(ValueError, sentence):
        method(small, ones(*sizes))


@pytest.mark.parametrize(
    ("sizes", "edge", "verb", "needed", "buffer"),
    [
        ((4, 7, 3), (1, 0), "sends", 5, 0),
        ((5, 8, 3), (1, 0), "receives", 7, 1),
        ((5, 7, 2), (1, 2), "sends", 3, 2),
        # Widths of one, which NumPy's rules would stretch without a word.
        ((1, 7, 3), (1, 0), "sends", 5, 0),
        ((5, 1, 3), (1, 0), "receives", 7, 1),
        ((5, 7, 1), (1, 2), "sends", 3, 2),
    ],
)
def test_a_size_that_does_not_fit_names_the_edge_and_both_shapes(
    small, method, says, sizes, edge, verb, needed, buffer
):
    given = sizes[buffer]
    sentence = (
        f"Edge {edge} {verb} ({needed},) per sample, but buffer {buffer} of the state has "
        f"({given},), shape (2, {given}) with the batch."
    )
    with says(ValueError, sentence):
        method(small, ones(*sizes))


def test_an_image_needs_a_module_that_takes_images(small, method, says):
    state = ones((5, 1), 7, 3)
    with says(
        ValueError, "Edge (1, 0) sends (5,) per sample, but buffer 0 of the state has (5, 1)"
    ):
        method(small, state)


def test_the_shape_is_looked_at_under_jit_too(small, says):
    with says(ValueError, "Edge (1, 0) sends (5,) per sample, but buffer 0 of the state has (4,)"):
        eqx.filter_jit(lambda n, s: n.step(s, rng=None))(small, ones(4, 7, 3))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_a_dtype_that_does_not_fit_names_the_edge_and_both_dtypes(small, method, says, dtype):
    sentence = (
        f"Edge (1, 0) has weights of dtype float32, but buffer 0 of the state is {dtype}. Build "
        "the state with dtype=float32."
    )
    with says(TypeError, sentence):
        method(small, ones(5, 7, 3, dtype=dtype))


def test_a_single_buffer_of_another_dtype_is_found(small, method, says):
    state = ones(5, 7, 3).replace(1, jnp.asarray(np.ones((2, 7)), jnp.float16))
    with says(TypeError, "Edge (1, 1) has weights of dtype float32, but buffer 1 of the state is"):
        method(small, state)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_buffers_of_different_batches_are_refused_not_stretched(small, method, says, index):
    # One row of a hidden layer, or of labels, would be taken for the whole batch.
    state = ones(5, 7, 3, batch=4)
    state = state.replace(index, jax.device_put(np.ones((1, state.sizes[index][0]), np.float32)))
    batches = [1 if i == index else 4 for i in range(3)]
    sentence = f"The buffers of the state need one batch size, of 1 or more, got {batches}, from"
    with says(ValueError, sentence):
        method(small, state)


def test_a_batch_of_size_zero_is_refused_however_it_came_in(small, method, says):
    # The rule would divide by zero, and every weight would become NaN.
    sentence = "The buffers of the state need one batch size, of 1 or more, got [0, 0, 0], from"
    with says(ValueError, sentence):
        method(small, ones(5, 7, 3, batch=0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "label", [0.0, 2.0, 0.5, -0.999, np.nan], ids=["0 and 1", "2", "half", "nearly", "NaN"]
)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_labels_that_are_no_signs_stop_the_learning(one_hidden, says, label, compiled):
    y = np.array(one_hidden.y)
    y[0, 1] = label
    state = one_hidden.clamped.replace(-1, jnp.asarray(y))
    sentence = (
        "FullyConnected: labels need to be -1 or +1, got others; turn 0 / 1 into -1 / +1 by "
        "2 * y - 1, and class numbers by bionet.datasets.one_vs_all."
    )
    learn = one_hidden.orchestrator.backward
    with says(RuntimeError, sentence):
        jax.block_until_ready(
            jax.tree.leaves((eqx.filter_jit(learn) if compiled else learn)(state))
        )


def test_a_state_without_labels_can_not_teach(one_hidden, says):
    state = one_hidden.state.init(one_hidden.x)
    with says(RuntimeError, "FullyConnected: labels need to be -1 or +1, got others;"):
        one_hidden.orchestrator.backward(state)


def test_other_labels_may_be_fed_in_where_nothing_learns(one_hidden):
    state = one_hidden.state.init(one_hidden.x, np.full((6, 3), 1.5))
    state, _ = one_hidden.orchestrator.step(state, rng=None)
    assert np.array_equal(state[-1], np.full((6, 3), 1.5))


@pytest.mark.parametrize("method", ["step", "step_inference", "backward"])
@pytest.mark.parametrize(
    ("word", "meant"), [("forwards", "forward"), ("Backward", "backward"), ("supervised", "unsup")]
)
def test_an_unknown_group_of_senders_is_named_with_the_nearest(
    one_hidden, says, method, word, meant
):
    run = getattr(one_hidden.orchestrator, method)
    with says(ValueError, f"No group of senders is named {word!r}. Did you mean '{meant}"):
        run(one_hidden.clamped, rng=None, senders=word)


def test_an_unknown_group_is_refused_without_hidden_rows_too(dense, says):
    lmap = LayerMap.from_dict({1: {0: dense([[1.0]]), 1: OutputLayer()}})
    perceptron = SequentialOrchestrator(layers=lmap)
    with says(ValueError, "No group of senders is named 'forwards'."):
        perceptron.step(ones(1, 1), rng=None, senders="forwards")


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_field_that_is_not_finite_is_named_by_its_row(one_hidden, value, compiled):
    network, state = one_hidden.orchestrator, one_hidden.clamped
    broken = eqx.tree_at(
        lambda o: o.lmap[1, 0].W, network, replace_fn=lambda W: W.at[0, 0].set(value)
    )
    learn = eqx.filter_jit(type(network).backward) if compiled else type(network).backward
    with pytest.raises(
        eqx.EquinoxRuntimeError, match="The local field of row 1 is NaN or infinite"
    ):
        jax.block_until_ready(learn(broken, state))
    broken = eqx.tree_at(
        lambda o: o.lmap[2, 1].W, network, replace_fn=lambda W: W.at[0, 0].set(value)
    )
    answer = eqx.filter_jit(type(network).predict) if compiled else type(network).predict
    with pytest.raises(
        eqx.EquinoxRuntimeError, match="The local field of row 2 is NaN or infinite"
    ):
        jax.block_until_ready(answer(broken, state))


def test_a_buffer_that_is_infinite_is_found_where_it_is_listened_to(one_hidden):
    state = one_hidden.clamped
    state = state.replace(0, state[0].at[0, 0].set(jnp.inf))
    with pytest.raises(
        eqx.EquinoxRuntimeError, match="The local field of row 1 is NaN or infinite"
    ):
        jax.block_until_ready(one_hidden.orchestrator.backward(state))
