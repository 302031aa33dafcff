"""A chain holds layers of equal width together: unit `i` excites unit `i` of its neighbour.

The couplings are excitatory and as sparse as can be, one per unit and no matrix. Laid
from each layer to the next and back again, they make neighbouring layers agree, and many
layers move as one. They do for a stack of layers what the self-coupling `j_d` does inside
one: both give an asymmetric network states in which it can come to rest.

Like `j_d`, they belong to the dynamics and never learn. A rule that could move them would
fulfil every margin of the receiver by copying the sender, unit by unit, and leave nothing
to learn for the couplings that carry the task.
"""

from __future__ import annotations

from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.parameters import per_unit, positive, width
from bionet.modules.shapes import check_buffer


@final
class FerromagneticChain(AbstractAdapter):
    """Fixed excitatory couplings between units of the same number; the message is `strength * x`.

    Args:
        features: units of the sender, and of the receiver.
        strength: the coupling, more than 0; a scalar, or one value per unit.
        key: draws the units that are coupled; only needed if `density` is less than 1.
        density: the share of the units that are coupled, rounded to whole units. The others
            send nothing.
        dtype: of the couplings.

    Raises:
        ValueError: a width that is no positive int, a strength of another shape or not above
            0, a density outside (0, 1] or of no unit at all, or a missing key.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FerromagneticChain, FullyConnected, LayerMap, OutputLayer
        from bionet import RecurrentDiscrete
        from bionet.layer_maps import Shared

        k = jax.random.split(jax.random.key(0), 4)
        lmap = LayerMap.from_dict(
            {
                1: {
                    0: FullyConnected(4, 8, 1.0, 0.5, k[0]),
                    1: RecurrentDiscrete(8, 0.5, 0.5, k[1]),
                    2: FerromagneticChain(8, strength=0.8),
                },
                2: {1: Shared(1, 2), 2: RecurrentDiscrete(8, 0.5, 0.5, k[2])},
                3: {2: FullyConnected(8, 2, 1.0, 0.5, k[3]), 3: OutputLayer()},
            }
        )
        print(lmap[2, 1](jnp.ones((1, 8))))
        ```

    Source:
        The many-layer model of Badalotti et al. (2025) [badalotti2025dynamical], in which one
        coupling serves all units. One per unit, and a share of them, are ours.
    """

    strength: Float[Array, " features"]
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        features: int,
        strength: ArrayLike,
        key: PRNGKeyArray | None = None,
        *,
        density: float = 1.0,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "FerromagneticChain"
        n = width(owner, "features", features)
        self.sender_shape = self.receiver_shape = (n,)
        couplings = positive(owner, "strength", per_unit(owner, "strength", strength, n, dtype))
        couplings = jnp.broadcast_to(couplings, (n,))
        coupled = _coupled_units(owner, n, density)
        if coupled < n:
            couplings = jnp.where(_draw(owner, key, n, coupled), couplings, 0)
        self.strength = couplings

    @property
    def matrix(self) -> Float[Array, "features features"]:
        """The couplings as a matrix, for programs that stack those of many edges.

        The chain itself never makes one.
        """
        return jnp.diag(self.strength)

    def __call__(
        self, x: Float[Array, "n features"], rng: PRNGKeyArray | None = None
    ) -> Float[Array, "n features"]:
        """The message `strength * x`, unit by unit; no randomness is used."""
        check_buffer("FerromagneticChain", "x", x, self.sender_shape)
        return self.strength * x

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns."""
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """Nothing is added."""
        return {}


def _coupled_units(owner: str, n: int, density: float) -> int:
    if not 0 < density <= 1:
        raise ValueError(f"{owner}: density needs 0 < density <= 1, got {density}.")
    coupled = round(density * n)
    if coupled == 0:
        raise ValueError(
            f"{owner}: density {density} of {n} units couples none of them; "
            f"give {1 / n:g} or more, or leave the edge out."
        )
    return coupled


def _draw(owner: str, key: PRNGKeyArray | None, n: int, coupled: int) -> Array:
    if key is None:
        raise ValueError(f"{owner}: a density below 1 draws the coupled units and needs a key.")
    return jax.random.permutation(key, n) < coupled
