"""Gaussian noise by rows, where a key and the number of a row say what is in it.

The generator is Threefry, the one that JAX uses. JAX runs its rounds as a loop through memory
on a CPU, which keeps compilation short where a program draws at many places. A hybrid draws at
one place, and as many numbers as all its perturbed models have weights. Here the rounds are
written out, so that the compiler makes one pass of them, in about half of the time.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike, Float, Int, PRNGKeyArray, UInt32

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_GROUPS = 5  # of four rounds each

Word = UInt32[Array, "..."]


def gaussian_rows(
    key: PRNGKeyArray, rows: Int[Array, " rows"], size: int, dtype: DTypeLike
) -> Float[Array, "rows {size}"]:
    """A row of `size` numbers from N(0, 1) for each number in `rows`.

    Args:
        key: of either style.
        rows: numbers from 0 on; a row is the same whatever the others are.
        size: how many numbers each.
        dtype: float32 or float64.

    Source:
        Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Words become
        Gaussian by the inverse of their distribution function.
    """
    words = jax.random.key_data(key).ravel()
    columns = jnp.arange((size + 1) // 2, dtype=jnp.uint32)
    counters = jnp.broadcast_arrays(columns, rows.astype(jnp.uint32)[:, None])
    halves = threefry((words[0], words[1]), (counters[0], counters[1]))
    bits = jnp.concatenate(halves, axis=1)[:, :size]
    return math.sqrt(2.0) * jax.lax.erf_inv(_between(bits, dtype))


def threefry(key: tuple[Word, Word], counter: tuple[Word, Word]) -> tuple[Word, Word]:
    """Two random words for each counter of two words: Threefry-2x32 with twenty rounds."""
    keys = (*key, key[0] ^ key[1] ^ _PARITY)
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(_GROUPS):
        for distance in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << np.uint32(distance)) | (y >> np.uint32(32 - distance)))
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def _between(bits: Word, dtype: DTypeLike) -> Float[Array, "..."]:
    """Numbers spread evenly, and symmetrically, over the open interval from -1 to 1."""
    if jnp.dtype(dtype) == jnp.float64:
        return (bits.astype(dtype) + 0.5) * 2.0**-31 - 1.0
    # An odd number of 24 bits, so that none is 0 and -1 is as far as 1 is. Integers, because a
    # compiler may add up constants of floating point and lose the small one.
    odd = ((bits >> np.uint32(8)) | np.uint32(1)).astype(jnp.int32) - np.int32(2**23)
    return odd.astype(dtype) * 2.0**-23
