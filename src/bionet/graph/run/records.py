"""Records: what is kept of every step, at the place of its number.

A record is an array per leaf with room for all steps of the longest episode, filled with -1.
It is carried along in `graph_state.aux["record"]`, so that it goes under `jit` and `vmap`, and
what is not asked for costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree

from bionet._core.leaves import as_numbers
from bionet._core.names import unknown
from bionet.graph.state import GraphState, NodeRecord, StepState

Wanted = Mapping[str, bool] | bool | None
Record = dict[str, NodeRecord]


def new_record(
    graph_state: GraphState, counts: Mapping[str, int], wanted: Mapping[str, Wanted]
) -> Record:
    """An empty record, with room for what is wanted.

    Args:
        graph_state: what the nodes begin with, whose shapes are those of every step.
        counts: how many steps each node has at most.
        wanted: by the field's name, for all nodes or by the node's name, whether it is kept.

    Raises:
        ValueError: a name that no node has.
    """
    by_field = {field: _by_node(field, value, tuple(counts)) for field, value in wanted.items()}
    record = {}
    for name, count in counts.items():
        shown = {
            "rng": jax.random.fold_in(graph_state.rng[name], 0),
            "inputs": graph_state.inputs[name],
            "state": graph_state.state[name],
            "output": jax.tree.map(lambda leaf: leaf[0], graph_state.buffer[name]),
        }
        kept = {f: _room(value, count) for f, value in shown.items() if by_field[f][name]}
        if by_field["params"][name]:
            kept["params"] = graph_state.params[name]
        record[name] = NodeRecord(**kept)
    return record


def _by_node(field: str, wanted: Wanted, names: tuple[str, ...]) -> dict[str, bool]:
    """Returns whether a field is kept, for each node; what is not named is not kept."""
    if wanted is None or isinstance(wanted, bool):
        return dict.fromkeys(names, bool(wanted))
    if not isinstance(wanted, Mapping):
        raise TypeError(
            f"Graph.init_record: {field} needs a bool, or a bool by the node's name, got "
            f"{wanted!r}."
        )
    for name in wanted:
        if name not in names:
            raise ValueError(f"Graph.init_record: {field}: {unknown('node', name, names)}")
    return {name: bool(wanted.get(name, False)) for name in names}


def _room(example: PyTree, count: int) -> PyTree[Array]:
    """Room for `count` of such trees, filled with -1; keys are kept as numbers."""

    def room(leaf: Any) -> Array:
        numbers = as_numbers(jnp.asarray(leaf))
        filling = np.asarray(-1).astype(numbers.dtype)
        return jnp.full((count, *numbers.shape), filling, numbers.dtype)

    return jax.tree.map(room, example)


def write_record(
    record: NodeRecord,
    before: StepState,
    output: PyTree[Array],
    run: Bool[Array, ""] | None,
) -> NodeRecord:
    """The record with one step more, if it is run; None is what always is."""

    def put(room: PyTree, value: PyTree) -> PyTree:
        return None if room is None else jax.tree.map(_put, room, value)

    def _put(room: Array, leaf: Any) -> Array:
        # A place behind the end is no place: nothing is written there.
        place: Int[Array, ""] = (
            before.seq if run is None else jnp.where(run, before.seq, room.shape[0])
        )
        return room.at[place].set(as_numbers(jnp.asarray(leaf)), mode="drop")

    return NodeRecord(
        params=record.params,
        rng=put(record.rng, before.rng),
        inputs=put(record.inputs, before.inputs),
        state=put(record.state, before.state),
        output=put(record.output, output),
    )
