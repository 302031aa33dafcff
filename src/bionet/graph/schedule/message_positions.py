"""The position of each message of each window at the time a slot reads it.

Between two passes a node's last outputs are in its buffer, the newest in the last row. What
slots make in a pass stays beside it until the pass is over. So a message has an origin that
depends on nothing but the schedule: -1 is the newest output from before the pass, -2 the one
before that, and 0, 1, 2 and so on are the outputs of this pass, in order. Most messages come
from one or two origins in all steps of all episodes, and a compiled pass need not look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

if TYPE_CHECKING:
    from bionet.graph.schedule.timings import SlotTimings

BLANK = np.iinfo(np.int32).min
"""The origin of a message from before the sender's first step: the window's own beginning."""

Origins = Int[np.ndarray, "episodes steps slots window"]


def count_taken(nodes: Mapping[str, SlotTimings]) -> dict[str, Int[np.ndarray, "episodes steps"]]:
    """Counts the steps that each node has taken before each pass."""
    return {
        name: np.cumsum(node.run.sum(-1), axis=1) - node.run.sum(-1) for name, node in nodes.items()
    }


def read_after(
    receiver: str,
    sender: str,
    supervisor: str,
    before: Mapping[str, Int[np.ndarray, "episodes steps"]],
    nodes: Mapping[str, SlotTimings],
) -> Int[np.ndarray, "episodes steps"]:
    """Counts the sender's outputs that are in its buffer when the receiver reads.

    The supervisor reads when the pass is over and its outputs are in the buffers.
    """
    count = before[sender]
    if receiver == supervisor != sender:
        count = count + nodes[sender].run.sum(-1)
    return count


def origins(seq: Origins, before: Int[np.ndarray, "episodes steps"]) -> Origins:
    """The origins of messages, from the sender's steps and how many it took before the pass."""
    return np.where(seq < 0, BLANK, seq - before[..., None, None])


def rows_needed(found: Origins, run: np.ndarray) -> int:
    """Returns the number of rows of the sender's buffer that such origins reach back to."""
    asked = found[run]
    return int(-asked[asked != BLANK].min(initial=0))


def resolve_blank(found: Origins, before: Int[np.ndarray, "episodes steps"], rows: int) -> Origins:
    """The same, where blank messages are read from a row that is still blank, if there is one.

    A buffer begins with the sender's default output in all rows, so that its oldest row holds
    it for as long as the sender has taken fewer steps than there are rows.
    """
    blank = (before < rows)[..., None, None] & (found == BLANK)
    return np.where(blank, -rows, found)


def slot_of(
    found: Int[np.ndarray, "episodes steps any"], run: Bool[np.ndarray, "episodes steps slots"]
) -> Int[np.ndarray, "episodes steps any"]:
    """The same with outputs of this pass by the slot that made them, among those of the sender.

    Args:
        found: origins. Where no slot made such an output, the answer is any slot.
        run: which of the sender's slots run.
    """
    order = np.argsort(~run, axis=-1, kind="stable")
    nth = np.clip(found, 0, order.shape[-1] - 1)
    return np.where(found < 0, found, np.take_along_axis(order, nth, axis=-1))
