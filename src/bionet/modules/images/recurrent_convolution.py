"""Binary units on an image with convolutional couplings: `RecurrentDiscrete` for images.

Each unit hears the units around it, through one kernel that serves all places. The centre
of the kernel couples every unit to the other channels of its own place and, where sender
and receiver are the same channel, to itself. These taps are what the diagonal is to a
dense layer: they hold the self-coupling `j_d`, belong to the dynamics, and never learn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.modules.activations import hard_sign, sum_messages
from bionet.modules.images.convolution import convolve, draw_kernel
from bionet.modules.interfaces import AbstractLayer
from bionet.modules.parameters import check_reduction, no_signs, per_unit
from bionet.modules.shapes import Pair, check_buffer, image_shape, pair
from bionet.rules.perceptron import Reduction
from bionet.rules.weight_sharing import shared_perceptron


@final
class RecurrentDiscrete2D(AbstractLayer):
    """Units in {-1, +1} on an image, whose convolutional couplings learn by the margin perceptron.

    Args:
        shape: (height, width, channels) of the buffer.
        kernel_size: of the kernel, odd, so that it has a centre; an int, or (height, width).
        j_d: the self-coupling, at the centre of `J` from each channel to itself; a scalar,
            or one value per channel.
        threshold: the margin asked for, in units of the local field; a scalar, or one value
            per channel.
        key: of the initial kernel, `J ~ N(0, 1) / sqrt(height * width * channels of a patch)`.
        reduction: how the rule adds up batch and places, see `bionet.rules.shared_perceptron`.
        dtype: of the couplings.

    Raises:
        ValueError: sizes that are no positive ints, an image that is no (h, w, c), a kernel
            without a centre, a `j_d` or threshold of another shape, an unknown reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D

        layer = RecurrentDiscrete2D((6, 6, 2), 3, j_d=0.5, threshold=1.0, key=jax.random.key(0))
        print(layer.J.shape, layer.j_d, layer(jnp.ones((8, 6, 6, 2))).shape)
        ```

    Source:
        Ours: the layer of Badalotti et al. (2025) [badalotti2025dynamical] with shared weights.
    """

    J: Float[Array, "kh kw c c"]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        shape: tuple[int, int, int],
        kernel_size: Pair,
        j_d: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        reduction: Reduction = "sqrt",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "RecurrentDiscrete2D"
        self.sender_shape = self.receiver_shape = image_shape(owner, "shape", shape)
        size, c = pair(owner, "kernel_size", kernel_size), self.sender_shape[2]
        if not (size[0] % 2 and size[1] % 2):
            raise ValueError(
                f"{owner}: kernel_size needs odd numbers, so that the kernel has a centre, "
                f"got {kernel_size}."
            )
        self.reduction = check_reduction(owner, reduction)
        self.threshold = per_unit(owner, "threshold", threshold, c, dtype, each="channel")
        self_coupling = per_unit(owner, "j_d", j_d, c, dtype, each="channel")
        drawn = draw_kernel(key, (*size, c, c), math.prod(size) * c, jnp.ones((), dtype))
        self.J = jnp.where(_between_units(drawn), drawn, self_coupling)

    @property
    def j_d(self) -> Float[Array, " c"]:
        """The self-coupling of each channel, from the centre of `J`."""
        kh, kw, *_ = self.J.shape
        return jnp.diagonal(self.J[kh // 2, kw // 2])

    def __call__(
        self, x: Float[Array, "n h w c"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n h w c"]:
        """The message of the layer to itself, with zeros around it; no randomness is used."""
        return self._send(x, self.J)

    def reduce(self, messages: Mapping[int, Array]) -> Float[Array, "n h w c"]:
        """The local field: the sum of the messages."""
        return sum_messages(messages)

    def activation(self, local_field: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        """The sign of the local field, with sign(0) = +1."""
        return hard_sign(local_field)

    def trained(self) -> dict[str, bool | Array]:
        """The couplings learn, except those of a unit to itself."""
        return {"J": _between_units(self.J)}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `J`, zero where a unit is coupled to itself."""
        added = shared_perceptron(
            lambda J: self._send(x, J),
            self.J,
            y,
            y_hat,
            self.threshold,
            fan_in=math.prod(self.J.shape[:3]),
            reduction=self.reduction,
            gate=gate,
        )
        return {"J": jnp.where(_between_units(added), added, jnp.zeros_like(added))}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("RecurrentDiscrete2D", y),)

    def _send(self, x: Array, J: Array) -> Array:
        check_buffer("RecurrentDiscrete2D", "x", x, self.sender_shape)
        return convolve(x, J)


def _between_units(kernel: Array) -> Bool[Array, "kh kw c c"]:
    kh, kw, c, _ = kernel.shape[-4:]
    mask = np.ones((kh, kw, c, c), bool)
    mask[kh // 2, kw // 2] = ~np.eye(c, dtype=bool)
    return jnp.asarray(mask)
