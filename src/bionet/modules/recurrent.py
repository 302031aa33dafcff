"""Binary units with recurrent couplings: the hidden layers of an attractor network.

The couplings are not symmetric. The diagonal is the self-coupling `j_d`: it keeps a
unit at its last value, which is what gives an asymmetric network fixed points to
settle into. It belongs to the dynamics, so it never learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.kernels.products import Operands, check_operands, product
from bionet.modules.activations import hard_sign, sum_messages
from bionet.modules.interfaces import AbstractLayer
from bionet.modules.parameters import check_reduction, gaussian, no_signs, per_unit, width
from bionet.rules.perceptron import Reduction, margin_perceptron


@final
class RecurrentDiscrete(AbstractLayer):
    """Units in {-1, +1} with dense recurrent couplings that learn by the margin perceptron.

    Args:
        features: number of units.
        j_d: the self-coupling on the diagonal of `J`; a scalar, or one value per unit.
        threshold: the margin asked for, in units of the local field; a scalar, or one
            value per unit.
        key: of the initial couplings, `J ~ N(0, 1) / sqrt(features)` off the diagonal.
        reduction: how the rule adds up a batch, see `bionet.rules.margin_perceptron`.
        operands: how wide the numbers are that products multiply: as the weights are, or
            "bfloat16", "bfloat16x3" (three parts, which for binary units is exact) or
            "fastest" (bfloat16 where the device has a unit for it). The weights themselves,
            the local fields and what is learned keep their dtype.
        dtype: of the couplings.

    Raises:
        ValueError: a width that is no positive int, a `j_d` or threshold of another shape,
            an unknown reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.recurrent import RecurrentDiscrete

        layer = RecurrentDiscrete(3, j_d=0.5, threshold=1.0, key=jax.random.key(0))
        print(jnp.diag(layer.J), layer.activation(jnp.array([-2.0, 0.0, 2.0])))
        ```

    Source:
        Badalotti et al. (2025) [badalotti2025dynamical].
    """

    J: Float[Array, "features features"]
    threshold: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    operands: Operands = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        features: int,
        j_d: ArrayLike,
        threshold: ArrayLike,
        key: PRNGKeyArray,
        *,
        reduction: Reduction = "sqrt",
        operands: Operands = "weights",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "RecurrentDiscrete"
        n = width(owner, "features", features)
        self.sender_shape = self.receiver_shape = (n,)
        self.reduction = check_reduction(owner, reduction)
        self.operands = check_operands(owner, operands)
        self.threshold = per_unit(owner, "threshold", threshold, n, dtype)
        diagonal = per_unit(owner, "j_d", j_d, n, dtype)
        self.J = jnp.where(_off_diagonal(n), gaussian(key, n, n, 1.0, dtype), diagonal)

    @property
    def j_d(self) -> Float[Array, " features"]:
        """The self-coupling of each unit, the diagonal of `J`."""
        return jnp.diagonal(self.J)

    @property
    def matrix(self) -> Float[Array, "features features"]:
        """The couplings by sender and receiver, under the name that all dense modules share."""
        return self.J

    def __call__(
        self, x: Float[Array, "n features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n features"]:
        """The message `x @ J` of the layer to itself; no randomness is used."""
        return product(x, self.J, self.operands)

    def reduce(self, messages: Mapping[int, Array]) -> Float[Array, "n features"]:
        """The local field: the sum of the messages."""
        return sum_messages(messages)

    def activation(self, local_field: Float[Array, "n features"]) -> Float[Array, "n features"]:
        """The sign of the local field, with sign(0) = +1."""
        return hard_sign(local_field)

    def trained(self) -> dict[str, bool | Array]:
        """The couplings learn, their diagonal does not."""
        return {"J": _off_diagonal(self.J.shape[-1])}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The margin-perceptron increment of `J`, with a zero diagonal."""
        added = margin_perceptron(
            x, y, y_hat, self.threshold, reduction=self.reduction, gate=gate, operands=self.operands
        )
        return {"J": jnp.where(_off_diagonal(added.shape[-1]), added, jnp.zeros_like(added))}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in {-1, +1}."""
        return (no_signs("RecurrentDiscrete", y),)


def _off_diagonal(n: int) -> Bool[Array, "n n"]:
    return ~jnp.eye(n, dtype=bool)
