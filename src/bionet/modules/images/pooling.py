"""Pooling between image-shaped buffers: a window of each channel becomes one unit.

Pooling has no weights and learns nothing. A channel of the receiver hears the channel of
the same number and no other, so pooling makes an image smaller and leaves its channels be.
From senders in {-1, +1} the mean is the majority of a window in steps, and the maximum is
+1 as soon as one unit of the window is.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, final, get_args

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet._core.names import unknown
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.shapes import Pair, check_buffer, image_shape, pair

PoolingKind = Literal["mean", "max"]
KINDS: tuple[str, ...] = get_args(PoolingKind)


@final
class Pooling2D(AbstractAdapter):
    """The mean or the maximum of each window of each channel, from (h, w, c) to (h', w', c).

    Args:
        in_shape: (height, width, channels) of the sender.
        window: of the window; an int, or (height, width).
        stride: how far the window moves; an int, or (vertical, horizontal). None, the
            default, is as far as it is large. Rows and columns at the far rim that fill no
            whole window are left out.
        kind: "mean" or "max".

    Raises:
        ValueError: sizes that are no positive ints, an image that is no (h, w, c), a window
            that does not fit into the image, an unknown kind.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.modules.images.pooling import Pooling2D

        edge = Pooling2D((6, 6, 3), window=2, kind="max")
        print(edge(jnp.ones((8, 6, 6, 3))).shape)
        ```
    """

    window: tuple[int, int] = eqx.field(static=True)
    stride: tuple[int, int] = eqx.field(static=True)
    kind: PoolingKind = eqx.field(static=True)
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        window: Pair,
        stride: Pair | None = None,
        kind: PoolingKind = "mean",
    ) -> None:
        owner = "Pooling2D"
        height, across, channels = image_shape(owner, "in_shape", in_shape)
        self.window = pair(owner, "window", window)
        self.stride = self.window if stride is None else pair(owner, "stride", stride)
        if kind not in KINDS:
            raise ValueError(f"{owner}: {unknown('kind', kind, KINDS)}")
        self.kind = kind
        spare = (height - self.window[0], across - self.window[1])
        if min(spare) < 0:
            raise ValueError(
                f"{owner}: a window of {self.window} does not fit into an image of "
                f"{(height, across)}; make it smaller."
            )
        rows, columns = (n // step + 1 for n, step in zip(spare, self.stride, strict=True))
        self.sender_shape = (height, across, channels)
        self.receiver_shape = (rows, columns, channels)

    def __call__(
        self, x: Float[Array, "n h w c"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n h2 w2 c"]:
        """The pooled image, channel by channel; no randomness is used."""
        check_buffer("Pooling2D", "x", x, self.sender_shape)
        window, stride = (1, *self.window, 1), (1, *self.stride, 1)
        if self.kind == "max":
            return lax.reduce_window(x, -jnp.inf, lax.max, window, stride, "VALID")
        summed = lax.reduce_window(x, 0.0, lax.add, window, stride, "VALID")
        return summed / math.prod(self.window)

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns."""
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """Nothing is added."""
        return {}
