"""The share of a trace that is left after one time step: a number between 0 and 1."""

from __future__ import annotations

from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, DTypeLike, Float

from bionet._core.checks import unless
from bionet.modules.parameters import per_unit


@final
class Leak(eqx.Module):
    """The share of a voltage, or of another trace, that each step leaves.

    A leak that learns is held as `log(leak / (1 - leak))`, so that no step of an optimiser and
    no perturbation takes it out of (0, 1). A fixed one is held as it is and never learns.

    Args:
        owner: whose it is, for errors.
        name: what it is called there.
        value: for all units, or one value per unit. For a time constant tau in steps it is
            `exp(-1 / tau)`.
        units: how many units there are.
        learned: whether it learns. A learned one lies within (0, 1), a fixed one within [0, 1].
        dtype: of the leaf.

    Raises:
        ValueError: a value out of its range, or a value per unit of another shape.
    """

    raw: Float[Array, "..."]
    learned: bool = eqx.field(static=True)

    def __init__(
        self,
        owner: str,
        name: str,
        value: ArrayLike,
        units: int,
        *,
        learned: bool,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        self.learned = bool(learned)
        leak = per_unit(owner, name, value, units, dtype, each="unit")
        words = "between 0 and 1, without either, to learn" if self.learned else "from 0 to 1"
        leak = _check(leak, self.learned, f"{owner}: {name} needs to be {words}")
        self.raw = jnp.log(leak) - jnp.log1p(-leak) if self.learned else leak

    @property
    def value(self) -> Float[Array, "..."]:
        """The share itself."""
        return jax.nn.sigmoid(self.raw) if self.learned else self.raw

    def trained(self) -> dict[str, bool | Array]:
        """The number learns if it was made to."""
        return {"raw": True} if self.learned else {}


def _check(leak: Array, learned: bool, sentence: str) -> Array:
    known = not isinstance(leak, Tracer)
    share: Any = np.asarray(leak) if known else leak  # by NumPy: inside a trace JAX would trace it
    inside = (share > 0) & (share < 1) if learned else (share >= 0) & (share <= 1)
    if not known:
        return unless(leak, ~inside.all(), f"{sentence}.")
    if not inside.all():
        raise ValueError(f"{sentence}, got {leak}.")
    return leak
