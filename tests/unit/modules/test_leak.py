"""A leak: within its range however it learns, exact where it is fixed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.through_time.leak import Leak
from bionet.modules.trained import apply_trained, partition_trained


def leak(value, learned=True, units=3, dtype="float32"):
    return Leak("LIF", "leak", value, units, learned=learned, dtype=dtype)


def test_a_learned_leak_begins_at_its_value_and_stays_a_leak():
    begun = leak([0.1, 0.9, 0.99])
    np.testing.assert_allclose(begun.value, [0.1, 0.9, 0.99], rtol=1e-6)
    pushed = apply_trained(begun, jax.tree.map(lambda x: x + 5.0, partition_trained(begun)[0]))
    assert (pushed.value > begun.value).all()
    assert (pushed.value < 1).all()


def test_a_fixed_leak_is_exact_and_does_not_learn():
    for value in (0.0, 0.3, 1.0):
        assert leak(value, learned=False).value == np.float32(value)
    assert jax.tree.leaves(partition_trained(leak(0.3, learned=False))[0]) == []
    assert len(jax.tree.leaves(partition_trained(leak(0.3))[0])) == 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_it_has_the_dtype_that_is_asked_for(dtype):
    assert leak(0.5, dtype=dtype).value.dtype == dtype


@pytest.mark.parametrize(
    ("value", "learned", "sentence"),
    [
        (1.0, True, "LIF: leak needs to be between 0 and 1, without either, to learn, got 1.0."),
        (0.0, True, "LIF: leak needs to be between 0 and 1, without either, to learn, got 0.0."),
        (1.1, False, "LIF: leak needs to be from 0 to 1, got 1.1"),
        ([0.5, -0.1, 0.5], False, "LIF: leak needs to be from 0 to 1, got ["),
        (np.nan, True, "LIF: leak needs finite numbers, got nan."),
        ([0.5, 0.5], True, "LIF: leak needs a scalar or one value per unit, shape (3,), got"),
    ],
)
def test_what_is_no_leak_is_told_so(value, learned, sentence, says):
    with says(ValueError, sentence):
        leak(value, learned)


def test_a_traced_leak_is_looked_at_when_it_is_known(says):
    make = eqx.filter_jit(lambda value: leak(value).value)
    np.testing.assert_allclose(make(jnp.asarray(0.25)), 0.25, rtol=1e-6)
    with says(RuntimeError, "LIF: leak needs to be between 0 and 1, without either, to learn."):
        make(jnp.asarray(1.5))
