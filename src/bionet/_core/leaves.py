"""Leaves of a pytree: arrays of their own memory, and as plain numbers and back.

Random keys of the new style are leaves too.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, DTypeLike

from bionet._core.ownership import is_unwritable


def own_array(value: Any, dtype: DTypeLike | None = None) -> Array:
    """`value` as an array that does not change when the caller writes to what was given.

    On a CPU, `jnp.asarray` may take the memory of a NumPy array as it is, and a program that is
    still waiting to run may read it later. JAX arrays never change, and are returned as they are.
    """
    if hasattr(value, "__array__") and not isinstance(value, jax.Array | np.generic):
        value = value if is_unwritable(value) else np.array(value)
    return jnp.asarray(value, dtype)


def known_array(value: Any, dtype: DTypeLike | None = None) -> Array:
    """`own_array`, which stays a known number inside a trace, unless it is traced itself."""
    if isinstance(value, Tracer):
        return own_array(value, dtype)
    with jax.ensure_compile_time_eval():
        return own_array(value, dtype)


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
