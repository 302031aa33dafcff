"""Cells: networks that take one time step at a call, `(x, state) -> (y, state)`.

A cell keeps nothing to itself. What it remembers comes in and goes out as its state, so a cell
is a pure function: `over_time` scans it, methods vary its weights, `vmap` runs many of it. It is
no edge of a layer map and has no local rule; gradients, evolution and hybrids train it. As a
module does, it names the leaves that learn, so that thresholds and slopes are left alone.

The last axis of an input is the unit, and any axes before it are a batch.
"""

from __future__ import annotations

import abc
import itertools
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, DTypeLike, Float, PRNGKeyArray

from bionet.kernels.products import few_by_many
from bionet.modules.parameters import gaussian, width
from bionet.modules.trained import common_trained

State = Any
Shape = int | tuple[int, ...]


class AbstractCell(eqx.Module):
    """One time step of a network."""

    in_features: eqx.AbstractVar[int]
    """The number of units that it listens to."""
    features: eqx.AbstractVar[int]
    """The number of units that it has."""

    @abc.abstractmethod
    def __call__(
        self, x: Float[Array, "*batch inputs"], state: State
    ) -> tuple[Float[Array, "*batch units"], State]:
        """The answer to the input `x`, and the state after it."""

    @abc.abstractmethod
    def initial(self, batch_shape: Shape = ()) -> State:
        """The state before the first step.

        Args:
            batch_shape: the axes of an input before its last one.
        """

    @abc.abstractmethod
    def trained(self) -> dict[str, bool | Bool[Array, "..."]]:
        """The names of the leaves that learn: True, or which of their entries do."""


class AbstractSequenceCell(AbstractCell):
    """A cell that knows a faster way through a whole sequence than one step after the other."""

    @abc.abstractmethod
    def over_time(
        self, xs: Float[Array, "time *batch inputs"], state: State, *, unroll: int = 1
    ) -> tuple[Float[Array, "time *batch units"], State]:
        """All answers, and the state after the last step; what scanning the cell would give."""


@final
class Synapses(AbstractSequenceCell):
    """Weights between two cells: `x @ W + bias`. They remember nothing; their state is `()`.

    Args:
        in_features: units that send.
        features: units that receive.
        key: of the weights, `W ~ strength * N(0, 1) / sqrt(in_features)`; the bias begins at 0.
        strength: the scale of the weights.
        bias: whether there is one.
        dtype: of weights and bias.

    Raises:
        ValueError: a width that is no positive int.
    """

    W: Float[Array, "inputs units"]
    bias: Float[Array, " units"] | None
    in_features: int = eqx.field(static=True)
    features: int = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        features: int,
        key: PRNGKeyArray,
        *,
        strength: ArrayLike = 1.0,
        bias: bool = True,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        self.in_features = width("Synapses", "in_features", in_features)
        self.features = width("Synapses", "features", features)
        self.W = gaussian(key, self.in_features, self.features, strength, dtype)
        self.bias = jnp.zeros(self.features, dtype) if bias else None

    def __call__(
        self, x: Float[Array, "*batch inputs"], state: tuple[()] = ()
    ) -> tuple[Float[Array, "*batch units"], tuple[()]]:
        """The currents that `x` makes, and the empty state."""
        current = few_by_many(x, self.W)
        return (current if self.bias is None else current + self.bias), state

    def over_time(
        self, xs: Float[Array, "time *batch inputs"], state: tuple[()] = (), *, unroll: int = 1
    ) -> tuple[Float[Array, "time *batch units"], tuple[()]]:
        """The currents of all time steps, in one product."""
        return self(xs, state)

    def initial(self, batch_shape: Shape = ()) -> tuple[()]:
        """The empty state."""
        return ()

    def trained(self) -> dict[str, bool | Array]:
        """The weights learn, and the bias where there is one."""
        return {"W": True} if self.bias is None else {"W": True, "bias": True}


