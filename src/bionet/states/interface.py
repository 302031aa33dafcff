"""The interface of states: all that orchestrators need to know of them.

A state is a row of buffers, batch first. Buffer 0 is the input, buffer -1 the
output. It is immutable: `replace` and `init` return a new one.
"""

from __future__ import annotations

import abc
from typing import Self

import equinox as eqx
from jaxtyping import Array, ArrayLike


class AbstractState(eqx.Module):
    """An immutable row of buffers, batch first; buffer 0 is the input, buffer -1 the output."""

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Array:
        """The buffer at `index`; negative indices count from the output."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of buffers, input and output included."""

    @abc.abstractmethod
    def init(self, x: ArrayLike, y: ArrayLike | None = None) -> Self:
        """A state with the batch size of `x`: input `x`, output `y` or zeros, zeros between."""

    @abc.abstractmethod
    def replace(self, index: int, value: Array) -> Self:
        """The same state with another buffer at `index`."""

    @property
    @abc.abstractmethod
    def readout(self) -> Array:
        """The output buffer."""
