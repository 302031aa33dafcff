"""An adapter between buffers of other shapes: dense couplings for images, for example.

A dense adapter has units in a row. `Reshaped` lays an image out in a row before the
adapter sees it, and folds the message back into the shape of the receiver. That is how an
image reaches a dense readout, and how a label reaches a layer of images. Everything else,
the rule included, is the adapter's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.parameters import width
from bionet.modules.shapes import check_buffer
from bionet.modules.wrapper import AbstractLearningWrapper


@final
class Reshaped(AbstractAdapter, AbstractLearningWrapper):
    """`inner`, between buffers that have its numbers of units in other shapes.

    Args:
        inner: the adapter that makes the messages and learns.
        sender_shape: of the sender's buffer; None is the shape that `inner` has.
        receiver_shape: of the receiver's buffer; None is the shape that `inner` has.

    Raises:
        TypeError: `inner` is no adapter.
        ValueError: a shape that is not positive ints or has another number of units.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FrozenFullyConnected, FullyConnected
        from bionet.modules.images.reshaping import Reshaped

        k = jax.random.split(jax.random.key(0))
        readout = Reshaped(FullyConnected(72, 10, 1.0, 0.5, k[0]), sender_shape=(6, 6, 2))
        feedback = Reshaped(FrozenFullyConnected(10, 72, 1.0, 0.0, k[1]), receiver_shape=(6, 6, 2))
        print(readout(jnp.ones((8, 6, 6, 2))).shape, feedback(jnp.ones((8, 10))).shape)
        ```
    """

    inner: AbstractAdapter
    sender_shape: tuple[int, ...] | None = eqx.field(static=True)
    receiver_shape: tuple[int, ...] | None = eqx.field(static=True)
    needs_key: bool = eqx.field(static=True)

    def __init__(
        self,
        inner: AbstractAdapter,
        *,
        sender_shape: Sequence[int] | None = None,
        receiver_shape: Sequence[int] | None = None,
    ) -> None:
        if not isinstance(inner, AbstractAdapter):
            raise TypeError(f"Reshaped: inner needs an adapter, got {type(inner).__name__}.")
        self.inner, self.needs_key = inner, inner.needs_key
        self.sender_shape = _refold("sender_shape", sender_shape, inner.sender_shape)
        self.receiver_shape = _refold("receiver_shape", receiver_shape, inner.receiver_shape)

    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """The message of `inner`, in the shape of the receiver."""
        return _fold(self.inner(self._sent(x), rng), self.receiver_shape)

    def inner_backward(self, x: Array, y: Array, y_hat: Array, gate: Array | None) -> Any:
        """The pseudo-gradient of `inner` on buffers of its own shape."""
        targets = self._receive("y", y), self._receive("y_hat", y_hat)
        return self.inner.backward(self._sent(x), *targets, gate)

    def target_faults(self, y: Array) -> Faults:
        """The faults that `inner` finds with the labels in its own shape."""
        return self.inner.target_faults(self._receive("y", y))

    def _sent(self, x: Array) -> Array:
        return _unfold("x", x, self.sender_shape, self.inner.sender_shape)

    def _receive(self, name: str, buffer: Array) -> Array:
        return _unfold(name, buffer, self.receiver_shape, self.inner.receiver_shape)


def _refold(
    name: str, value: Sequence[int] | None, inner: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    if value is None:
        return inner
    shape = tuple(width("Reshaped", name, number) for number in value)
    if inner is None or math.prod(shape) != math.prod(inner):
        units = "takes any shape" if inner is None else f"has {math.prod(inner)} units there"
        raise ValueError(
            f"Reshaped: {name} {shape} has {math.prod(shape)} units, but inner {units}."
        )
    return shape


def _unfold(
    name: str, buffer: Array, outer: tuple[int, ...] | None, inner: tuple[int, ...] | None
) -> Array:
    if outer is None:
        return buffer
    check_buffer("Reshaped", name, buffer, outer)
    return _fold(buffer, inner)


def _fold(buffer: Array, shape: tuple[int, ...] | None) -> Array:
    return buffer if shape is None else buffer.reshape(buffer.shape[0], *shape)
