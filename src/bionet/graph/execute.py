"""Runs one slot: reads its row of the tables, shows the node its inputs, and keeps the result.

The tables of all slots that run together lie behind one another in one row of whole numbers,
so that a step looks up its schedule once. A slot that does not run in this step computes all
the same; its state is not kept, and its output goes into a row of the buffer that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree

from bionet.graph.base import GraphState, InputState, StepState
from bionet.graph.node import BaseNode
from bionet.graph.records import written
from bionet.graph.timings import SlotTimings


class Seen(NamedTuple):
    """What one slot sees on one connection: rows of the sender's buffer, and what they are."""

    rows: Int[Array, " window"]
    seq: Int[Array, " window"]
    ts_sent: Int[Array, " window"]
    ts_recv: Int[Array, " window"]


class Slot(NamedTuple):
    """What the tables say of one slot in one step of one episode."""

    kind: str
    run: Bool[Array, ""]
    seq: Int[Array, ""]
    ts: Int[Array, ""]
    row: Int[Array, ""]
    seen: dict[str, Seen]


class Layout:
    """Packs the tables of some slots into rows of whole numbers, and reads such a row.

    Args:
        kinds: the node's name of each slot.
        nodes: all nodes by name.
        sizes: how many outputs each node's buffer holds; a sender that never runs has none.
    """

    def __init__(
        self, kinds: Sequence[str], nodes: Mapping[str, BaseNode], sizes: Mapping[str, int]
    ) -> None:
        self.kinds, self._nodes, self._sizes = tuple(kinds), nodes, sizes

    def packed(
        self, timings: Mapping[str, SlotTimings], places: Sequence[int]
    ) -> Int[np.ndarray, "episodes steps numbers"]:
        """The rows of the slots that are the `places`-th of their kinds."""
        columns = []
        for kind, place in zip(self.kinds, places, strict=True):
            table = timings[kind]
            run, seq = table.run[..., place], table.seq[..., place]
            row = np.where(run, seq % self._sizes[kind], self._sizes[kind] + 1)
            columns += [column[..., None] for column in (run, seq, table.ts_start[..., place], row)]
            for name in sorted(self._nodes[kind].inputs):
                window = table.windows[name]
                seen = [
                    leaf[..., place, :] for leaf in (window.seq, window.ts_sent, window.ts_recv)
                ]
                columns += [self._rows(kind, name, seen[0]), *seen]
        table = np.concatenate(columns, axis=-1).astype(np.int32)
        return np.concatenate([table, self._asleep(table)], axis=1)

    def unpacked(self, numbers: Int[Array, " numbers"]) -> Iterator[Slot]:
        """What a row says, slot by slot."""
        at = 0
        for kind in self.kinds:
            run, seq, ts, row = (numbers[at + offset] for offset in range(4))
            at += 4
            seen = {}
            for name in sorted(self._nodes[kind].inputs):
                size = self._nodes[kind].inputs[name].window
                parts = [numbers[at + n * size : at + (n + 1) * size] for n in range(4)]
                seen[name] = Seen(*parts)
                at += 4 * size
            yield Slot(kind, run != 0, seq, ts, row, seen)

    def _rows(self, kind: str, name: str, seq: np.ndarray) -> np.ndarray:
        """Where in the sender's buffer a window lies; there is one row more than its size."""
        size = self._sizes[self._nodes[kind].inputs[name].sender.name]
        return np.where(seq < 0, size, seq % size) if size else np.zeros_like(seq)

    def _asleep(self, table: np.ndarray) -> np.ndarray:
        """One more step, in which nothing runs: what comes after the last."""
        asleep = table[:, -1:].copy()
        at = 0
        for kind in self.kinds:
            asleep[..., at], asleep[..., at + 3] = 0, self._sizes[kind] + 1
            at += 4 + 4 * sum(c.window for c in self._nodes[kind].inputs.values())
        return asleep


def step_state(graph_state: GraphState, slot: Slot, node: BaseNode) -> StepState:
    """What a node's step is given in this slot."""
    own = type(node).init_inputs is not BaseNode.init_inputs
    inputs = {}
    for name, connection in node.inputs.items():
        seen, buffer = slot.seen[name], graph_state.buffer[connection.sender.name]
        data = jax.tree.map(lambda leaf, rows=seen.rows: _taken(leaf, rows), buffer)
        if own:
            data = _chosen(seen.seq < 0, graph_state.inputs[slot.kind][name].data, data)
        inputs[name] = InputState(seen.seq, seen.ts_sent, seen.ts_recv, data)
    return StepState(
        rng=jax.random.fold_in(graph_state.rng[slot.kind], slot.seq),
        seq=slot.seq,
        ts=slot.ts,
        params=graph_state.params[slot.kind],
        state=graph_state.state[slot.kind],
        inputs=inputs,
        eps=graph_state.eps,
    )


def kept(
    graph_state: GraphState, slot: Slot, before: StepState, after: StepState, output: PyTree[Array]
) -> GraphState:
    """The graph state after a slot: its state, its output and its record, if it runs.

    Raises:
        ValueError: a state, parameters or an output of another shape than at the beginning.
    """
    name = slot.kind
    buffer = graph_state.buffer[name]
    rows = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), buffer)
    output = _alike(name, "output", rows, output)
    buffer = jax.tree.map(
        lambda leaf, value: jax.lax.dynamic_update_index_in_dim(leaf, value, slot.row, 0),
        buffer,
        output,
    )
    changed = {"buffer": graph_state.buffer | {name: buffer}}
    for field in ("state", "params"):
        old, new = getattr(before, field), getattr(after, field)
        if new is not old:
            new = _alike(name, field, old, new)
            value = jax.tree.map(lambda a, b: b if a is b else jnp.where(slot.run, b, a), old, new)
            changed[field] = getattr(graph_state, field) | {name: value}
    if "record" in graph_state.aux:
        record = graph_state.aux["record"]
        record = record | {name: written(record[name], before, output, slot.run)}
        changed["aux"] = graph_state.aux | {"record": record}
    return graph_state.replace(**changed)


def _taken(leaf: Array, rows: Int[Array, " window"]) -> Array:
    """Some rows of a buffer. A few slices are faster than one gather."""
    if rows.shape[0] > 4:
        return jnp.take(leaf, rows, axis=0, mode="clip")
    found = [jax.lax.dynamic_index_in_dim(leaf, row, 0) for row in rows]
    return found[0] if len(found) == 1 else jnp.concatenate(found)


def _chosen(where: Array, first: PyTree[Array], second: PyTree[Array]) -> PyTree[Array]:
    def choose(a: Array, b: Array) -> Array:
        return jnp.where(where.reshape(-1, *[1] * (b.ndim - 1)), a, b)

    return jax.tree.map(choose, first, second)


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
    if array.dtype != expected.dtype and not array.weak_type:
        raise ValueError(
            f"Node {name!r}: step returned {field} of dtype {array.dtype}, but it began with "
            f"{expected.dtype}."
        )
    return array.astype(expected.dtype) if array.weak_type else array
