"""Graded units with recurrent couplings: what `RecurrentDiscrete` is to signs, for tanh.

The activity of a unit is `tanh(gain * field)`. With a large gain it is nearly a sign, with
a small one nearly linear. The couplings learn by the continuous perceptron, which asks
each unit to come near its target rather than to lie on the right side of a margin.

`settle` stops when no unit changes, in any bit. Graded units creep towards a fixed point
and rarely stop before the last bits do, so plan for the `max_steps` that you give it;
`settled` says that a state is exactly fixed, not that it is nearly so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Faults
from bionet.modules.activations import sum_messages
from bionet.modules.interfaces import AbstractLayer
from bionet.modules.parameters import check_reduction, gaussian, per_unit, positive, width
from bionet.rules.continuous import continuous_perceptron
from bionet.rules.perceptron import Reduction


@final
class RecurrentTanh(AbstractLayer):
    """Units in (-1, +1) with dense recurrent couplings that learn by the continuous perceptron.

    Args:
        features: number of units.
        j_d: the self-coupling on the diagonal of `J`; a scalar, or one value per unit.
        tolerance: the error from which on a unit learns, see
            `bionet.rules.continuous_perceptron`; a scalar, or one value per unit.
        key: of the initial couplings, `J ~ N(0, 1) / sqrt(features)` off the diagonal.
        gain: the steepness of the tanh, more than 0; a scalar, or one value per unit.
        reduction: how the rule adds up a batch, see `bionet.rules.margin_perceptron`.
        dtype: of the couplings.

    Raises:
        ValueError: a width that is no positive int, a value per unit of another shape, a
            gain that is not above 0, an unknown reduction.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules.tanh import RecurrentTanh

        layer = RecurrentTanh(3, j_d=0.5, tolerance=0.1, key=jax.random.key(0), gain=2.0)
        print(jnp.diag(layer.J), layer.activation(jnp.array([-2.0, 0.0, 2.0])))
        ```

    Source:
        Ours: the layer of Badalotti et al. (2025) [badalotti2025dynamical] with graded units.
    """

    J: Float[Array, "features features"]
    tolerance: Float[Array, "..."]
    gain: Float[Array, "..."]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    reduction: Reduction = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        features: int,
        j_d: ArrayLike,
        tolerance: ArrayLike,
        key: PRNGKeyArray,
        gain: ArrayLike = 1.0,
        *,
        reduction: Reduction = "sqrt",
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "RecurrentTanh"
        n = width(owner, "features", features)
        self.sender_shape = self.receiver_shape = (n,)
        self.reduction = check_reduction(owner, reduction)
        self.tolerance = per_unit(owner, "tolerance", tolerance, n, dtype)
        self.gain = positive(owner, "gain", per_unit(owner, "gain", gain, n, dtype))
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
        return x @ self.J

    def reduce(self, messages: Mapping[int, Array]) -> Float[Array, "n features"]:
        """The local field: the sum of the messages."""
        return sum_messages(messages)

    def activation(self, local_field: Float[Array, "n features"]) -> Float[Array, "n features"]:
        """The tanh of the gain times the local field."""
        return jnp.tanh(self.gain * local_field)

    def trained(self) -> dict[str, bool | Array]:
        """The couplings learn, their diagonal does not; nor do tolerance and gain."""
        return {"J": _off_diagonal(self.J.shape[-1])}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """The continuous-perceptron increment of `J`, with a zero diagonal."""
        added = continuous_perceptron(
            x, y, y_hat, self.tolerance, gain=self.gain, reduction=self.reduction, gate=gate
        )
        return {"J": jnp.where(_off_diagonal(added.shape[-1]), added, jnp.zeros_like(added))}

    def target_faults(self, y: Array) -> Faults:
        """Labels need to be in [-1, +1]."""
        fault = (
            ~(jnp.abs(y) <= 1).all(),
            "RecurrentTanh: labels need to lie in [-1, +1], where a tanh can reach, got others; "
            "scale them first.",
        )
        return (fault,)


def _off_diagonal(n: int) -> Bool[Array, "n n"]:
    return ~jnp.eye(n, dtype=bool)