@final
class CellChain(AbstractSequenceCell):
    """Cells one after the other, as one cell: each hears the one before it, in the same step.

    Args:
        cells: at least one, from the input to the output. Its state is a tuple of theirs.

    Raises:
        ValueError: no cell at all; a cell that is as wide as the next one does not expect; one
            cell in two places that learns, as two copies would part.
        TypeError: something that is no cell.

    Example:
        ```python
        import jax
        from bionet.modules import LIF, CellChain, LeakyIntegrator, RecurrentSpiking, Synapses
        from bionet.modules import over_time

        first, second = jax.random.split(jax.random.key(0))
        network = CellChain(
            RecurrentSpiking(20, 32, LIF(32), first), Synapses(32, 3, second), LeakyIntegrator(3)
        )
        xs = jax.random.bernoulli(first, 0.2, (50, 8, 20)).astype("float32")
        voltages, state = over_time(network, xs)
        print(voltages.shape)
        ```
    """

    cells: tuple[AbstractCell, ...]

    def __init__(self, *cells: AbstractCell) -> None:
        if not cells:
            raise ValueError("CellChain: needs one cell at least, got none.")
        for i, cell in enumerate(cells):
            if not isinstance(cell, AbstractCell):
                raise TypeError(
                    f"CellChain: cell {i} needs to be an AbstractCell, got {type(cell).__name__}."
                )
            if i and cells[i - 1].features != cell.in_features:
                raise ValueError(
                    f"CellChain: cell {i}, a {type(cell).__name__}, expects {cell.in_features} "
                    f"units, but cell {i - 1}, a {type(cells[i - 1]).__name__}, has "
                    f"{cells[i - 1].features}."
                )
        _check_own_cells(cells)
        self.cells = cells

    @property
    def in_features(self) -> int:
        """The number of units that the first cell listens to."""
        return self.cells[0].in_features

    @property
    def features(self) -> int:
        """The number of units of the last cell."""
        return self.cells[-1].features

    def __call__(
        self, x: Float[Array, "*batch inputs"], state: tuple[State, ...]
    ) -> tuple[Float[Array, "*batch units"], tuple[State, ...]]:
        """One step of all cells, in their order."""
        after = []
        for cell, before in zip(self.cells, state, strict=True):
            x, kept = cell(x, before)
            after.append(kept)
        return x, tuple(after)

    def over_time(
        self, xs: Float[Array, "time *batch inputs"], state: tuple[State, ...], *, unroll: int = 1
    ) -> tuple[Float[Array, "time *batch units"], tuple[State, ...]]:
        """The whole sequence through the first cell, then all of its answers through the next."""
        after = []
        for cell, before in zip(self.cells, state, strict=True):
            xs, kept = scan_cell(cell, xs, before, unroll=unroll)
            after.append(kept)
        return xs, tuple(after)

    def initial(self, batch_shape: Shape = ()) -> tuple[State, ...]:
        """The states of all cells before the first step."""
        return tuple(cell.initial(batch_shape) for cell in self.cells)

    def trained(self) -> dict[str, bool | Array]:
        """Returns the trained leaves of each cell."""
        return {"cells": True}


def _check_own_cells(cells: tuple[AbstractCell, ...]) -> None:
    for (i, one), (j, other) in itertools.combinations(enumerate(cells), 2):
        if common_trained(one, other):
            raise ValueError(
                f"CellChain: cell {j} learns in the very arrays of cell {i}, and as two copies "
                f"they would part as they learn; make a cell of its own there."
            )


def scan_cell(cell: Any, xs: Any, state: State, *, unroll: int = 1) -> tuple[Any, State]:
    """Runs a cell over the leading axis of `xs`, by its own way through a sequence if it has one.

    Args:
        cell: any `(x, state) -> (y, state)`.
        xs: one array, or a tree of arrays, whose leading axis is time.
        state: before the first step.
        unroll: steps per turn of the compiled loop.
    """
    if isinstance(cell, AbstractSequenceCell):
        return cell.over_time(xs, state, unroll=unroll)

    def step(state: State, x: Any) -> tuple[State, Any]:
        y, state = cell(x, state)
        return state, y

    state, ys = jax.lax.scan(step, state, xs, unroll=unroll)
    return ys, state


def batch_axes(shape: Shape) -> tuple[int, ...]:
    """A batch shape as a tuple; an int is a single axis."""
    return (shape,) if isinstance(shape, int) else tuple(shape)
