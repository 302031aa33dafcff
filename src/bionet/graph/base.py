"""The parts of a computation graph: when a node's steps took place, and which messages they saw.

Time is counted in whole ticks of a microsecond, so that two things that happen at one instant
are at one number. A `seq` is the number of a step of one node, from 0; -1 stands for none: padding,
a message that nobody saw, or the output that a node has before its first step.
"""

from __future__ import annotations

from typing import Any, final

import equinox as eqx
import numpy as np
from jaxtyping import ArrayLike, Int

TICKS_PER_SECOND = 1_000_000
"""How finely time is counted."""

Ticks = Int[np.ndarray, "*episodes count"]
Key = tuple[str, str]
"""A connection: the receiver's name, and the name of this input there."""


def ticks(seconds: ArrayLike) -> np.ndarray:
    """Seconds as ticks, each rounded to the nearest."""
    return np.rint(np.asarray(seconds, np.float64) * TICKS_PER_SECOND).astype(np.int64)


def _whole(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim == 0 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
        raise TypeError(
            "A computation graph needs arrays of whole numbers, steps along the last axis; got "
            f"shape {array.shape} of dtype {array.dtype}. Times are ticks, see bionet.graph.ticks."
        )
    return array.astype(np.int64)


@final
class Vertex(eqx.Module):
    """The steps of one node, in order.

    Args:
        seq: 0, 1, 2 and so on; -1 fills up shorter episodes.
        ts_start: when each step started and read its inputs, in ticks.
        ts_end: when each step ended and sent its output, in ticks.
    """

    seq: Ticks = eqx.field(converter=_whole)
    ts_start: Ticks = eqx.field(converter=_whole)
    ts_end: Ticks = eqx.field(converter=_whole)

    @property
    def counts(self) -> Int[np.ndarray, " *episodes"]:
        """The number of steps of each episode."""
        return (self.seq >= 0).sum(-1)


@final
class Edge(eqx.Module):
    """The messages of one connection, in the order in which they were sent.

    Args:
        seq_out: the sender's step that made each message; -1 is padding.
        seq_in: the first step of the receiver that saw it; -1 if none did.
        ts_recv: when it arrived, in ticks.
        sender: the sender's name; None if the input bears that name.
    """

    seq_out: Ticks = eqx.field(converter=_whole)
    seq_in: Ticks = eqx.field(converter=_whole)
    ts_recv: Ticks = eqx.field(converter=_whole)
    sender: str | None = eqx.field(static=True, default=None)
