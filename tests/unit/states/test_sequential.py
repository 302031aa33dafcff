"""`SequentialState`: where data enters, so where shapes, dtypes and values are looked at."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.states.interface import AbstractState
from bionet.states.sequential import SequentialState

SIZES = (4, 3, 2)


@pytest.fixture
def state():
    return SequentialState(SIZES)


@pytest.fixture
def x():
    return jax.device_put(np.arange(20, dtype=np.float32).reshape(5, 4))


@pytest.fixture
def y():
    return jnp.array([[1.0, -1.0]] * 5)


def test_the_published_signatures():
    assert list(inspect.signature(SequentialState).parameters) == ["sizes", "dtype"]
    assert list(inspect.signature(SequentialState.init).parameters) == ["self", "x", "y"]
    assert list(inspect.signature(SequentialState.replace).parameters) == ["self", "index", "value"]


def test_init_puts_the_input_first_the_labels_last_and_zeros_between(state, x, y):
    filled = state.init(x, y)
    assert isinstance(filled, AbstractState)
    assert len(filled) == len(state) == 3
    assert np.array_equal(filled[0], x)
    assert np.array_equal(filled[1], np.zeros((5, 3)))
    assert np.array_equal(filled[2], y)


def test_without_labels_the_output_is_zero(state, x, y):
    assert np.array_equal(state.init(x).readout, np.zeros((5, 2)))
    # Labels of an earlier batch do not stay behind.
    assert not state.init(x, y).init(x).readout.any()


def test_a_buffer_that_the_caller_goes_on_writing_to_is_copied(state, x):
    given, hidden = np.array(x), np.ones((5, 3), np.float32)
    filled = state.init(given).replace(1, hidden)
    given[:], hidden[:] = np.nan, np.nan
    assert np.array_equal(filled[0], x)
    assert np.array_equal(filled[1], np.ones((5, 3)))
    assert isinstance(filled[1], jax.Array)


def test_the_batch_size_comes_from_the_input_each_time(state, x):
    assert state.init(x).init(x[:2])[1].shape == (2, 3)


def test_negative_indices_count_from_the_output(state, x, y):
    filled = state.init(x, y)
    assert filled[-1] is filled[2] is filled.readout
    assert filled[-3] is filled[0]
    assert np.array_equal(filled.replace(-2, np.ones((5, 3)))[1], np.ones((5, 3)))


def test_replace_and_init_leave_the_old_state_as_it_was(state, x):
    filled = state.init(x)
    other = filled.replace(1, np.ones((5, 3)))
    assert other is not filled
    assert not filled[1].any()
    assert other[0] is filled[0]
    assert state[0].shape == (1, 4)
    with pytest.raises(AttributeError):
        filled.buffers = ()


def test_shapes_stand_for_images(says):
    state = SequentialState(((28, 28, 1), (2, 3), 10))
    filled = state.init(np.zeros((6, 28, 28, 1)))
    assert [buffer.shape for buffer in filled.buffers] == [(6, 28, 28, 1), (6, 2, 3), (6, 10)]
    with says(ValueError, "needs shape (batch, 28, 28, 1), got (6, 784)."):
        state.init(np.zeros((6, 784)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("given", [np.float64, np.float16, np.int64, np.uint8, bool])
def test_other_dtypes_are_cast_once_when_they_come_in(dtype, given):
    state = SequentialState(SIZES, dtype=dtype)
    filled = state.init(np.ones((5, 4), given), np.ones((5, 2), given))
    assert {buffer.dtype for buffer in filled.buffers} == {jnp.dtype(dtype)}
    assert np.asarray(filled[0]).min() == np.asarray(filled[2]).min() == 1


def test_lists_are_taken_too(state):
    assert np.array_equal(state.init([[1, 2, 3, 4]])[0], np.array([[1.0, 2.0, 3.0, 4.0]]))


def test_it_is_a_pytree_whose_leaves_are_the_buffers(state, x, y):
    filled = state.init(x, y)
    leaves, structure = jax.tree.flatten(filled)
    assert [leaf.shape for leaf in leaves] == [(5, 4), (5, 3), (5, 2)]
    assert structure == jax.tree.structure(state)
    doubled = jax.tree.map(lambda leaf: 2 * np.asarray(leaf), filled)
    assert np.array_equal(doubled[0], 2 * np.asarray(x))
    assert jax.tree.structure(SequentialState((4, 3, 3))) != structure


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((4,), "SequentialState: needs an input and an output size at least, got sizes (4,)."),
        ((), "SequentialState: needs an input and an output size at least, got sizes ()."),
        ((4, 0, 2), "SequentialState: size 1 needs positive ints, got 0;"),
        ((4, -3), "SequentialState: size 1 needs positive ints, got -3;"),
        ((4, 3.0), "SequentialState: size 1 needs positive ints, got 3.0;"),
        (("four", 3), "SequentialState: size 0 needs positive ints, got 'four';"),
        ((4, ()), "SequentialState: size 1 needs positive ints, got ();"),
        (((28, 0, 1), 3), "SequentialState: size 0 needs positive ints, got (28, 0, 1);"),
    ],
)
def test_sizes_are_positive_ints(says, sizes, sentence):
    with says(ValueError, sentence):
        SequentialState(sizes)


@pytest.mark.parametrize("shape", [(5, 3), (5, 1), (4,), (5, 4, 1), (), (5, 2, 2)])
def test_an_input_of_another_shape_is_refused_with_both_shapes(state, says, shape):
    sentence = f"state.init: x goes into buffer 0 and needs shape (batch, 4), got {shape}."
    with says(ValueError, sentence):
        state.init(np.ones(shape))


def test_labels_of_another_shape_are_refused_with_both_shapes(state, x, says):
    with says(ValueError, "state.init: y goes into buffer 2 and needs shape (batch, 2), got (5,)."):
        state.init(x, np.zeros(5))
    with says(ValueError, "y goes into buffer 2 and needs shape (batch, 2), got (5, 1)."):
        state.init(x, np.zeros((5, 1)))


@pytest.mark.parametrize("rows", [1, 4])
def test_each_input_needs_its_own_label(state, x, y, says, rows):
    sentence = f"state.init: x has a batch of 5, but y has a batch of {rows}; give one row of y"
    with says(ValueError, sentence):
        state.init(x, y[:rows])


def test_a_batch_of_size_zero_is_refused(state, says):
    sentence = "state.init: x is a batch of size 0; give one sample or more."
    with says(ValueError, sentence):
        state.init(np.ones((0, 4)))
    with says(ValueError, sentence):
        eqx.filter_jit(state.init)(np.ones((0, 4)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
def test_nan_and_infinity_are_refused_eagerly_and_under_jit(state, x, y, says, bad, where):
    x, y = np.array(x), np.array(y)
    (x if where == "x" else y)[2, 1] = bad
    sentence = f"state.init: {where} holds NaN or infinity; clean the data before it enters a"
    for init in (state.init, eqx.filter_jit(state.init), jax.jit(lambda x, y: state.init(x, y))):
        with says(RuntimeError, sentence):
            jax.block_until_ready(init(x, y))


def test_what_overflows_the_states_dtype_is_refused(says):
    with says(RuntimeError, "state.init: x holds NaN or infinity"):
        SequentialState(SIZES, dtype="float16").init(np.full((5, 4), 1e6))


@pytest.mark.parametrize(
    ("value", "dtype"), [(np.ones((5, 4), np.complex64), "complex64"), ([["a"] * 4] * 5, "<U1")]
)
def test_values_that_are_no_real_numbers_are_refused(state, says, value, dtype):
    with says(TypeError, f"state.init: x needs real numbers, got dtype {dtype}."):
        state.init(value)


@pytest.mark.parametrize("index", [3, -4, 10])
def test_a_buffer_that_does_not_exist_is_named(state, says, index):
    sentence = f"The state has buffers 0 to 2, but not {index}."
    with says(IndexError, sentence):
        state[index]
    with says(IndexError, sentence):
        state.replace(index, np.ones((1, 4)))


@pytest.mark.parametrize("shape", [(5, 4), (5, 1), (3,), (), (5, 3, 1)])
def test_replace_refuses_another_shape_with_both_shapes(state, x, says, shape):
    sentence = f"state.replace: buffer 1 needs shape (batch, 3), got {shape}."
    with says(ValueError, sentence):
        state.init(x).replace(1, np.ones(shape))


def test_a_single_size_is_no_row_of_sizes(says):
    with says(TypeError, "SequentialState: sizes needs one size per buffer, got 5."):
        SequentialState(5)
