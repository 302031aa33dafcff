"""Leaves of a pytree as plain numbers and back, random keys of the new style included."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike


def is_key(leaf: Any) -> bool:
    """Whether a leaf is a random key of the new style, which is no array of numbers."""
    return eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def as_numbers(leaf: Array) -> Array:
    """The leaf as an array of numbers."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def as_leaf(numbers: ArrayLike, like: Array) -> Array:
    """What `as_numbers` made out of a leaf such as `like`, as a leaf again.

    It is put together on the host, so that no device is committed to it: jit would compile
    anew for an array that belongs to one.
    """
    array = jnp.asarray(np.asarray(numbers))
    return (
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if is_key(like) else array
    )
