"""A dense readout that learns by the softmax delta rule.

It sends the same message as `FullyConnected`. Where that one moves each class by itself,
until each has its margin, this one lets the classes compete: a class that has the
probability already gets no more, and what a sample teaches fades as it is learned.
"""

from __future__ import annotations

from typing import ClassVar, final

import equinox as eqx
from jax import numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.kernels.products import Operands, check_operands, product
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.parameters import check_reduction, gaussian, no_signs, per_unit, width
from bionet.rules.perceptron import Reduction
from bionet.rules.softmax import softmax_delta


@final
class SoftmaxReadout(AbstractAdapter):
    """Dense couplings to one unit per class, which learn by the softmax delta rule.

    Args:
        in_features: units of the sender.
        out_features: classes.
        strength: scale of the initial weights, `W ~ strength * N(0, 1) / sqrt(in_features)`;
            a scalar, or one value per class.
        key: of the initial weights.
        reduction: how the rule adds up a batch, see `bionet.rules.margin_perceptron`.
        operands: how wide the numbers are that products multiply, see `FullyConnected`.
        dtype: of the weights.

    Raises:
        ValueError: a width that is no positive int, a strength of another shape, an unknown
            reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.softmax import SoftmaxReadout

        edge = SoftmaxReadout(4, 3, strength=0.1, key=jax.random.key(0))
        x, y = jnp.ones((8, 4)), jnp.tile(jnp.array([1.0, -1.0, -1.0]), (8, 1))
        pseudo_gradient = edge.backward(x, y, y_hat=edge(x))
        print(edge(x).shape, pseudo_gradient.W.shape)
        ```

    Source:
        Bridle (1990), see `bionet.rules.softmax_delta`.
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
        owner = "SoftmaxReadout"
        n_in = width(owner, "in_features", in_features)
        n_out = width(owner, "out_features", out_features)
        self.sender_shape, self.receiver_shape = (n_in,), (n_out,)
        self.reduction = check_reduction(owner, reduction)
        self.operands = check_operands(owner, operands)
        self.strength = per_unit(owner, "strength", strength, n_out, dtype)
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
        """The weights learn; the strength does not."""
        return {"W": True}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The softmax-delta increment of `W`."""
        added = softmax_delta(
            x, y, y_hat, reduction=self.reduction, gate=gate, operands=self.operands
        )
        return {"W": added}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}, with one +1 per sample."""
        several = (
            ~((y > 0).sum(axis=-1) == 1).all(),
            "SoftmaxReadout: each sample needs exactly one label of +1, its class, got another "
            "number; make labels from class numbers by bionet.datasets.one_vs_all.",
        )
        return no_signs("SoftmaxReadout", y), several
