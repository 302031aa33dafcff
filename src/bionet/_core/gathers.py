"""Products with a sparse matrix that has the same number of entries in each of its rows.

The matrix is two arrays, `indices` and `values`, of shape (rows, entries): row k has
`values[k, e]` in column `indices[k, e]`. Both products here gather the columns that a row
needs out of `x.T`, whose rows are contiguous over the batch, so each index costs one
short run of memory for the whole batch. What is gathered is `entries` times larger than
the result. It is made a block of rows at a time, small enough for a processor's cache,
and never as a whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# Gathered numbers per block: a quarter of a MiB in single precision. A GPU has no such cache,
# and wants few large blocks.
_CACHE, _LARGE = 2**16, 2**26


@jax.jit
def gathered_product(
    x: Float[Array, "n columns"],
    indices: Int[Array, "rows entries"],
    values: Float[Array, "rows entries"],
) -> Float[Array, "n rows"]:
    """`x @ A.T` for the sparse matrix A: entry (s, k) sums `values[k] * x[s, indices[k]]`."""

    def block(gathered: Array, values: Array) -> Array:
        return jnp.einsum("ke,ken->nk", values, gathered)

    return _by_blocks(block, 1, x, indices, values)


@jax.jit
def gathered_outer(
    x: Float[Array, "n columns"],
    indices: Int[Array, "rows entries"],
    y: Float[Array, "n rows"],
) -> Float[Array, "rows entries"]:
    """`y.T @ x` at the entries of the sparse matrix alone: `sum_s y[s, k] * x[s, indices[k]]`."""

    def block(gathered: Array, y: Array) -> Array:
        return jnp.einsum("ken,kn->ke", gathered, y)

    return _by_blocks(block, 0, x, indices, y.T)


def _by_blocks(block: Callable, axis: int, x: Array, indices: Array, factors: Array) -> Array:
    """`block` of the gathered senders and the factors of some rows, for all rows along `axis`."""
    run = functools.partial(_blocks_of, block, axis)
    return jax.lax.platform_dependent(
        x,
        indices,
        factors,
        cpu=functools.partial(run, _CACHE),
        default=functools.partial(run, _LARGE),
    )


def _blocks_of(
    block: Callable, axis: int, cache: int, x: Array, indices: Array, factors: Array
) -> Array:
    sent, (rows, entries) = x.T, indices.shape

    def one(arrays: tuple[Array, Array]) -> Array:
        at, factors = arrays
        gathered = sent.at[at].get(mode="promise_in_bounds", wrap_negative_indices=False)
        return block(gathered, factors)

    size = block_size(rows, entries * x.shape[0], cache)
    whole = rows - rows % size
    stacks = (array[:whole].reshape(-1, size, array.shape[1]) for array in (indices, factors))
    done = jnp.moveaxis(jax.lax.map(one, tuple(stacks)), 0, axis)
    done = jax.lax.collapse(done, axis, axis + 2)
    if whole == rows:
        return done
    return jnp.concatenate([done, one((indices[whole:], factors[whole:]))], axis)


def block_size(rows: int, per_row: int, cache: int) -> int:
    """How many rows to take at once, so that a block gathers about `cache` numbers.

    A divisor of `rows` if there is one near, because a remainder is a second program and
    costs a copy of the arrays. At least 16, because each block costs a few microseconds.
    """
    most = min(rows, max(16, cache // per_row))
    for size in range(most, most // 2, -1):
        if rows % size == 0:
            return size
    return most
