"""Leaves as numbers and back: arrays as they are, and random keys of both styles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet._core.leaves import as_leaf, as_numbers, is_key


@pytest.mark.parametrize(
    "leaf",
    [jnp.arange(3.0), jax.random.PRNGKey(1), jax.random.key(1), jax.random.key(1, impl="rbg")],
    ids=["array", "old key", "new key", "another kind of key"],
)
def test_there_and_back(leaf):
    kept = np.array(as_numbers(leaf))
    back = as_leaf(kept, leaf)
    assert (back.dtype, back.shape) == (leaf.dtype, leaf.shape)
    assert np.array_equal(as_numbers(back), kept)
    assert is_key(leaf) == jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def test_what_is_no_array_is_no_key():
    assert not is_key(3)
