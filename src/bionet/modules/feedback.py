"""Feedback that learns to point back along the way forward, without copying any weight.

The error at the output has to tell each hidden unit which way to move, and the readout's
own weights, turned round, would say it best. A synapse can't read another one's weight.
But a feedback synapse sees the same two activities as the readout synapse between the same
two units: the hidden unit's and the error's. If both add the product of the two, the
difference between them stays what it was at the start, while what they share grows.
"""

from __future__ import annotations

from typing import ClassVar, final

import equinox as eqx
from jax import numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet.kernels.products import Operands, check_operands, product
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.parameters import check_reduction, gaussian, per_unit, width
from bionet.rules.hebbian import hebbian
from bionet.rules.perceptron import Reduction


@final
class LearnedFeedback(AbstractAdapter):
    """Dense couplings from the error to hidden units, which learn by Hebb's rule.

    The message is `strength * x @ W / rms(W)`: how hard the error kicks is set by `strength`
    and does not grow as the weights do. While all weights are zero there is no message.

    Args:
        in_features: units of the sender, one per class.
        out_features: units of the receiver.
        strength: the root mean square of what multiplies the sender; a scalar, or one value
            per output unit.
        key: of the initial weights, `W ~ N(0, 1) / sqrt(out_features)`, which is how a
            readout with the strength 1 in the other direction begins.
        reduction: how the rule adds up a batch. The divisor counts the `out_features`, as it
            does for a readout in the other direction, so that with one learning rate both
            add the same.
        operands: how wide the numbers are that products multiply, see `FullyConnected`.
        dtype: of the weights.

    Raises:
        ValueError: a width that is no positive int, a strength of another shape, an unknown
            reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.feedback import LearnedFeedback

        edge = LearnedFeedback(3, 8, strength=1.0, key=jax.random.key(0))
        error, hidden = jnp.array([[0.6, -0.3, -0.3]]), jnp.ones((1, 8))
        pseudo_gradient = edge.backward(error, hidden, y_hat=hidden)
        print(edge(error).shape, pseudo_gradient.W.shape)
        ```

    Source:
        Kolen and Pollack, "Backpropagation without weight transport" (1994); Akrout et al.,
        "Deep learning without weight transport" (2019). There a decay on both makes the two
        meet; here neither decays, and what they have in common outgrows the rest.
    """

    W: Float[Array, "in_features out_features"]
    strength: Float[Array, "..."]
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
        key: PRNGKeyArray,
        *,
        reduction: Reduction = "sqrt",
        operands: Operands = "weights",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "LearnedFeedback"
        n_in = width(owner, "in_features", in_features)
        n_out = width(owner, "out_features", out_features)
        self.sender_shape, self.receiver_shape = (n_in,), (n_out,)
        self.reduction = check_reduction(owner, reduction)
        self.operands = check_operands(owner, operands)
        self.strength = per_unit(owner, "strength", strength, n_out, dtype)
        self.W = gaussian(key, n_out, n_in, 1.0, dtype).T

    @property
    def matrix(self) -> Float[Array, "in_features out_features"]:
        """The matrix of the message: `strength * W / rms(W)`, or zeros while `W` is zero."""
        mean_square = jnp.square(self.W).mean()
        scale = jnp.where(mean_square > 0, mean_square, jnp.ones_like(mean_square)) ** -0.5
        return self.strength * scale * self.W

    def __call__(
        self, x: Float[Array, "n in_features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n out_features"]:
        """The message `x @ matrix`; no randomness is used."""
        return product(x, self.matrix, self.operands)

    def trained(self) -> dict[str, bool | Array]:
        """The weights learn; the strength does not."""
        return {"W": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The Hebbian increment of `W` between the sender and the receiver's buffer."""
        mirrored = hebbian(y, x, reduction=self.reduction, gate=gate, operands=self.operands)
        return {"W": mirrored.T}
