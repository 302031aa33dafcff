"""The noise of one member: two thin factors for a matrix, one number per entry for the rest.

A matrix (m, n) is perturbed by `A @ B.T / sqrt(rank)` with Gaussian A (m, rank) and B (n, rank):
`rank * (m + n)` numbers in place of `m * n`, and every entry has the variance 1 as before. A leaf
of more axes, a convolution's kernel say, counts as the matrix whose two sides are most alike in
length. Vectors, single numbers, and matrices that two factors would not make smaller get full
noise.

All noise of a member is drawn at once from one key, so it can be drawn again instead of kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, DTypeLike, Float, Int, PRNGKeyArray, PyTree

from bionet.kernels.low_rank import LowRank
from bionet.modules.trained import partition_trained
from bionet.training.zeroth_order.trained_vector import leaf_masks

Noise = Array | tuple[Array, Array]


@final
class NoiseOf(eqx.Module):
    """Draws, applies and sums up the noise of one leaf.

    Args:
        leaf: gives shape and dtype.
        rank: of the factors.
        mask: True, or a boolean array of the entries that are perturbed and learn.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    sides: tuple[int, int] | None = eqx.field(static=True)
    rank: int = eqx.field(static=True)
    mask: bool | Array

    def __init__(self, leaf: Array, rank: int, mask: bool | Array = True) -> None:
        self.shape, self.rank, self.mask = leaf.shape, rank, mask
        sides = _sides(leaf.shape)
        self.sides = sides if rank * sum(sides) < leaf.size else None

    @property
    def numbers(self) -> int:
        """The number of numbers that are drawn."""
        return math.prod(self.shape) if self.sides is None else self.rank * sum(self.sides)

    def cut(self, drawn: Float[Array, " numbers"]) -> Noise:
        """The drawn numbers as one array of noise, or as two factors."""
        if self.sides is None:
            return drawn.reshape(self.shape)
        left, right = jnp.split(drawn, [self.sides[0] * self.rank])
        return left.reshape(-1, self.rank), right.reshape(-1, self.rank)

    def add(self, leaf: Array, noise: Noise, sigma: Float[Array, ""]) -> Array | LowRank:
        """The leaf of a member; a whole matrix stays in two thin factors."""
        if not isinstance(noise, tuple):
            change = sigma * noise
        else:
            scale = sigma / math.sqrt(self.rank)
            if leaf.ndim == 2 and self.mask is True:
                return LowRank(leaf, *noise, scale)
            change = scale * (noise[0] @ noise[1].T).reshape(self.shape)
        return leaf + self._mask(change).astype(leaf.dtype)

    def total(self, noise: Noise, weights: Float[Array, " members"]) -> Array:
        """The sum of many members' noise, each times its weight: one product of two matrices."""
        if not isinstance(noise, tuple):
            return jnp.tensordot(weights, noise, 1)
        left, right = noise
        sums = jnp.einsum("imr,inr->mn", left * weights[:, None, None], right)
        return sums.reshape(self.shape) / math.sqrt(self.rank)

    def learned(self, sums: Array, dtype: DTypeLike) -> Array:
        """Turns the sum over all members into an estimate: zero where nothing may learn."""
        return self._mask(sums).astype(dtype)

    def _mask(self, change: Array) -> Array:
        return change if self.mask is True else jnp.where(self.mask, change, 0.0)


@final
class NoiseOfModel(eqx.Module):
    """The noise of all trained leaves of a model.

    Args:
        model: the mean of the population.
        rank: of the factors.
    """

    learning: PyTree
    kinds: tuple[NoiseOf, ...]

    def __init__(self, model: PyTree, rank: int) -> None:
        self.learning, _ = partition_trained(model)
        pairs = zip(jax.tree.leaves(self.learning), leaf_masks(model), strict=True)
        self.kinds = tuple(NoiseOf(leaf, rank, mask) for leaf, mask in pairs)

    @property
    def dtype(self) -> DTypeLike:
        """In which all noise is drawn: single precision, or the widest of the leaves."""
        return jnp.result_type(jnp.float32, *jax.tree.leaves(self.learning))

    def draw(self, key: PRNGKeyArray, rows: Int[Array, " rows"]) -> list[Noise]:
        """The noise of some members, with their axis in front, for each leaf."""
        return draw(self.kinds, key, rows, self.dtype)

    def member(self, noise: list[Noise], sigma: Float[Array, ""]) -> PyTree:
        """The trained leaves of a member, some of them of type `LowRank`."""
        leaves, structure = jax.tree.flatten(self.learning)
        parts = zip(self.kinds, leaves, noise, strict=True)
        sigma = sigma.astype(self.dtype)
        return jax.tree.unflatten(structure, [kind.add(leaf, n, sigma) for kind, leaf, n in parts])

    def total(self, noise: list[Noise], weights: Float[Array, " members"]) -> list[Array]:
        """The sum of many members' noise, each times its weight, for each leaf."""
        weights = weights.astype(self.dtype)
        return [kind.total(n, weights) for kind, n in zip(self.kinds, noise, strict=True)]

    def learned(self, sums: list[Array]) -> PyTree:
        """Turns sums over all members into a tree like the trained leaves."""
        leaves, structure = jax.tree.flatten(self.learning)
        parts = zip(self.kinds, sums, leaves, strict=True)
        return jax.tree.unflatten(structure, [k.learned(one, leaf.dtype) for k, one, leaf in parts])


def draw(
    kinds: Sequence[NoiseOf], key: PRNGKeyArray, rows: Int[Array, " rows"], dtype: DTypeLike
) -> list[Noise]:
    """The noise of some members for each leaf; a row's number and the key say what it is."""
    numbers = [kind.numbers for kind in kinds]

    def one(row: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(key, row), (sum(numbers),), dtype)

    # A loop's results are written to memory. Otherwise the compiler would make each number anew
    # from its random bits wherever it is used, once for each sample of the batch.
    drawn = jax.lax.map(one, rows, batch_size=max(1, len(rows) // 2))
    parts = jnp.split(drawn, list(itertools.accumulate(numbers))[:-1], axis=1)
    return [jax.vmap(kind.cut)(part) for kind, part in zip(kinds, parts, strict=True)]


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a leaf as a matrix, as like in length as its axes allow."""
    cuts = [(math.prod(shape[:i]), math.prod(shape[i:])) for i in range(1, len(shape))]
    return min(cuts, key=sum) if cuts else (1, math.prod(shape))
