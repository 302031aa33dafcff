"""Runs one slot: shows the node its inputs, and keeps what it makes of them.

A slot that does not run in this pass computes all the same; what it made is not kept. That is
cheaper than to branch, and the same program serves a batch whose members do different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from bionet.graph.base import GraphState, InputState, StepState
from bionet.graph.columns import Rows, Slot
from bionet.graph.node import BaseNode
from bionet.graph.records import written


def step_state(
    graph_state: GraphState, slot: Slot, rows: Rows, data: Mapping[str, PyTree[Array]]
) -> StepState:
    """What a node's step is given in a slot.

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


def stepped(node: BaseNode, given: StepState) -> tuple[StepState, PyTree]:
    """What a node's step returns, which has to be a pair."""
    made = node.step(given)
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], StepState)):
        kinds = (
            [type(part).__name__ for part in made]
            if isinstance(made, tuple)
            else [type(made).__name__]
        )
        raise TypeError(
            f"Node {node.name!r}: step needs to return a step state and an output, got "
            f"{' and '.join(kinds)}."
        )
    return made


def checked_output(graph_state: GraphState, name: str, output: PyTree) -> PyTree[Array]:
    """The output as arrays, or an error that says how it differs from what the node began with."""
    rows = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), graph_state.buffer[name]
    )
    return _alike(name, "output", rows, output)


def kept(
    graph_state: GraphState,
    name: str,
    before: StepState,
    after: StepState,
    output: PyTree[Array],
    run: Bool[Array, ""] | None,
    awake: Bool[Array, ""] | None = None,
) -> GraphState:
    """The graph state with a node's state, parameters and record after a slot, if it ran.

    Args:
        graph_state: before the slot.
        name: the node's name.
        before: what the step was given.
        after: what it returned.
        output: what it sent, for the record; the buffer stays as it is.
        run: whether the slot ran; None if it always does.
        awake: whether the whole pass ran. This holds for the record alone, as everything else is
            put back at the end of the pass.

    Raises:
        ValueError: a state or parameters of another shape than at the beginning.
    """
    changed = {}
    for field in ("state", "params"):
        old, new = getattr(before, field), getattr(after, field)
        if new is not old:
            new = chosen(run, _alike(name, field, old, new), old)
            changed[field] = getattr(graph_state, field) | {name: new}
    if "record" in graph_state.aux:
        record = graph_state.aux["record"]
        record = record | {name: written(record[name], before, output, both(run, awake))}
        changed["aux"] = graph_state.aux | {"record": record}
    return graph_state.replace(**changed) if changed else graph_state


def chosen(run: Bool[Array, ""] | None, new: PyTree, old: PyTree) -> PyTree:
    """The new tree if it ran, else the old one."""
    if run is None:
        return new
    return jax.tree.map(lambda a, b: b if a is b else jnp.where(run, a, b), new, old)


def both(first: Bool[Array, ""] | None, second: Bool[Array, ""] | None) -> Bool[Array, ""] | None:
    """Whether both hold; None is what always holds."""
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
