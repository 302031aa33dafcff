"""A pass over generations that all look alike, in one loop.

It compiles in the same time however many generations there are. In each, there is a slot for
every kind, and many do not run. Outputs are written behind the buffer, one after the other, and
the buffer moves on when the pass is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from bionet.graph.run.columns import Columns, Rows, Slot
from bionet.graph.run.execute import both, keep_step, step_of, step_state
from bionet.graph.run.scheduled import Scheduled
from bionet.graph.schedule.message_positions import BLANK
from bionet.graph.state import GraphState, StepState


@final
class Scanned:
    """A pass through generations, each with one slot for every kind.

    Args:
        scheduled: the nodes and their tables.
        kinds: the node's name of each slot of a generation.
    """

    def __init__(self, scheduled: Scheduled, kinds: Sequence[str]) -> None:
        self._scheduled, self._kinds, columns = scheduled, tuple(kinds), Columns(axes=3)
        self._slots = [self._slot(columns, kind) for kind in kinds]
        self._places = {kind: self._place(columns, kind) for kind in kinds}
        self._count = scheduled.tables[kinds[0]].run.shape[-1]
        self._tables = columns.done((*scheduled.shape, self._count))
        made = [scheduled.tables[kind].run.sum(-1) for kind in kinds]
        self._made = np.stack(made, axis=-1).astype(np.int32)

    def __call__(
        self, graph_state: GraphState, step: Int[Array, ""], awake: Bool[Array, ""] | None = None
    ) -> GraphState:
        """Runs all slots, or none of them.

        Args:
            graph_state: before the pass.
            step: which of the passes.
            awake: whether anything runs; None if it does.
        """
        log = {kind: jax.tree.map(self._longer, graph_state.buffer[kind]) for kind in self._kinds}
        begun = graph_state.replace(buffer=graph_state.buffer | log)

        def generation(state: GraphState, rows: Rows) -> tuple[GraphState, None]:
            return self._ran(state, rows, awake), None

        end, _ = jax.lax.scan(generation, begun, self._tables.at(graph_state.eps, step))
        made = jnp.asarray(self._made)[graph_state.eps, step]
        made = made if awake is None else jnp.where(awake, made, 0)
        buffer = {
            kind: jax.tree.map(
                lambda leaf, kind=kind, at=at: jax.lax.dynamic_slice_in_dim(
                    leaf, made[at], self._scheduled.sizes[kind]
                ),
                end.buffer[kind],
            )
            for at, kind in enumerate(self._kinds)
        }
        return end.replace(buffer=graph_state.buffer | buffer)

    def _ran(self, state: GraphState, rows: Rows, awake: Bool[Array, ""] | None) -> GraphState:
        """Runs the slots of a generation: none sees what another one makes."""
        given = [self._given(state, slot, rows) for slot in self._slots]
        for slot, before in zip(self._slots, given, strict=True):
            run = None if slot.run is None else rows.choices[slot.run][0] != 0
            run = both(run, awake)
            made = step_of(state, self._scheduled.nodes[slot.kind])(before, run)
            state = keep_step(state, slot.kind, before, made, run)
            (place,) = rows.choices[self._places[slot.kind]]
            log = jax.tree.map(
                lambda leaf, value, place=place: jax.lax.dynamic_update_index_in_dim(
                    leaf, value, place, 0
                ),
                state.buffer[slot.kind],
                made.output,
            )
            state = state.replace(buffer=state.buffer | {slot.kind: log})
        return state

    def _slot(self, columns: Columns, kind: str) -> Slot:
        scheduled, seen = self._scheduled, {}
        table = scheduled.shown[kind]
        for name, connection in scheduled.inputs[kind].items():
            found, sender = scheduled.origins(kind, name), connection.sender.name
            size = scheduled.sizes[sender]
            there = size + np.clip(found, -size, self._count_made(sender)[..., None] - 1)
            where = columns.choices.add(np.where(found == BLANK, -1, there))
            seen[name] = columns.window(table.windows[name], where, _all)
        return columns.slot(kind, table, seen, _all)

    def _place(self, columns: Columns, kind: str) -> slice:
        """Returns the row that a slot writes, the first free one; an idle one is written over."""
        return columns.choices.add(self._scheduled.sizes[kind] + self._count_made(kind))

    def _count_made(self, kind: str) -> Int[np.ndarray, "episodes steps generations"]:
        """Counts the outputs that a node has made in this pass, before each of its slots."""
        if kind not in self._scheduled.tables:
            return np.zeros((1, 1, 1), int)
        run = self._scheduled.tables[kind].run
        return np.cumsum(run, -1) - run

    def _longer(self, leaf: Array) -> Array:
        return jnp.concatenate([leaf, jnp.zeros((self._count, *leaf.shape[1:]), leaf.dtype)])

    def _given(self, graph_state: GraphState, slot: Slot, rows: Rows) -> StepState:
        data = {}
        for name, seen in slot.seen.items():
            sender = self._scheduled.inputs[slot.kind][name].sender.name
            at = rows.choices[seen.origins]
            begun = graph_state.inputs[slot.kind][name].data
            data[name] = jax.tree.map(
                lambda first, leaf, at=at: _read(first, leaf, at), begun, graph_state.buffer[sender]
            )
        return step_state(graph_state, slot, rows, data)


def _all(leaf: np.ndarray) -> np.ndarray:
    return leaf


def _read(begun: Array, log: Array, at: Int[Array, " window"]) -> Array:
    """Some rows; before the first message, those that the window began with."""
    found = jnp.take(log, jnp.maximum(at, 0), axis=0, mode="clip")
    return jnp.where((at < 0).reshape(-1, *[1] * (begun.ndim - 1)), begun, found)
