"""The three estimators, on vectors: plain evolution strategies, the hybrid, and self-guided.

`es` knows the loss alone. `hybrid` adds to a cheap direction what evolution strategies find
orthogonal to it. `self_guided` measures the slope along the cheap direction with one pair, which
is exact but for odd terms of third order, and spends the other pairs on the orthogonal rest, so
that no sampling noise is left in the direction that matters most.

With K pairs in d dimensions, on a quadratic, the estimate of `es` has the gradient for its mean
and, on average, `1 + (d + 1) / K` times the gradient's squared length; its cosine with the
gradient is about `sqrt(K / (K + d + 1))`, whatever sigma is. That of `self_guided` is the same
law for K - 1 pairs and d - 1 dimensions, applied to the part of the gradient that is orthogonal to
the guide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, Loss, call_with_key, one_number
from bionet.experimental.hybrid.estimate.correction import Corrected, Correction, cosine, dot, norm
from bionet.experimental.hybrid.estimate.pairs import Measured, Pairs
from bionet.experimental.hybrid.estimate.vectors import as_gradient, as_vector, check_learns
from bionet.training.zeroth_order.trained_vector import (
    trained_entries,
    trained_vector,
    with_trained,
)

Vector = Float[Array, " numbers"]
Found = dict[str, Array]
LossOfModel = Callable[[PyTree], Float[Array, ""]]
Estimator = Callable[..., tuple[Vector, Found]]


def es(
    pairs: Pairs, model: PyTree, loss: LossOfModel, key: PRNGKeyArray, guide: Vector | None = None
) -> tuple[Vector, Measured]:
    """The mean of slope times direction, and all that was measured."""

    def of_vector(vector: Vector) -> Array:
        return loss(with_trained(model, vector))

    measured = pairs.measure(
        of_vector, trained_vector(model), key, entries=trained_entries(model), guide=guide
    )
    return measured.mean, measured


def hybrid(
    pairs: Pairs,
    correction: Correction,
    model: PyTree,
    b: Vector,
    loss: LossOfModel,
    key: PRNGKeyArray,
) -> tuple[Vector, Found]:
    """`b`, with the orthogonal correction, and the diagnostics."""
    g_es, measured = es(pairs, model, loss, key)
    found = correction(b, g_es, measured.halves)
    along = dot(g_es, correction.unit(b))
    return found.g, _describe(pairs, measured, b, g_es, along) | _of_correction(found)


def self_guided(
    pairs: Pairs,
    correction: Correction,
    model: PyTree,
    b: Vector,
    loss: LossOfModel,
    key: PRNGKeyArray,
) -> tuple[Vector, Found]:
    """The measured slope along `b`, with what the other pairs find orthogonal to it."""
    unit = correction.unit(b)
    length = norm(unit)
    guide = unit / jnp.where(length > 0, length, 1.0)
    orthogonal, measured = es(pairs, model, loss, key, guide)
    along = measured.slope * guide
    found = correction(along, orthogonal, measured.halves)
    told = _describe(pairs, measured, b, along + orthogonal, measured.slope)
    return found.g, told | _of_correction(found)


def correct(
    estimator: Estimator,
    pairs: Pairs,
    correction: Correction,
    model: PyTree,
    bulk: Direction,
    loss_true: Loss,
    key: PRNGKeyArray,
    batch: tuple[Any, ...],
) -> tuple[Array, Found]:
    """The corrected direction as a vector, and the diagnostics; not compiled by itself."""
    check_learns(pairs.owner, model)
    noise, direction, evaluation = jax.random.split(key, 3)
    b = as_vector(pairs.owner, model, call_with_key(bulk, model, batch, direction))

    def loss(model: PyTree) -> Array:
        return one_number(pairs.owner, loss_true, model, batch, evaluation)

    return estimator(pairs, correction, model, b, loss, noise)


@eqx.filter_jit
def correct_compiled(
    estimator: Estimator,
    pairs: Pairs,
    correction: Correction,
    model: PyTree,
    bulk: Direction,
    loss_true: Loss,
    key: PRNGKeyArray,
    batch: tuple[Any, ...],
    return_diagnostics: bool,
) -> Any:
    """The corrected direction as a pseudo-gradient, with the diagnostics if asked for."""
    g, told = correct(estimator, pairs, correction, model, bulk, loss_true, key, batch)
    gradient = as_gradient(model, g)
    return (gradient, told) if return_diagnostics else gradient


def scalars(told: Found) -> Found:
    """The metrics of a training step out of the diagnostics."""
    kept = {
        name: jnp.asarray(value, jnp.float32) for name, value in told.items() if value.ndim == 0
    }
    return {"evaluations": kept.pop("num_evaluations"), **kept}


def _describe(pairs: Pairs, measured: Measured, b: Vector, g_es: Vector, proj: Array) -> Found:
    return {
        "training_loss": measured.loss,
        "num_evaluations": jnp.asarray(pairs.evaluations, jnp.int32),
        "failed": measured.failed,
        "cosine": cosine(g_es, b),
        "proj": proj,
        "g_b_norm": norm(b),
        "g_es_norm": norm(g_es),
        "g_b": b,
        "g_es": g_es,
    }


def _of_correction(found: Corrected) -> Found:
    return {
        "g_orth_norm": norm(found.g_orth),
        "lam_eff": found.lam_eff,
        "correction_fraction": found.fraction,
        "signal_share": found.signal_share,
        "g_orth": found.g_orth,
    }
