"""Many members on one batch: in chunks, over several devices, and whatever their losses are.

A member is what a function makes of a row: of candidate weights, or of a number from which its
noise is drawn again. All members see the same batch and the same randomness, so that what
differs between two losses is the members alone.

With a chunk only so many members exist at a time; with a mesh each device works on its share of
them. Neither changes a number, but for the order in which a sum is added up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, PyTree


@final
class Population(eqx.Module):
    """A population: its size, and how its members are evaluated.

    Args:
        owner: the method, for the messages.
        size: how many members.
        chunk: how many of them exist at a time on a device; None is all.
        mesh: the devices that share them, in one row, as `batch_mesh` makes them.
        paired: whether two members at a time share their noise, one with the sign turned.

    Raises:
        TypeError: a population or chunk that is no int.
        ValueError: fewer members than two, a number of them that pairs, devices or chunks do
            not divide, a mesh with more axes than one.
    """

    size: int = eqx.field(static=True)
    chunk: int | None = eqx.field(static=True)
    mesh: Mesh | None = eqx.field(static=True)
    paired: bool = eqx.field(static=True)

    def __init__(
        self,
        owner: str,
        size: int,
        chunk: int | None = None,
        mesh: Mesh | None = None,
        *,
        paired: bool = False,
    ) -> None:
        self.size = _count(owner, "population", size, 2)
        self.chunk = None if chunk is None else _count(owner, "chunk", chunk, 1)
        self.mesh, self.paired = mesh, paired
        if paired and size % 2:
            raise ValueError(
                f"{owner}: antithetic members come in pairs, so population needs an even number, "
                f"got {size}; take {size + 1}, or antithetic=False."
            )
        if mesh is not None and len(mesh.axis_names) != 1:
            raise ValueError(
                f"{owner}: needs a mesh with one axis, got {mesh.axis_names}; make one by "
                "batch_mesh()."
            )
        self._check_shares(owner)

    def _check_shares(self, owner: str) -> None:
        devices = 1 if self.mesh is None else self.mesh.size
        each = 2 if self.paired else 1
        if self.size % (devices * each):
            raise ValueError(
                f"{owner}: {self.size} members can't be shared evenly by {devices} devices"
                f"{' in pairs' if self.paired else ''}; take a multiple of {devices * each}."
            )
        share = self.size // devices
        if self.chunk is not None and (share % self.chunk or self.chunk % each):
            raise ValueError(
                f"{owner}: chunk needs {'an even number' if self.paired else 'a number'} that "
                f"divides the {share} members of a device, got {self.chunk}."
            )

    @property
    def rows(self) -> int:
        """The number of rows: members, or pairs of them."""
        return self.size // (2 if self.paired else 1)

    def each(self, function: Callable[[PyTree], PyTree], rows: PyTree) -> PyTree:
        """Maps `function` over the rows.

        Args:
            function: of a chunk of rows; returns arrays with a row for each of them. It may use
                any array of its surroundings.
            rows: arrays with a leading axis of `self.rows`.
        """

        def share(rows: PyTree) -> PyTree:
            chunks = self._chunks(rows)
            if chunks is None:
                return function(rows)
            found = jax.lax.map(function, chunks)
            return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)

        return self._over_devices(share, PartitionSpec, rows)

    def total(self, function: Callable[[PyTree], PyTree], rows: PyTree) -> PyTree:
        """The sum of what `function` makes of the rows.

        Args:
            function: of a chunk of rows, whose part of the sum it returns.
            rows: arrays with a leading axis of `self.rows`.
        """

        def share(rows: PyTree) -> PyTree:
            chunks = self._chunks(rows)
            if chunks is None:
                return function(rows)
            like = jax.eval_shape(function, jax.tree.map(lambda leaf: leaf[0], chunks))
            nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)

            def add(sums: PyTree, chunk: PyTree) -> tuple[PyTree, None]:
                return jax.tree.map(jnp.add, sums, function(chunk)), None

            return jax.lax.scan(add, nothing, chunks)[0]

        def summed(rows: PyTree) -> PyTree:
            sums = share(rows)
            return sums if self.mesh is None else jax.lax.psum(sums, self.mesh.axis_names)

        return self._over_devices(summed, lambda axis: PartitionSpec(), rows)

    def _chunks(self, rows: PyTree) -> PyTree | None:
        """The rows of one device, a chunk in each; None if there is one chunk only."""
        if self.chunk is None:
            return None
        length = self.chunk // (2 if self.paired else 1)
        if length == jax.tree.leaves(rows)[0].shape[0]:
            return None
        return jax.tree.map(lambda leaf: leaf.reshape(-1, length, *leaf.shape[1:]), rows)

    def _over_devices(
        self,
        share: Callable[[PyTree], PyTree],
        cut: Callable[[str], PartitionSpec],
        rows: PyTree,
    ) -> PyTree:
        if self.mesh is None:
            return share(rows)
        (axis,) = self.mesh.axis_names
        spread = jax.shard_map(
            share,
            mesh=self.mesh,
            in_specs=PartitionSpec(axis),
            out_specs=cut(axis),
            check_vma=False,
        )
        return spread(rows)


def _count(owner: str, name: str, value: int, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{owner}: {name} needs an int, got {value!r}.") from None
    if number < least:
        raise ValueError(f"{owner}: {name} needs {least} or more, got {number}.")
    return number


# Losses: a member whose loss is no number has failed, and counts as the worst of the others.


def finite_losses(losses: Float[Array, "..."]) -> Float[Array, "..."]:
    """The losses, in which those that are not finite have become the worst of the finite ones.

    Where none is finite all are 0, so that no member is better than another.
    """
    losses = losses.astype(jnp.promote_types(losses.dtype, jnp.float32))
    finite = jnp.isfinite(losses)
    worst = jnp.where(finite, losses, -jnp.inf).max()
    return jnp.where(finite, losses, jnp.where(finite.any(), worst, 0.0))


def loss_metrics(losses: Float[Array, "..."]) -> dict[str, Array]:
    """Returns the metrics of a step: those of the losses of its members.

    `training_loss` is the mean over the members that have not failed and `best_loss` the least of
    theirs; `failed` counts the others, and `evaluations` all.
    """
    wide = losses.astype(jnp.promote_types(losses.dtype, jnp.float32))
    finite = jnp.isfinite(wide)
    return {
        "training_loss": jnp.mean(wide, where=finite),
        "best_loss": jnp.min(wide, where=finite, initial=jnp.inf),
        "failed": jnp.sum(~finite).astype(jnp.float32),
        "evaluations": jnp.asarray(losses.size, jnp.float32),
    }
