"""Antithetic pairs of evaluations: the slope of a loss along random directions.

A pair is the loss at `theta + sigma d` and at `theta - sigma d`; their difference over `2 sigma`
is the slope along d. Even terms of the loss cancel, so on a quadratic it is exact. The mean of
slope times direction over Gaussian directions estimates the gradient. Every pair belongs to one
of two halves, whose means are independent: what they agree on is signal.

An evaluation that is NaN or infinite has failed. Its pair is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from bionet._core.checks import unless
from bionet.experimental.hybrid.estimate.noise import gaussian_rows
from bionet.modules.parameters import positive, width
from bionet.training.zeroth_order.population import Population

Vector = Float[Array, " numbers"]
Rows = Int[Array, " rows"]
EXACT = jax.lax.Precision.HIGHEST


@final
class Measured(eqx.Module):
    """The estimate of the pairs, and its parts.

    Attributes:
        mean: of slope times direction, over all pairs but the guide's.
        halves: the same, over the pairs with an even and with an odd number.
        slope: along the guide; zero without one.
        loss: the mean over all evaluations that have not failed.
        failed: how many have.
    """

    mean: Vector
    halves: Float[Array, "2 numbers"]
    slope: Float[Array, ""]
    loss: Float[Array, ""]
    failed: Int[Array, ""]


@final
class Pairs(eqx.Module):
    """The pairs of an estimate: how many, how far from the model, and how many at a time.

    Args:
        owner: who asks, for the messages.
        num_samples: the number K of pairs.
        sigma: the length of a step along a direction of length 1.
        chunk: how many perturbed models exist at a time, an even number; None is all.
        mesh: devices that share them, as `batch_mesh` makes them.
        check: whether it is an error if every evaluation has failed. What comes back is NaN
            otherwise; `fit` looks at the weights after each epoch, and then names the step.

    Raises:
        ValueError: no pair, a sigma that is not above 0, pairs that chunks or devices do not
            divide.
    """

    sigma: Float[Array, ""]
    population: Population
    owner: str = eqx.field(static=True)
    check: bool = eqx.field(static=True)

    def __init__(
        self,
        owner: str,
        num_samples: int,
        sigma: ArrayLike,
        chunk: int | None = None,
        mesh: Mesh | None = None,
        *,
        check: bool = True,
    ) -> None:
        pairs = width(owner, "num_samples", num_samples)
        self.sigma = positive(owner, "sigma", jnp.asarray(sigma, jnp.result_type(float)))
        self.population = Population(owner, 2 * pairs, chunk, mesh, paired=True)
        self.owner, self.check = owner, check

    @property
    def num_samples(self) -> int:
        """The number of pairs."""
        return self.population.rows

    @property
    def evaluations(self) -> int:
        """Two for each pair."""
        return self.population.size

    def measure(
        self,
        loss: Callable[[Vector], Array],
        point: Vector,
        key: PRNGKeyArray,
        *,
        entries: Bool[Array, " numbers"] | None = None,
        guide: Vector | None = None,
    ) -> Measured:
        """Evaluates all pairs around a point.

        Args:
            loss: of a vector of trained numbers.
            point: that of the model.
            key: of the directions.
            entries: which numbers learn; the others are not perturbed.
            guide: a direction of length 1 (or zero), which takes the first pair; the others are
                then drawn from what is orthogonal to it.

        Raises:
            RuntimeError: every single evaluation has failed.
        """

        def share(rows: Rows) -> _Sums:
            directions = _directions(key, rows, point, entries, guide)
            return self._sums(loss, point, directions, _shares(rows, guide is not None))

        sums = self.population.total(share, jnp.arange(self.num_samples))
        known = self.evaluations - sums.failed
        mean = _mean(sums.products.sum(0), sums.counts.sum())
        return Measured(
            mean=self._check_known(mean, known == 0),
            halves=_mean(sums.products, sums.counts[:, None]),
            slope=sums.slope,
            loss=_mean(sums.loss, known),
            failed=sums.failed,
        )

    def _check_known(self, mean: Vector, nothing: Bool[Array, ""]) -> Vector:
        if not self.check:
            return jnp.where(nothing, jnp.nan, mean)
        sentence = (
            f"{self.owner}: all {self.evaluations} evaluations of the loss were NaN or infinite. "
            "Look at the loss of the model itself, or lower sigma."
        )
        return unless(mean, nothing, sentence)

    def _sums(
        self,
        loss: Callable[[Vector], Array],
        point: Vector,
        directions: Float[Array, "rows numbers"],
        shares: Float[Array, "3 rows"],
    ) -> _Sums:
        steps = self.sigma.astype(point.dtype) * directions
        losses = jax.vmap(loss)(point + jnp.concatenate([steps, -steps]))
        plus, minus = jnp.split(losses.astype(point.dtype), 2)
        finite = jnp.isfinite(plus) & jnp.isfinite(minus)
        slopes = jnp.where(finite, (plus - minus) / (2.0 * self.sigma.astype(point.dtype)), 0.0)
        halves = shares[:2].astype(point.dtype)
        good = jnp.isfinite(losses)
        return _Sums(
            products=jnp.matmul(halves * slopes, directions, precision=EXACT),
            counts=(halves * finite).sum(1),
            slope=(shares[2] * slopes).sum(),
            loss=jnp.sum(losses.astype(point.dtype), where=good),
            failed=jnp.sum(~good),
        )


@final
class _Sums(eqx.Module):
    """Sums over the pairs, by half where it says so."""

    products: Float[Array, "2 numbers"]
    counts: Float[Array, " 2"]
    slope: Float[Array, ""]
    loss: Float[Array, ""]
    failed: Int[Array, ""]


def _directions(
    key: PRNGKeyArray,
    rows: Rows,
    point: Vector,
    entries: Bool[Array, " numbers"] | None,
    guide: Vector | None,
) -> Float[Array, "rows numbers"]:
    drawn = gaussian_rows(key, rows, point.size, point.dtype)
    if entries is not None:
        drawn = jnp.where(entries, drawn, 0.0)
    if guide is None:
        return drawn
    along = jnp.matmul(drawn, guide, precision=EXACT)
    return jnp.where(rows[:, None] == 0, guide, drawn - along[:, None] * guide)


def _shares(rows: Rows, guided: bool) -> Float[Array, "3 rows"]:
    """For each pair, whether it is in the first half, in the second, or the guide's."""
    first = (rows == 0) & guided
    odd = rows % 2 == 1
    return jnp.stack([~odd & ~first, odd & ~first, first]).astype(jnp.float32)


def _mean(total: Array, count: Array) -> Array:
    return total / jnp.maximum(count, 1).astype(total.dtype)
