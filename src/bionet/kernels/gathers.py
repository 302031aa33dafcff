"""Products with a sparse matrix that has the same number of entries in each of its rows.

The matrix is two arrays, `indices` and `values`, of shape (rows, entries): row k has
`values[k, e]` in column `indices[k, e]`. Both products here gather the columns that a row
needs out of `x.T`, whose rows are contiguous over the batch, so each index costs one
short run of memory for the whole batch. What is gathered is `entries` times larger than
the result. On a CPU it is made a block of rows and sixteen samples at a time, which stays
in the cache, and never as a whole; elsewhere the compiler may fuse the gather into the sum.

Halves are widened first, because a CPU gathers them one by one, and for the sum's sake.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# Per block: a quarter of a MiB in single precision, half of a usual cache. More samples than
# this at a time take up to three times as long for each, because they fall out of it.
_NUMBERS, _SAMPLES = 2**16, 16


@jax.jit
def gather_product(
    x: Float[Array, "n columns"],
    indices: Int[Array, "rows entries"],
    values: Float[Array, "rows entries"],
) -> Float[Array, "n rows"]:
    """`x @ A.T` for the sparse matrix A: entry (s, k) sums `values[k] * x[s, indices[k]]`."""
    found = jax.lax.platform_dependent(
        _wide(x), indices, _wide(values), cpu=product_by_blocks, default=product_at_once
    )
    return found.astype(values.dtype)


@jax.jit
def gather_outer(
    x: Float[Array, "n columns"],
    indices: Int[Array, "rows entries"],
    y: Float[Array, "n rows"],
) -> Float[Array, "rows entries"]:
    """`y.T @ x` at the entries of the sparse matrix alone: `sum_s y[s, k] * x[s, indices[k]]`."""
    found = jax.lax.platform_dependent(
        _wide(x), indices, _wide(y), cpu=outer_by_blocks, default=outer_at_once
    )
    return found.astype(y.dtype)


def product_at_once(x: Array, indices: Array, values: Array) -> Array:
    """The product in one expression; what is gathered exists only if it is not fused away."""
    return (_gather(x.T, indices) * values[..., None]).sum(1).T


def outer_at_once(x: Array, indices: Array, y: Array) -> Array:
    """The outer product in one expression."""
    return (_gather(x.T, indices) * y.T[:, None]).sum(2)


def product_by_blocks(x: Array, indices: Array, values: Array) -> Array:
    """The product, a block of rows and some samples at a time."""

    def of_samples(x: Array) -> Array:
        sent, (rows, entries) = x.T, indices.shape
        size = block_size(rows, entries, len(x))

        def of_rows(indices: Array, values: Array) -> Array:
            return jnp.einsum("ke,ken->nk", values, _gather(sent, indices))

        return _in_pieces(of_rows, size, 1, indices, values)

    return _in_pieces(of_samples, _SAMPLES, 0, x)


def outer_by_blocks(x: Array, indices: Array, y: Array) -> Array:
    """The outer product, a block of rows and some samples at a time."""

    def of_samples(x: Array, y: Array) -> Array:
        sent, (rows, entries) = x.T, indices.shape
        size = block_size(rows, entries, len(x))

        def of_rows(indices: Array, y: Array) -> Array:
            return jnp.einsum("ken,kn->ke", _gather(sent, indices), y)

        return _in_pieces(of_rows, size, 0, indices, y.T)

    def add(total: Array, some: tuple[Array, Array]) -> tuple[Array, None]:
        return total + of_samples(*some), None

    first = len(x) % _SAMPLES or min(_SAMPLES, len(x))
    total = of_samples(x[:first], y[:first])
    if first == len(x):
        return total
    xs, ys = (array[first:].reshape(-1, _SAMPLES, array.shape[1]) for array in (x, y))
    return jax.lax.scan(add, total, (xs, ys))[0]


def _in_pieces(run: Callable[..., Array], size: int, axis: int, *arrays: Array) -> Array:
    """`run` on `size` rows of `arrays` at a time, what it makes put together along `axis`."""
    rows = len(arrays[0])
    if rows <= size:
        return run(*arrays)
    whole = rows - rows % size
    stacks = tuple(array[:whole].reshape(-1, size, array.shape[1]) for array in arrays)
    done = jnp.moveaxis(jax.lax.map(lambda piece: run(*piece), stacks), 0, axis)
    done = jax.lax.collapse(done, axis, axis + 2)
    if whole == rows:
        return done
    return jnp.concatenate([done, run(*(array[whole:] for array in arrays))], axis)


def block_size(rows: int, entries: int, samples: int) -> int:
    """Returns the number of rows to gather at once.

    A divisor of `rows` if there is one near, because a remainder is a second program and
    costs a copy of the arrays. At least 16, because each block costs some microseconds.
    """
    most = min(rows, max(16, _NUMBERS // (entries * samples)))
    for size in range(most, most // 2, -1):
        if rows % size == 0:
            return size
    return most


def _gather(sent: Array, indices: Array) -> Array:
    # Who made the indices made them valid; a clamp, or a wrap, of each would be for nothing.
    return sent.at[indices].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _wide(array: Array) -> Array:
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
