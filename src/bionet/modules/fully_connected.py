"""Dense adapters: every sending unit reaches every receiving one.

`FullyConnected` learns by the margin perceptron. `FrozenFullyConnected` sends the
same messages and never learns; it is what carries the supervision back from the
output, as a random projection of the label.
"""

from __future__ import annotations

from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.kernels.products import Operands, check_operands, product
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.parameters import check_reduction, gaussian, no_signs, per_unit, width
from bionet.rules.perceptron import Reduction, margin_perceptron


@final
class FullyConnected(AbstractAdapter):
    """Dense couplings that learn by the margin perceptron; the message is `x @ W`.

    Args:
        in_features: units of the sender.
        out_features: units of the receiver.
        strength: scale of the initial weights, `W ~ strength * N(0, 1) / sqrt(in_features)`;
            a scalar, or one value per output unit.
        threshold: the margin asked for, in units of the local field; a scalar, or one
            value per output unit.
        key: of the initial weights.
        reduction: how the rule adds up a batch, see `bionet.rules.margin_perceptron`.
        operands: how wide the numbers are that products multiply: as the weights are, or
            "bfloat16", "bfloat16x3" (three parts, which for binary units is exact) or
            "fastest" (bfloat16 where the device has a unit for it). The weights themselves,
            the local fields and what is learned keep their dtype.
        dtype: of the weights.

    Raises:
        ValueError: a width that is no positive int, a strength or threshold of another
            shape, an unknown reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.fully_connected import FullyConnected

        edge = FullyConnected(4, 3, strength=1.0, threshold=0.5, key=jax.random.key(0))
        x, y = jnp.ones((8, 4)), jnp.ones((8, 3))
        pseudo_gradient = edge.backward(x, y, y_hat=edge(x))
        print(edge(x).shape, pseudo_gradient.W.shape)
        ```

    Source:
        Badalotti et al. (2025) [badalotti2025dynamical].
    """

    W: Float[Array, "in_features out_features"]
    strength: Float[Array, "..."]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    operands: Operands = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        in_features: int,
        out_features: int,
        strength: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        reduction: Reduction = "sqrt",
        operands: Operands = "weights",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "FullyConnected"
        n_in, n_out = (
            width(owner, "in_features", in_features),
            width(owner, "out_features", out_features),
        )
        self.sender_shape, self.receiver_shape = (n_in,), (n_out,)
        self.reduction = check_reduction(owner, reduction)
        self.operands = check_operands(owner, operands)
        self.strength = per_unit(owner, "strength", strength, n_out, dtype)
        self.threshold = per_unit(owner, "threshold", threshold, n_out, dtype)
        self.W = gaussian(key, n_in, n_out, self.strength, dtype)

    @property
    def matrix(self) -> Float[Array, "in_features out_features"]:
        """The couplings by sender and receiver, under the name that all dense modules share."""
        return self.W

    def __call__(
        self, x: Float[Array, "n in_features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n out_features"]:
        """The message `x @ W`; no randomness is used."""
        return product(x, self.W, self.operands)

    def trained(self) -> dict[str, bool | Array]:
        """The weights learn; strength and threshold do not."""
        return {"W": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `W`."""
        return {
            "W": margin_perceptron(
                x,
                y,
                y_hat,
                self.threshold,
                reduction=self.reduction,
                gate=gate,
                operands=self.operands,
            )
        }

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("FullyConnected", y),)


@final
class FrozenFullyConnected(AbstractAdapter):
    """Dense couplings that never learn; the message is `x @ W`, the pseudo-gradient zero.

    It takes the arguments of `FullyConnected`, so that one can stand in for the other.
    The threshold and the reduction have nothing to do here.
    """

    W: Float[Array, "in_features out_features"]
    strength: Float[Array, "..."]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    operands: Operands = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        in_features: int,
        out_features: int,
        strength: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        reduction: Reduction = "sqrt",
        operands: Operands = "weights",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        twin = FullyConnected(
            in_features,
            out_features,
            strength,
            threshold,
            key,
            reduction=reduction,
            operands=operands,
            dtype=dtype,
        )
        self.operands = twin.operands
        self.W, self.strength, self.threshold = twin.W, twin.strength, twin.threshold
        self.sender_shape, self.receiver_shape = twin.sender_shape, twin.receiver_shape

    @property
    def matrix(self) -> Float[Array, "in_features out_features"]:
        """The couplings by sender and receiver, under the name that all dense modules share."""
        return self.W

    def __call__(
        self, x: Float[Array, "n in_features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n out_features"]:
        """The message `x @ W`; no randomness is used."""
        return product(x, self.W, self.operands)

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns."""
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """Nothing is added."""
        return {}
