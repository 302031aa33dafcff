"""The tables: which slot runs in which step of which episode, when, and what it sees.

They are all that a compiled graph knows of the schedule, indexed by `(episode, step, slot)`,
where the slots are those of one node. Nothing in them changes while it runs.
"""

from __future__ import annotations

from typing import final

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Int

from bionet.graph.state import Window


@final
class SlotTimings(eqx.Module):
    """The table of one node's slots, in every step of every episode.

    Args:
        run: whether the slot runs at all.
        seq: which of the node's steps it runs; -1 where it does not run, as for all that follow.
        ts_start: when that step starts, in ticks.
        ts_end: when it ends, in ticks.
        windows: by the input's name, what it sees; the window is the last axis.
    """

    run: Bool[np.ndarray, "episodes steps slots"]
    seq: Int[np.ndarray, "episodes steps slots"]
    ts_start: Int[np.ndarray, "episodes steps slots"]
    ts_end: Int[np.ndarray, "episodes steps slots"]
    windows: dict[str, Window]


@final
class Timings(eqx.Module):
    """The tables of all nodes, in whole numbers of 32 bits.

    Args:
        nodes: the tables, by the node's name. The n-th slot of a node is the n-th of its name
            in `slots`.
        slots: the node's name of each slot, in the order in which they run; the supervisor's is
            the last.
        generation: of each slot; slots of one generation do not wait for one another.
        kept: each node's name with how many of its last outputs have to be kept from one pass to
            the next, so that every window is still there when it is read.
    """

    nodes: dict[str, SlotTimings]
    slots: tuple[str, ...] = eqx.field(static=True)
    generation: tuple[int, ...] = eqx.field(static=True)
    kept: tuple[tuple[str, int], ...] = eqx.field(static=True)

    @property
    def buffer_sizes(self) -> dict[str, int]:
        """By the node's name, how many of its last outputs have to be kept."""
        return dict(self.kept)

    @property
    def num_steps(self) -> int:
        """The number of steps of the supervisor in the tables."""
        return self.nodes[self.slots[-1]].run.shape[1]
