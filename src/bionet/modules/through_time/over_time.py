"""Running a cell through time: a whole sequence in one compiled loop.

Only the cell's state is carried from step to step. What does not depend on it is done for all
steps at once by cells that know how (`bionet.modules.through_time.cells.AbstractSequenceCell`): the
product of inputs and weights, or a whole linear recurrence.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from bionet._core.leaves import own_array
from bionet.modules.through_time.cells import AbstractCell, State, scan_cell


def over_time(
    cell: Any, xs: PyTree, state: State = None, *, time_axis: int = 0, unroll: int = 1
) -> tuple[PyTree, State]:
    """Runs a cell over a sequence.

    Args:
        cell: an `AbstractCell`, or any pure function `(x, state) -> (y, state)`.
        xs: the inputs, an array or a tree of arrays. For an `AbstractCell` the last axis is the
            unit, `time_axis` is time and all others are a batch.
        state: before the first step; None is the cell's own beginning.
        time_axis: which axis of every array in `xs` is time. With 0 a step lies in one piece,
            and nothing is copied.
        unroll: steps per turn of the compiled loop. More rarely helps on a CPU.

    Returns:
        The answers, with time on the same axis, and the state after the last step.

    Raises:
        ValueError: no state for a cell that has no beginning of its own; a sequence without a
            step; inputs that are not as wide as the cell expects; a state for another batch.

    Example:
        ```python
        import jax
        from bionet.modules import LIF, over_time

        currents = 0.3 * jax.random.uniform(jax.random.key(0), (20, 4, 5))
        spikes, voltage = over_time(LIF(5), currents)
        print(spikes.shape, voltage.shape)
        ```
    """
    xs = jax.tree.map(lambda x: jnp.moveaxis(own_array(x), time_axis, 0), xs)
    if any(len(x) == 0 for x in jax.tree.leaves(xs)):
        raise ValueError("over_time: needs one time step at least, got none.")
    if isinstance(cell, AbstractCell):
        state = _begun(cell, xs, state)
    elif state is None:
        raise ValueError(
            f"over_time: a cell of type {type(cell).__name__} does not say how it begins. Pass "
            "its state, or make it an AbstractCell with the method `initial`."
        )
    ys, state = scan_cell(cell, xs, state, unroll=unroll)
    return jax.tree.map(lambda y: jnp.moveaxis(y, 0, time_axis), ys), state


def _begun(cell: AbstractCell, xs: Any, state: State) -> State:
    """The state to begin with, if it and the inputs fit the cell."""
    name = type(cell).__name__
    if xs.ndim < 2 or xs.shape[-1] != cell.in_features:
        raise ValueError(
            f"over_time: {name} expects inputs of shape (time, ..., {cell.in_features}), got "
            f"{xs.shape}."
        )
    blank = jax.eval_shape(lambda: cell.initial(xs.shape[1:-1]))
    if state is None:
        return cell.initial(xs.shape[1:-1])
    wanted, got = (jax.tree.map(jnp.shape, one) for one in (blank, state))
    if wanted != got:
        raise ValueError(
            f"over_time: a state of {name} for inputs of shape {xs.shape} has the shapes "
            f"{wanted}, got {got}. Begin with `cell.initial({xs.shape[1:-1]})`."
        )
    return state
