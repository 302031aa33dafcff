"""An adapter that hears, or drives, a part of a buffer.

Some buffers hold several things side by side: a whole network that is one node of another
packs all its buffers into one. A `Span` says where a part lies. A `Port` brings an adapter
there, so that another row hears the readout alone, or speaks to the input alone. The
adapter sees only its part and learns from its part, by its own rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.shapes import check_buffer
from bionet.modules.wrapper import AbstractLearningWrapper

Shape = tuple[int, ...] | None


@final
@dataclass(frozen=True)
class Span:
    """The place of a part in a buffer of units in a row.

    Attributes:
        start: the first unit of the part.
        shape: of the part, without the batch.
        width: the number of units of the whole buffer.

    Raises:
        ValueError: a part that does not lie inside of the buffer.
    """

    start: int
    shape: tuple[int, ...]
    width: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= self.width:
            raise ValueError(
                f"Span: units {self.start} to {self.stop} need to lie in a buffer of {self.width}."
            )

    @property
    def stop(self) -> int:
        """The unit behind the last one of the part."""
        return self.start + math.prod(self.shape)

    def of(self, buffer: Array) -> Array:
        """The part of `buffer`, in its own shape."""
        check_buffer("Span", "the buffer", buffer, (self.width,))
        return buffer[:, self.start : self.stop].reshape(buffer.shape[0], *self.shape)

    def into(self, part: Array) -> Array:
        """A buffer that holds `part` in its place, and zeros elsewhere."""
        check_buffer("Span", "the part", part, self.shape)
        units = part.reshape(part.shape[0], -1)
        return jnp.pad(units, ((0, 0), (self.start, self.width - self.stop)))


@final
class Port(AbstractAdapter, AbstractLearningWrapper):
    """`inner`, between parts of the buffers of its sender and its receiver.

    Args:
        inner: the adapter that makes the messages and learns; None copies what is heard.
        hears: the part of the sender's buffer that is heard; None is all of it.
        drives: the part of the receiver's buffer that is driven; None is all of it. The
            other parts get zeros.

    Raises:
        TypeError: `inner` is no adapter.
        ValueError: a part of another shape than `inner` has there; a copy of nothing.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FullyConnected, Port
        from bionet.modules.port import Span

        readout = Span(start=12, shape=(3,), width=15)
        edge = Port(FullyConnected(3, 2, 1.0, 0.5, jax.random.key(0)), hears=readout)
        print(edge.sender_shape, edge(jnp.ones((8, 15))).shape)
        ```
    """

    inner: AbstractAdapter | None
    hears: Span | None = eqx.field(static=True)
    drives: Span | None = eqx.field(static=True)
    sender_shape: Shape = eqx.field(static=True)
    receiver_shape: Shape = eqx.field(static=True)

    def __init__(
        self,
        inner: AbstractAdapter | None = None,
        *,
        hears: Span | None = None,
        drives: Span | None = None,
    ) -> None:
        if not isinstance(inner, AbstractAdapter | None):
            raise TypeError(f"Port: inner needs an adapter or None, got {type(inner).__name__}.")
        _check_ends(inner, hears, drives)
        self.inner, self.hears, self.drives = inner, hears, drives
        # A copy has, at an end without a span, the shape of the part at its other end.
        sent = inner.sender_shape if inner is not None else drives and drives.shape
        received = inner.receiver_shape if inner is not None else hears and hears.shape
        self.sender_shape = sent if hears is None else (hears.width,)
        self.receiver_shape = received if drives is None else (drives.width,)

    @property
    def needs_key(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """True if `inner` uses randomness."""
        return self.inner is not None and self.inner.needs_key

    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """The message of `inner` to its part, and zeros to the others."""
        heard = _part(self.hears, x)
        message = heard if self.inner is None else self.inner(heard, rng)
        return message if self.drives is None else self.drives.into(message)

    def inner_backward(self, x: Array, y: Array, y_hat: Array, gate: Array | None) -> Any:
        """The pseudo-gradient of `inner` on its parts."""
        inner: Any = self.inner  # there, where anything learns
        targets = _part(self.drives, y), _part(self.drives, y_hat)
        return inner.backward(_part(self.hears, x), *targets, gate)

    def target_faults(self, y: Array) -> Faults:
        """The faults that `inner` finds with its part of the labels."""
        if self.inner is None:
            return ()
        return self.inner.target_faults(_part(self.drives, y))


def _part(span: Span | None, buffer: Array) -> Array:
    return buffer if span is None else span.of(buffer)


def _check_ends(inner: AbstractAdapter | None, hears: Span | None, drives: Span | None) -> None:
    if inner is None:
        if hears is None and drives is None:
            raise ValueError("Port: a copy needs to know what it hears or what it drives.")
        if hears is not None and drives is not None and hears.shape != drives.shape:
            raise ValueError(
                f"Port: a copy can't drive a part of shape {drives.shape} with one of shape "
                f"{hears.shape}; put an adapter between them."
            )
        return
    ends = ("hears", hears, inner.sender_shape), ("drives", drives, inner.receiver_shape)
    for name, span, shape in ends:
        if span is not None and shape not in (None, span.shape):
            raise ValueError(
                f"Port: {name} a part of shape {span.shape}, but inner has shape {shape} there."
            )
