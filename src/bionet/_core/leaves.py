"""Leaves of a pytree: arrays of their own memory, plain numbers and back, marks of absent fields.

Random keys of the new style are leaves too.
"""

from __future__ import annotations

import copyreg
from typing import Any, final

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
    """Returns whether a leaf is a random key of the new style, which is no array of numbers."""
    return eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def as_numbers(leaf: Array) -> Array:
    """The leaf as an array of numbers."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def as_leaf(numbers: ArrayLike, like: Array) -> Array:
    """Turns what `as_numbers` made out of a leaf such as `like` into a leaf again.

    It is put together on the host, so that no device is committed to it: jit would compile
    anew for an array that belongs to one.
    """
    array = jnp.asarray(np.asarray(numbers))
    return (
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if is_key(like) else array
    )


@final
class _Probe(eqx.Module):
    """A module with a field that it does not hold.

    A class may declare a field that its instances do not hold: one with a default and no place in
    `__init__`, or an abstract one that a property fulfils. When such an object goes through
    `jax.tree.map` or `jit`, Equinox (0.13) writes one object, its mark for "absent", into it, and
    puts that mark into the tree structure, where it is compared by identity. `copy.deepcopy` and
    pickle made another mark, so a copy had another structure than the original, and no program
    that was compiled for the one took the other. `keep_mark` teaches both that there is one mark in
    each process.
    """

    absent: None = eqx.field(static=True, default=None, init=False)


def mark() -> Any:
    """Equinox's mark for an absent field in this process, or None where it uses none."""
    found = jax.tree.map(lambda leaf: leaf, _Probe()).__dict__.get("__qualname__")
    return found if type(found).__module__.startswith("equinox") else None


def keep_mark() -> None:
    """Makes `copy`, pickle and cloudpickle return the mark itself, and not a copy of it."""
    if (found := mark()) is not None:
        copyreg.pickle(type(found), _by_name)


def _by_name(_: Any) -> tuple[Any, tuple[()]]:
    return mark, ()
