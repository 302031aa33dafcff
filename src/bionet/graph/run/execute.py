"""Runs one slot: shows the node its inputs, and keeps what it makes of them.

A slot that does not run in this pass computes all the same, see `bionet.graph.run.idle`; what it
made is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from bionet.graph.node import BaseNode
from bionet.graph.run.columns import Rows, Slot
from bionet.graph.run.idle import Made, Step
from bionet.graph.run.records import write_record
from bionet.graph.state import GraphState, InputState, StepState


def step_state(
    graph_state: GraphState, slot: Slot, rows: Rows, data: Mapping[str, PyTree[Array]]
) -> StepState:
    """Makes the `StepState` that a node's step is given in a slot.

    Args:
        graph_state: with the node's parameters and state.
        slot: the slot.
        rows: what the tables say of this pass.
        data: by the input's name, the messages of the window.
    """
    (seq,), (ts,) = rows.numbers[slot.seq], rows.times[slot.ts]
    inputs = {
        name: InputState(
            rows.numbers[seen.seq], rows.times[seen.ts_sent], rows.times[seen.ts_recv], data[name]
        )
        for name, seen in slot.seen.items()
    }
    return StepState(
        rng=jax.random.fold_in(graph_state.rng[slot.kind], seq),
        seq=seq,
        ts=ts,
        params=graph_state.params[slot.kind],
        state=graph_state.state[slot.kind],
        inputs=inputs,
        eps=graph_state.eps,
    )


def step_of(graph_state: GraphState, node: BaseNode) -> Step:
    """The step of a node for one program, which makes things of the shapes in the graph state."""
    begun = graph_state.buffer[node.name]

    def take(given: StepState) -> Made:
        return check_step(node.name, given, _pair(node.name, node.step(given)), begun)

    return Step(node, take, jax.tree.map(lambda leaf: leaf[-1], begun))


def check_step(
    name: str, before: StepState, made: tuple[StepState, PyTree], begun: PyTree[Array]
) -> Made:
    """Returns the result of a step, or raises an error that says how it differs from the first one.

    Args:
        name: the node's name.
        before: what the step was given.
        made: what it returned.
        begun: the node's buffer, with outputs along a leading axis.

    Raises:
        ValueError: a state, parameters or an output of another shape or dtype.
    """
    after, output = made
    row = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), begun)
    return Made(
        output=_alike(name, "output", row, output),
        state=_alike(name, "state", before.state, after.state),
        params=_alike(name, "params", before.params, after.params),
    )


def _pair(name: str, made: Any) -> tuple[StepState, PyTree]:
    """Checks that a step has returned `(step_state, output)`."""
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], StepState)):
        parts = made if isinstance(made, tuple) else (made,)
        raise TypeError(
            f"Node {name!r}: step needs to return a step state and an output, got "
            f"{' and '.join(type(part).__name__ for part in parts)}."
        )
    return made


def keep_step(
    graph_state: GraphState,
    name: str,
    before: StepState,
    made: Made,
    run: Bool[Array, ""] | None,
    awake: Bool[Array, ""] | None = None,
) -> GraphState:
    """The graph state with a node's state, parameters and record after a slot, if it ran.

    Args:
        graph_state: before the slot.
        name: the node's name.
        before: what the step was given.
        made: what it made. The output goes into the record; the buffer stays as it is.
        run: whether the slot ran; None if it always does.
        awake: whether the whole pass ran. This holds for the record alone, as everything else is
            put back at the end of the pass.
    """
    changed = {}
    for field, old, new in (
        ("state", before.state, made.state),
        ("params", before.params, made.params),
    ):
        if new is not old:
            changed[field] = getattr(graph_state, field) | {name: select(run, new, old)}
    if "record" in graph_state.aux:
        record = graph_state.aux["record"]
        record = record | {name: write_record(record[name], before, made.output, both(run, awake))}
        changed["aux"] = graph_state.aux | {"record": record}
    return graph_state.replace(**changed) if changed else graph_state


def select(run: Bool[Array, ""] | None, new: PyTree, old: PyTree) -> PyTree:
    """The new tree if it ran, else the old one."""
    if run is None:
        return new
    return jax.tree.map(lambda a, b: b if a is b else jnp.where(run, a, b), new, old)


def both(first: Bool[Array, ""] | None, second: Bool[Array, ""] | None) -> Bool[Array, ""] | None:
    """Returns whether both hold; None always holds."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def _alike(name: str, field: str, expected: PyTree, found: PyTree) -> PyTree:
    """The tree, or an error that says how it differs from what the node began with."""
    before, after = jax.tree.flatten(expected), jax.tree.flatten(found)
    if before[1] != after[1]:
        raise ValueError(
            f"Node {name!r}: step returned {field} of the structure {after[1]}, but it began with "
            f"{before[1]}."
        )
    return before[1].unflatten(
        [_leaf_alike(name, field, a, b) for a, b in zip(before[0], after[0], strict=True)]
    )


def _leaf_alike(name: str, field: str, expected: Any, found: Any) -> Array:
    if found is expected:
        return found
    array = jnp.asarray(found)
    if array.shape != expected.shape:
        raise ValueError(
            f"Node {name!r}: step returned {field} of shape {array.shape}, but it began with "
            f"{expected.shape}."
        )
    weak = getattr(array, "weak_type", False)
    # A number of Python takes the type of what it meets, unless a part of it would be lost.
    if array.dtype != expected.dtype and not (
        weak and jnp.result_type(expected.dtype, array) == expected.dtype
    ):
        raise ValueError(
            f"Node {name!r}: step returned {field} of dtype {array.dtype}, but it began with "
            f"{expected.dtype}."
        )
    return array.astype(expected.dtype) if weak else array
