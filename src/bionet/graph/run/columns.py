"""Packs the tables of the slots that run together into rows, one for each pass.

A pass looks up its row once, and each slot knows its columns of it. There are three tables: what
is chosen among (which slots run, and where the messages lie), the numbers of the steps, and the
times. What the nodes do not look at, XLA leaves out. What is the same in every pass of every
episode, such as a slot that always runs, is not in a table at all but in the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from bionet.graph.schedule.timings import SlotTimings
from bionet.graph.state import Window

Pick = Callable[[Any], np.ndarray]
"""From the table of all slots of one node to that of those which are meant."""


class Choice(NamedTuple):
    """One of several things, chosen by the step of the episode.

    Args:
        options: all that it ever is, sorted.
        column: the column that says which of them; None if there is but one.
    """

    options: tuple[int, ...]
    column: slice | None


class Seen(NamedTuple):
    """The columns of one window of a slot.

    Args:
        seq: columns of the sender's steps.
        ts_sent: columns of the times at which they were sent.
        ts_recv: columns of the times of arrival.
        origins: per message, where it lies, see `bionet.graph.schedule.message_positions`; or
            columns that say it.
    """

    seq: slice
    ts_sent: slice
    ts_recv: slice
    origins: tuple[Choice, ...] | slice


class Slot(NamedTuple):
    """The columns of a slot.

    Args:
        kind: the node's name.
        run: the column that says whether it runs; None if it always does.
        seq: the column of the number of its step.
        ts: the column of when it starts.
        seen: by the input's name, what it sees.
    """

    kind: str
    run: slice | None
    seq: slice
    ts: slice
    seen: dict[str, Seen]


class Rows(NamedTuple):
    """The three tables, in NumPy, or what they say of one pass: arrays of whole numbers."""

    choices: Any
    numbers: Any
    times: Any

    def at(self, eps: Int[Array, ""] | int, step: Int[Array, ""]) -> Rows:
        """The rows of one pass of an episode."""
        return Rows(*(jnp.asarray(table)[eps, step] for table in self))


class Table:
    """Columns of whole numbers that are looked up together.

    Args:
        axes: how many axes lead: episodes and steps, and perhaps generations.
    """

    def __init__(self, axes: int) -> None:
        self._axes, self._columns, self._width = axes, [], 0

    def add(self, numbers: np.ndarray) -> slice:
        """Adds the numbers along what axes are left, and says where they are."""
        columns = numbers.reshape(*numbers.shape[: self._axes], -1).astype(np.int32)
        self._columns.append(columns)
        at, self._width = self._width, self._width + columns.shape[-1]
        return slice(at, self._width)

    def choose(self, options: np.ndarray, valid: np.ndarray) -> Choice:
        """Returns the options where they are valid; elsewhere it may be any of them."""
        found = np.unique(options[valid])
        if len(found) < 2:
            return Choice(tuple(found.tolist()), None)
        at = np.searchsorted(found, np.clip(options, found[0], found[-1]))
        return Choice(tuple(found.tolist()), self.add(at))

    def done(self, shape: tuple[int, ...]) -> Int[np.ndarray, "episodes steps *rest"]:
        """All columns, of the given leading axes."""
        return np.concatenate([np.zeros((*shape, 0), np.int32), *self._columns], axis=-1)


class Columns:
    """Gives slots their columns in the three tables.

    Args:
        axes: how many axes lead.
    """

    def __init__(self, axes: int) -> None:
        self.choices, self.numbers, self.times = Table(axes), Table(axes), Table(axes)

    def done(self, shape: tuple[int, ...]) -> Rows:
        """The tables, whose leading axes are of this shape."""
        tables = (self.choices, self.numbers, self.times)
        return Rows(*(table.done(shape) for table in tables))

    def run(self, run: np.ndarray) -> slice | None:
        """The column that says whether a slot runs; None if it always does."""
        return None if run.all() else self.choices.add(run)

    def window(self, window: Window, origins: tuple[Choice, ...] | slice, pick: Pick) -> Seen:
        """The columns of a window, whose messages lie at these origins."""
        return Seen(
            self.numbers.add(pick(window.seq)),
            self.times.add(pick(window.ts_sent)),
            self.times.add(pick(window.ts_recv)),
            origins,
        )

    def slot(self, kind: str, node: SlotTimings, seen: dict[str, Seen], pick: Pick) -> Slot:
        """The columns of a slot."""
        return Slot(
            kind,
            self.run(pick(node.run)),
            self.numbers.add(pick(node.seq)),
            self.times.add(pick(node.ts_start)),
            seen,
        )
