"""Sources of batches, in a form that one compiled epoch can draw from.

A batch source makes a `plan` for an epoch out of a key (an order of the samples, for
example) and then any `batch` of it by its index. Both are traced, so `fit` scans over
the indices and the data never leaves the device.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from bionet._core.leaves import own_array

Batch = tuple[Array, ...]


class AbstractBatches(eqx.Module):
    """A source of batches for `fit`: so many of them in an epoch, each made by its index."""

    num_batches: eqx.AbstractVar[int]

    @abc.abstractmethod
    def plan(self, key: PRNGKeyArray) -> PyTree:
        """Returns what an epoch needs to know before its first batch."""

    @abc.abstractmethod
    def batch(self, plan: PyTree, index: Int[Array, ""]) -> Batch:
        """Batch number `index` of the epoch with this plan."""


@final
class Examples(eqx.Module):
    """Inputs `x` and targets `y` of one split, a row per example, in memory of their own.

    Raises:
        ValueError: no examples, another number of targets than inputs, or values that are
            NaN or infinite.
    """

    x: Array = eqx.field(converter=own_array)
    y: Array = eqx.field(converter=own_array)

    def __check_init__(self) -> None:
        if self.x.ndim == 0 or self.y.ndim == 0 or len(self.x) != len(self.y):
            raise ValueError(
                f"Examples: x and y need one row per example each, got shapes "
                f"{self.x.shape} and {self.y.shape}."
            )
        if len(self.x) == 0:
            raise ValueError("Examples: there are none; a split needs one example at least.")
        for name, array in (("x", self.x), ("y", self.y)):
            if not np.isfinite(np.asarray(array)).all():
                raise ValueError(f"Examples: {name} holds NaN or infinity; clean the data first.")

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.x)


@final
class ArrayBatches(AbstractBatches):
    """Batches of examples that are held in memory, in a new order each epoch.

    The examples that are left over when the number is no multiple of the batch size wait
    for another epoch, whose order is another one.

    Args:
        examples: the training split.
        batch_size: examples per batch.
        shuffle: whether each epoch has an order of its own.

    Raises:
        ValueError: a batch size below 1 or above the number of examples.
    """

    examples: Examples
    batch_size: int = eqx.field(static=True)
    shuffle: bool = eqx.field(static=True)

    def __init__(self, examples: Examples, batch_size: int, *, shuffle: bool = True) -> None:
        if not 1 <= batch_size <= len(examples):
            raise ValueError(
                f"ArrayBatches: batch_size needs 1 to {len(examples)}, the number of examples, "
                f"got {batch_size}."
            )
        self.examples, self.batch_size, self.shuffle = examples, batch_size, shuffle

    @property
    def num_batches(self) -> int:
        """Full batches per epoch."""
        return len(self.examples) // self.batch_size

    def plan(self, key: PRNGKeyArray) -> Int[Array, " examples"]:
        """The order of the examples in an epoch."""
        n = len(self.examples)
        return jax.random.permutation(key, n) if self.shuffle else jnp.arange(n)

    def batch(self, plan: PyTree, index: Int[Array, ""]) -> Batch:
        """The examples at `batch_size` places of the order."""
        rows = jax.lax.dynamic_slice_in_dim(plan, index * self.batch_size, self.batch_size)
        return self.examples.x[rows], self.examples.y[rows]


@final
class GeneratedBatches(AbstractBatches):
    """Fresh batches, each made by a function of a key: data that never repeats.

    Args:
        make: a traceable function from a key to a batch.
        num_batches: how many make an epoch.
    """

    make: Callable[[PRNGKeyArray], Batch] = eqx.field(static=True)
    num_batches: int = eqx.field(static=True)

    def __init__(self, make: Callable[[PRNGKeyArray], Batch], num_batches: int) -> None:
        if num_batches < 1:
            raise ValueError(f"GeneratedBatches: num_batches needs 1 or more, got {num_batches}.")
        self.make, self.num_batches = make, num_batches

    def plan(self, key: PRNGKeyArray) -> PRNGKeyArray:
        """One key per batch."""
        return jax.random.split(key, self.num_batches)

    def batch(self, plan: PyTree, index: Int[Array, ""]) -> Batch:
        """The batch of one key."""
        return self.make(plan[index])


@final
class StackedBatches(AbstractBatches):
    """Batches that somebody else cut, a data loader for example, in an order of their own.

    Make one by `from_iterable`; it stacks one pass of the loader into one array per part.
    """

    parts: Batch
    shuffle: bool = eqx.field(static=True)

    def __init__(self, parts: Batch, *, shuffle: bool = True) -> None:
        self.parts, self.shuffle = tuple(map(own_array, parts)), shuffle

    @classmethod
    def from_iterable(cls, batches: Any, *, shuffle: bool = True) -> Self:
        """Stacks the batches of any iterable; all need the same shapes.

        Each batch is copied as it comes, so a loader may refill one buffer for all of them.

        Raises:
            ValueError: there are no batches, or their shapes differ.
        """
        rows = [tuple(map(own_array, batch)) for batch in batches]
        shapes = {tuple(np.shape(part) for part in row) for row in rows}
        if len(shapes) != 1:
            raise ValueError(
                f"StackedBatches: needs batches of one shape, got {len(shapes)} different ones "
                f"among {len(rows)} batches; drop the incomplete last one."
            )
        return cls(tuple(map(jnp.stack, zip(*rows, strict=True))), shuffle=shuffle)

    @property
    def num_batches(self) -> int:
        """Batches per epoch."""
        return len(self.parts[0])

    def plan(self, key: PRNGKeyArray) -> Int[Array, " batches"]:
        """The order of the batches in an epoch."""
        n = self.num_batches
        return jax.random.permutation(key, n) if self.shuffle else jnp.arange(n)

    def batch(self, plan: PyTree, index: Int[Array, ""]) -> Batch:
        """One of the stacked batches."""
        return tuple(part[plan[index]] for part in self.parts)
