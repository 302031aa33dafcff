"""Nodes with their tables and buffers: what the passes between two supervisor steps are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import equinox as eqx
import jax
import numpy as np

from bionet.graph.node import BaseNode, Connection, begins_by_itself
from bionet.graph.schedule.message_positions import (
    BLANK,
    Origins,
    count_taken,
    origins,
    read_after,
    resolve_blank,
)
from bionet.graph.schedule.timings import SlotTimings, Timings


@final
class Scheduled:
    """Nodes with their tables and buffers.

    Args:
        nodes: the nodes, by name.
        inputs: their connections when the graph was made, by the node's name and the input's.
        timings: their tables.
        sizes: how many rows each node's buffer has.
    """

    def __init__(
        self,
        nodes: Mapping[str, BaseNode],
        inputs: Mapping[str, Mapping[str, Connection]],
        timings: Timings,
        sizes: Mapping[str, int],
    ) -> None:
        self.nodes, self.inputs, self.tables, self.sizes = nodes, inputs, timings.nodes, sizes
        self.shown = {name: fill_in(table) for name, table in timings.nodes.items()}
        self.supervisor = timings.slots[-1]
        self._before = count_taken(timings.nodes)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of episodes, and of passes in each."""
        return self._before[self.supervisor].shape

    def origins(self, receiver: str, name: str) -> Origins:
        """Returns the positions of a connection's messages; blank ones in a buffer, if one will do.

        A slot that does not run is shown the messages of another step, see `fill_in`. Some of
        them may not be there yet.
        """
        sender, seq = (
            self.inputs[receiver][name].sender.name,
            self.shown[receiver].windows[name].seq,
        )
        if sender not in self.tables:
            return np.full_like(seq, BLANK)
        before = read_after(receiver, sender, self.supervisor, self._before, self.tables)
        found = origins(np.asarray(seq), before)
        if begins_by_itself(self.nodes[receiver]):
            return found
        return resolve_blank(found, before, self.sizes[sender])


def fill_in(table: SlotTimings) -> SlotTimings:
    """Gives the slots that do not run the numbers and times of a step that does.

    It is the node's next step, before which its state is what it is now, or else its last one.
    So a step that divides by the time between two messages, say, does so everywhere.
    """
    run = table.run.reshape(len(table.run), -1)
    place, count = np.arange(run.shape[1]), run.shape[1]
    after = np.minimum.accumulate(np.where(run, place, count)[:, ::-1], axis=1)[:, ::-1]
    last = np.where(run, place, 0).max(axis=1, keepdims=True)
    # An episode without any step of the node borrows those of one that has some.
    episode = np.where(run.any(axis=1), np.arange(len(run)), run.any(axis=1).argmax())
    at = (episode[:, None], np.where(after < count, after, last)[episode])

    def filled(leaf: np.ndarray) -> np.ndarray:
        steps = leaf.reshape(*run.shape, *leaf.shape[3:])
        return steps[at].reshape(leaf.shape)

    return eqx.tree_at(lambda t: t.run, jax.tree.map(filled, table), table.run)
