"""Convolutions between image-shaped buffers: one small kernel, at every place of the image.

`Convolution2D` looks at a patch of the sender for every unit of the receiver, and makes the
image smaller if its stride is more than one. `TransposedConvolution2D` goes the other way: it
makes the image larger by its stride, which is what a backward edge from a small image to a
large one needs.

Both learn by the margin perceptron. All places share the kernel, so its increment is the sum
of what each place would add, see `bionet.rules.shared_perceptron`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import ClassVar, Literal, final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Faults
from bionet._core.names import unknown
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.parameters import check_reduction, gaussian, no_signs, per_unit, width
from bionet.modules.shapes import Pair, check_buffer, image_shape, pair
from bionet.rules.perceptron import Reduction
from bionet.rules.weight_sharing import shared_perceptron

Padding = Literal["SAME", "VALID"]
PADDINGS: tuple[str, ...] = get_args(Padding)
# Of the image, of the kernel, of the message.
_AXES = ("NHWC", "HWIO", "NHWC")


@final
class Convolution2D(AbstractAdapter):
    """A convolution that learns by the margin perceptron, from (h, w, c) to (h', w', k).

    As usual it is the kernel unflipped, a cross-correlation: unit (i, j) of the receiver
    multiplies the patch around (i, j) with the kernel as it stands.

    Args:
        in_shape: (height, width, channels) of the sender.
        out_channels: channels of the receiver.
        kernel_size: of the kernel; an int, or (height, width).
        strength: scale of the initial kernel, `W ~ strength * N(0, 1) / sqrt(fan_in)` with
            the `fan_in = height * width * channels` of a patch; a scalar, or one value per
            output channel.
        threshold: the margin asked for, in units of the local field; a scalar, or one value
            per output channel.
        key: of the initial kernel.
        stride: how far the kernel moves; an int, or (vertical, horizontal).
        padding: "SAME" surrounds the image with zeros, so that the receiver has
            `ceil(height / stride)` rows; "VALID" only takes whole patches.
        reduction: how the rule adds up batch and places, see `bionet.rules.shared_perceptron`.
        dtype: of the kernel.

    Raises:
        ValueError: sizes that are no positive ints, an image that is no (h, w, c), a kernel
            that does not fit into the image, a strength or threshold of another shape, an
            unknown padding or reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.images.convolution import Convolution2D

        edge = Convolution2D((6, 6, 1), 3, 3, strength=1.0, threshold=0.5, key=jax.random.key(0))
        x, y = jnp.ones((8, 6, 6, 1)), jnp.ones((8, 6, 6, 3))
        print(edge(x).shape, edge.backward(x, y, y_hat=edge(x)).W.shape)
        ```

    Source:
        Ours: the rule of Badalotti et al. (2025) [badalotti2025dynamical] with shared weights.
    """

    W: Float[Array, "kh kw c k"]
    strength: Float[Array, "..."]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    stride: tuple[int, int] = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        out_channels: int,
        kernel_size: Pair,
        strength: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        stride: Pair = 1,
        padding: Padding = "SAME",
        reduction: Reduction = "sqrt",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "Convolution2D"
        shape = image_shape(owner, "in_shape", in_shape)
        k = width(owner, "out_channels", out_channels)
        size = pair(owner, "kernel_size", kernel_size)
        self.stride = pair(owner, "stride", stride)
        self.padding = _check_padding(owner, padding)
        self.reduction = check_reduction(owner, reduction)
        self.strength = per_unit(owner, "strength", strength, k, dtype, each="output channel")
        self.threshold = per_unit(owner, "threshold", threshold, k, dtype, each="output channel")
        if padding == "VALID" and (size[0] > shape[0] or size[1] > shape[1]):
            raise ValueError(
                f"{owner}: a kernel of {size} does not fit into an image of {shape[:2]}; "
                'make it smaller, or use padding="SAME".'
            )
        fan_in = math.prod(size) * shape[2]
        self.W = draw_kernel(key, (*size, shape[2], k), fan_in, self.strength)
        self.sender_shape = shape
        self.receiver_shape = _message_shape(convolve, shape, self)

    def __call__(
        self, x: Float[Array, "n h w c"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n h2 w2 k"]:
        """The message, the kernel at every place of `x`; no randomness is used."""
        return self._send(x, self.W)

    def trained(self) -> dict[str, bool | Array]:
        """The kernel learns; strength and threshold do not."""
        return {"W": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `W`, summed over all places."""
        added = shared_perceptron(
            lambda W: self._send(x, W),
            self.W,
            y,
            y_hat,
            self.threshold,
            fan_in=math.prod(self.W.shape[:3]),
            reduction=self.reduction,
            gate=gate,
        )
        return {"W": added}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("Convolution2D", y),)

    def _send(self, x: Array, W: Array) -> Array:
        check_buffer("Convolution2D", "x", x, self.sender_shape)
        return convolve(x, W, self.stride, self.padding)


@final
class TransposedConvolution2D(AbstractAdapter):
    """A convolution that makes the image `stride` times as large, from (h, w, c) to (h', w', k).

    The image is spread out, with `stride - 1` zeros between its rows and its columns, and the
    kernel looks at every place of that, unflipped. It learns by the margin perceptron.

    Args:
        in_shape: (height, width, channels) of the sender.
        out_channels: channels of the receiver.
        kernel_size: of the kernel; an int, or (height, width). At least as large as the
            stride, so that every unit of the receiver hears something.
        strength: scale of the initial kernel, `W ~ strength * N(0, 1) / sqrt(fan_in)`; a
            scalar, or one value per output channel. Of the taps of the kernel at most
            `ceil(height / stride) * ceil(width / stride)` fall on pixels and not between
            them; times the channels of the sender, that is the fan-in.
        threshold: the margin asked for, in units of the local field; a scalar, or one value
            per output channel.
        key: of the initial kernel.
        stride: how many times as large the image becomes; an int, or (vertical, horizontal).
        padding: with "SAME" the receiver has exactly `height * stride` rows; with "VALID" it
            also has the rim over which the kernels stick out.
        reduction: how the rule adds up batch and places, see `bionet.rules.shared_perceptron`.
        dtype: of the kernel.

    Raises:
        ValueError: sizes that are no positive ints, an image that is no (h, w, c), a kernel
            smaller than its stride, a strength or threshold of another shape, an unknown
            padding or reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.images.convolution import TransposedConvolution2D

        key = jax.random.key(0)
        edge = TransposedConvolution2D((3, 3, 4), 1, 2, strength=1.0, threshold=0.5, key=key)
        print(edge(jnp.ones((8, 3, 3, 4))).shape)
        ```

    Source:
        Ours: the rule of Badalotti et al. (2025) [badalotti2025dynamical] with shared weights.
    """

    W: Float[Array, "kh kw c k"]
    strength: Float[Array, "..."]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    stride: tuple[int, int] = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        in_shape: tuple[int, int, int],
        out_channels: int,
        kernel_size: Pair,
        strength: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        stride: Pair = 2,
        padding: Padding = "SAME",
        reduction: Reduction = "sqrt",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "TransposedConvolution2D"
        shape = image_shape(owner, "in_shape", in_shape)
        k = width(owner, "out_channels", out_channels)
        size = pair(owner, "kernel_size", kernel_size)
        self.stride = pair(owner, "stride", stride)
        self.padding = _check_padding(owner, padding)
        self.reduction = check_reduction(owner, reduction)
        self.strength = per_unit(owner, "strength", strength, k, dtype, each="output channel")
        self.threshold = per_unit(owner, "threshold", threshold, k, dtype, each="output channel")
        if size[0] < self.stride[0] or size[1] < self.stride[1]:
            raise ValueError(
                f"{owner}: a kernel of {size} leaves gaps at a stride of {self.stride}, units that "
                "hear nothing; make the kernel at least as large as the stride."
            )
        self.W = draw_kernel(key, (*size, shape[2], k), self._fan_in(size, shape[2]), self.strength)
        self.sender_shape = shape
        self.receiver_shape = _message_shape(_convolve_transposed, shape, self)

    def __call__(
        self, x: Float[Array, "n h w c"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n h2 w2 k"]:
        """The message, a larger image; no randomness is used."""
        return self._send(x, self.W)

    def trained(self) -> dict[str, bool | Array]:
        """The kernel learns; strength and threshold do not."""
        return {"W": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `W`, summed over all places."""
        added = shared_perceptron(
            lambda W: self._send(x, W),
            self.W,
            y,
            y_hat,
            self.threshold,
            fan_in=self._fan_in(self.W.shape[:2], self.W.shape[2]),
            reduction=self.reduction,
            gate=gate,
        )
        return {"W": added}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("TransposedConvolution2D", y),)

    def _send(self, x: Array, W: Array) -> Array:
        check_buffer("TransposedConvolution2D", "x", x, self.sender_shape)
        return _convolve_transposed(x, W, self.stride, self.padding)

    def _fan_in(self, size: tuple[int, ...], channels: int) -> int:
        taps = (-(-n // step) for n, step in zip(size, self.stride, strict=True))
        return math.prod(taps) * channels


def convolve(
    x: Float[Array, "n h w c"],
    W: Float[Array, "kh kw c k"],
    stride: tuple[int, int] = (1, 1),
    padding: Padding = "SAME",
) -> Float[Array, "n h2 w2 k"]:
    """The kernel `W`, unflipped, at every place of `x`."""
    return lax.conv_general_dilated(x, W, stride, padding, dimension_numbers=_AXES)


def draw_kernel(
    key: PRNGKeyArray, shape: tuple[int, ...], fan_in: int, strength: Float[Array, "..."]
) -> Float[Array, "kh kw c k"]:
    """`strength * N(0, 1) / sqrt(fan_in)`, so that a local field has the norm `strength`."""
    *rows, k = shape
    scale = strength * math.sqrt(math.prod(rows) / fan_in)
    return gaussian(key, math.prod(rows), k, scale, strength.dtype).reshape(shape)


def _convolve_transposed(x: Array, W: Array, stride: tuple[int, int], padding: Padding) -> Array:
    return lax.conv_transpose(x, W, stride, padding, dimension_numbers=_AXES)


def _message_shape(
    send: Callable[..., Array],
    shape: tuple[int, ...],
    edge: Convolution2D | TransposedConvolution2D,
) -> tuple[int, ...]:
    send = functools.partial(send, stride=edge.stride, padding=edge.padding)
    return jax.eval_shape(send, jax.ShapeDtypeStruct((1, *shape), edge.W.dtype), edge.W).shape[1:]


def _check_padding(owner: str, padding: Padding) -> Padding:
    if padding not in PADDINGS:
        raise ValueError(f"{owner}: {unknown('padding', padding, PADDINGS)}")
    return padding
