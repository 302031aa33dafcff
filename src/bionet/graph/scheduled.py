"""Nodes with their tables and buffers: what the passes between two supervisor steps are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np

from bionet.graph.node import BaseNode, Connection, begins_by_itself
from bionet.graph.origins import BLANK, Origins, origins, read_after, resolved, taken
from bionet.graph.timings import Timings


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
        self.supervisor = timings.slots[-1]
        self._before = taken(timings.nodes)

    @property
    def shape(self) -> tuple[int, int]:
        """How many episodes there are, and how many passes in each."""
        return self._before[self.supervisor].shape

    def origins(self, receiver: str, name: str) -> Origins:
        """Where a connection's messages lie; blank ones in a buffer, if one will do."""
        sender = self.inputs[receiver][name].sender.name
        if sender not in self.tables:
            return np.full_like(self.tables[receiver].windows[name].seq, BLANK)
        before = read_after(receiver, sender, self.supervisor, self._before, self.tables)
        found = origins(np.asarray(self.tables[receiver].windows[name].seq), before)
        if begins_by_itself(self.nodes[receiver]):
            return found
        return resolved(found, before, self.sizes[sender])
