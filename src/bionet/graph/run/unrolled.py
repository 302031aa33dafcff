"""A pass over the slots between two steps of the supervisor, written out slot by slot.

What a slot makes is a value of its own, so that a later slot which always reads it there reads
it for nothing. Where the origin of a message changes from pass to pass, it is chosen among the
few that there are. Buffers move on once, at the end: nothing is written into what is still read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree

from bionet.graph.run.columns import Choice, Columns, Pick, Rows, Slot
from bionet.graph.run.execute import both, check_step, keep_step, select, step_of, step_state
from bionet.graph.run.scheduled import Scheduled
from bionet.graph.schedule.message_positions import BLANK, slot_of
from bionet.graph.state import GraphState, StepState


@final
class Unrolled:
    """A pass whose slots are written out.

    Args:
        scheduled: the nodes and their tables.
        kinds: the node's name of each slot, in order.
    """

    def __init__(self, scheduled: Scheduled, kinds: Sequence[str]) -> None:
        self._scheduled, columns = scheduled, Columns(axes=2)
        # What runs in no pass of any episode is not part of the program.
        self._slots = {
            (kind, place): self._slot(columns, kind, place)
            for kind, place in _count_before(kinds)
            if scheduled.tables[kind].run[..., place].any()
        }
        self._moves = {kind: self._move(columns, kind) for kind, _ in self._slots}
        self._tables = columns.done(scheduled.shape)

    def __call__(
        self,
        graph_state: GraphState,
        step: Int[Array, ""],
        awake: Bool[Array, ""] | None = None,
        replaced: tuple[StepState, PyTree[Array]] | None = None,
    ) -> GraphState:
        """Runs all slots, or none of them.

        Args:
            graph_state: before the pass.
            step: which of the passes.
            awake: whether anything runs; None if it does.
            replaced: what every slot's own step would have returned, in its place.
        """
        start, rows = graph_state, self._tables.at(graph_state.eps, step)
        made: dict[str, dict[int, PyTree]] = {kind: {} for kind in self._moves}
        steps = {kind: step_of(start, self._scheduled.nodes[kind]) for kind in self._moves}
        for (kind, place), slot in self._slots.items():
            before = self._given(graph_state, start, slot, rows, made)
            run = None if slot.run is None else rows.choices[slot.run][0] != 0
            if replaced is None:
                found = steps[kind](before, both(run, awake))
            else:
                found = check_step(kind, before, replaced, start.buffer[kind])
            graph_state = keep_step(graph_state, kind, before, found, run, awake)
            made[kind][place] = found.output
        moved = {kind: self._moved(start, kind, rows, made[kind]) for kind in self._moves}
        return graph_state.replace(
            params=select(awake, graph_state.params, start.params),
            state=select(awake, graph_state.state, start.state),
            buffer=select(awake, start.buffer | moved, start.buffer),
        )

    def first(self, graph_state: GraphState, step: Int[Array, ""]) -> StepState:
        """Returns the input of the first slot."""
        slot, rows = next(iter(self._slots.values())), self._tables.at(graph_state.eps, step)
        return self._given(graph_state, graph_state, slot, rows, {})

    def _slot(self, columns: Columns, kind: str, place: int) -> Slot:
        scheduled, seen = self._scheduled, {}
        table = scheduled.shown[kind]
        for name, connection in scheduled.inputs[kind].items():
            found = scheduled.origins(kind, name)[..., place, :]
            if connection.sender.name in scheduled.tables:
                found = slot_of(found, scheduled.tables[connection.sender.name].run)
            choices = [
                columns.choices.choose(option, table.run[..., place]) for option in _last(found)
            ]
            seen[name] = columns.window(table.windows[name], tuple(choices), _at(place))
        return columns.slot(kind, table, seen, _at(place))

    def _move(self, columns: Columns, kind: str) -> list[Choice]:
        """Returns the row that each row of a buffer is moved from when a pass is over."""
        run = self._scheduled.tables[kind].run
        found = run.sum(-1)[..., None] + np.arange(-self._scheduled.sizes[kind], 0)
        everywhere = np.ones(found.shape[:-1], bool)
        return [columns.choices.choose(option, everywhere) for option in _last(slot_of(found, run))]

    def _moved(
        self, start: GraphState, kind: str, rows: Rows, made: Mapping[int, PyTree]
    ) -> PyTree[Array]:
        sources = [
            {o: made[o] if o >= 0 else _row(start, kind, o) for o in choice.options}
            for choice in self._moves[kind]
        ]
        return _stack(sources, self._moves[kind], rows)

    def _given(
        self,
        graph_state: GraphState,
        start: GraphState,
        slot: Slot,
        rows: Rows,
        made: Mapping[str, Mapping[int, PyTree]],
    ) -> StepState:
        """Returns the input of a slot's step: its node as it is now, and its windows."""
        data = {}
        for name, seen in slot.seen.items():
            sender, sources = self._scheduled.inputs[slot.kind][name].sender.name, []
            choices = cast(tuple[Choice, ...], seen.origins)
            begun = start.inputs[slot.kind][name].data
            for at, choice in enumerate(choices):
                found = {}
                for option in choice.options:
                    if option == BLANK:
                        found[option] = jax.tree.map(lambda leaf, at=at: leaf[at], begun)
                    elif option >= 0:
                        found[option] = made[sender][option]
                    else:
                        found[option] = _row(start, sender, option)
                sources.append(found)
            data[name] = _stack(sources, choices, rows)
        return step_state(graph_state, slot, rows, data)


def _count_before(kinds: Sequence[str]) -> list[tuple[str, int]]:
    """Each kind with how many of it came before."""
    return [(kind, list(kinds[:at]).count(kind)) for at, kind in enumerate(kinds)]


def _at(place: int) -> Pick:
    return lambda leaf: leaf[:, :, place]


def _last(found: np.ndarray) -> list[np.ndarray]:
    """The arrays along the last axis."""
    return [found[..., at] for at in range(found.shape[-1])]


def _row(graph_state: GraphState, name: str, row: int) -> PyTree[Array]:
    return jax.tree.map(lambda leaf: leaf[row], graph_state.buffer[name])


def _stack(
    sources: Sequence[Mapping[int, PyTree[Array]]], choices: Sequence[Choice], rows: Rows
) -> PyTree[Array]:
    """Stacks the choices of all places along a new leading axis."""
    found = [_one(list(each.values()), c, rows) for each, c in zip(sources, choices, strict=True)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)


def _one(options: Sequence[PyTree[Array]], choice: Choice, rows: Rows) -> PyTree[Array]:
    if choice.column is None:
        return options[0]
    which = rows.choices[choice.column][0]
    which = which != 0 if len(options) == 2 else which
    return jax.tree.map(lambda *leaves: jax.lax.select_n(which, *leaves), *options)
