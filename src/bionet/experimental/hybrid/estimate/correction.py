"""The algebra of a hybrid: what a cheap direction is blind to, and how much of it is added.

    b_hat  = b / (|b| + eps)
    g_orth = g_es less its part along b
    g      = b + lam_eff g_orth

`lam_eff` is lam as it is, or `lam |b| / |g_orth|`, so that the correction has the length
`lam |b|` whatever the noise of the estimate. Either may be scaled by the share of signal in
`g_orth`, so that a correction that is noise is left out.
"""

from __future__ import annotations

from typing import NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from bionet._core.checks import unless

Vector = Float[Array, " numbers"]
Scalar = Float[Array, ""]
EXACT = jax.lax.Precision.HIGHEST


class Corrected(NamedTuple):
    """A direction with its correction, and what the correction is made of.

    Attributes:
        g: the direction to descend.
        g_orth: the correction before it is scaled.
        lam_eff: what it is scaled by.
        signal_share: the estimated share of signal in the square of its length.
        fraction: the length of the scaled correction over that of the direction.
    """

    g: Vector
    g_orth: Vector
    lam_eff: Scalar
    signal_share: Scalar
    fraction: Scalar


@final
class Correction(eqx.Module):
    """The share of an estimate that is added to a direction.

    Args:
        owner: who asks, for the messages.
        lam: the weight of the correction; 0 adds nothing.
        normalize: take lam as a fraction of the direction's length.
        eps: is added to the direction's length where that is divided by.
        snr: scale lam by the share of signal.

    Raises:
        ValueError: a lam or eps under 0.
    """

    lam: Scalar
    eps: Scalar
    normalize: bool = eqx.field(static=True)
    snr: bool = eqx.field(static=True)

    def __init__(
        self,
        owner: str,
        lam: ArrayLike,
        normalize: bool = True,
        eps: ArrayLike = 1e-8,
        snr: bool = False,
    ) -> None:
        self.lam = _not_negative(owner, "lam", lam)
        self.eps = _not_negative(owner, "eps", eps)
        self.normalize, self.snr = bool(normalize), bool(snr)

    def check_halves(self, owner: str, pairs: int) -> None:
        """Fails if the share of signal is asked for and there are no two halves of the pairs.

        Raises:
            ValueError: so few pairs that one half would be empty.
        """
        if self.snr and pairs < 2:
            raise ValueError(
                f"{owner}: snr compares two halves of the random pairs, and needs two of them at "
                f"least, got {pairs}; raise num_samples."
            )

    def unit(self, b: Vector) -> Vector:
        """The direction of `b` at length 1; zero for a zero."""
        length = norm(b)
        return jnp.where(length > 0, b / jnp.where(length > 0, length + self.eps, 1.0), 0.0)

    def __call__(self, b: Vector, estimate: Vector, halves: Float[Array, "2 numbers"]) -> Corrected:
        """`b`, corrected by what of the estimate is orthogonal to it.

        Args:
            b: the direction.
            estimate: of the gradient.
            halves: two independent estimates, of which `estimate` is the mean.
        """
        unit = self.unit(b)
        g_orth = orthogonal(estimate, unit)
        length, short = norm(g_orth), norm(b)
        # What is left of a vector along b is rounding, which must not be blown up.
        rounding = 16 * jnp.finfo(b.dtype).eps * norm(estimate)
        g_orth = jnp.where(length <= rounding, 0.0, g_orth)
        length = norm(g_orth)
        nothing = length == 0
        share = _signal_share(orthogonal(halves[0], unit), orthogonal(halves[1], unit), length)
        lam_eff = self.lam * share if self.snr else self.lam
        if self.normalize:
            lam_eff = lam_eff * short / jnp.where(nothing, 1.0, length)
        lam_eff = jnp.where(nothing | (self.lam == 0), 0.0, lam_eff).astype(b.dtype)
        g = jnp.where(lam_eff == 0, b, b + lam_eff * g_orth)
        fraction = jnp.where(short > 0, lam_eff * length / jnp.where(short > 0, short, 1.0), 0.0)
        return Corrected(g, g_orth, lam_eff, share, fraction)


def norm(vector: Vector) -> Scalar:
    """The length of a vector."""
    return jnp.sqrt(dot(vector, vector))


def dot(left: Vector, right: Vector) -> Scalar:
    """The inner product, without the narrow multiplication that some devices use."""
    return jnp.dot(left, right, precision=EXACT)


def orthogonal(vector: Vector, unit: Vector) -> Vector:
    """The part of `vector` that is orthogonal to `unit`, whose length is 1 or a little less."""
    square = dot(unit, unit)
    return vector - dot(vector, unit) / jnp.where(square > 0, square, 1.0) * unit


def cosine(left: Vector, right: Vector) -> Scalar:
    """The cosine of the angle between two vectors; 0 if one of them is zero."""
    lengths = norm(left) * norm(right)
    return jnp.where(lengths > 0, dot(left, right) / jnp.where(lengths > 0, lengths, 1.0), 0.0)


def _signal_share(first: Vector, second: Vector, length: Scalar) -> Scalar:
    """Estimates the share of a mean's squared length on which two independent halves of it agree.

    Their inner product has the mean |signal|^2, and the square of the mean's length
    |signal|^2 + |noise|^2, so this is the factor by which the noisy mean comes nearest to the
    signal in squares.
    """
    square = jnp.where(length > 0, length**2, 1.0)
    return jnp.where(length > 0, jnp.clip(dot(first, second) / square, 0.0, 1.0), 0.0)


def _not_negative(owner: str, name: str, value: ArrayLike) -> Scalar:
    number = jnp.asarray(value, jnp.result_type(float))
    wrong = ~((number >= 0) & jnp.isfinite(number)).all()
    sentence = f"{owner}: {name} needs to be 0 or more and finite"
    if isinstance(wrong, Tracer):
        return unless(number, wrong, f"{sentence}.")
    if wrong:
        raise ValueError(f"{sentence}, got {value}.")
    return number
