"""Drawing and checking the numbers that modules hold: weights, strengths, thresholds."""

from __future__ import annotations

import math
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from bionet._core.checks import Fault, unless
from bionet._core.leaves import known_array
from bionet._core.names import unknown
from bionet.rules.perceptron import REDUCTIONS, Reduction


def width(owner: str, name: str, value: int) -> int:
    """`value` as a positive int, or a ValueError that names the owner and the argument."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{owner}: {name} needs a positive int, got {value!r}.")
    return number


def per_unit(
    owner: str,
    name: str,
    value: ArrayLike,
    units: int,
    dtype: DTypeLike,
    each: str = "output unit",
) -> Float[Array, "..."]:
    """`value` as an array: a scalar, or one value for each of `units` units.

    A single value in a list is refused unless there is a single unit, because it would
    be broadcast without a word. `each` is the word for a unit in that error.
    """
    array = known_array(value, dtype)
    if array.shape not in ((), (units,)):
        raise ValueError(
            f"{owner}: {name} needs a scalar or one value per {each}, shape ({units},), "
            f"got shape {array.shape}."
        )
    if not isinstance(array, Tracer) and not np.isfinite(np.asarray(array, np.float64)).all():
        raise ValueError(f"{owner}: {name} needs finite numbers, got {value!r}.")
    return array


def positive(owner: str, name: str, values: Float[Array, "..."]) -> Float[Array, "..."]:
    """`values`, if all are finite and above 0; traced ones are looked at when they are known.

    Raises:
        ValueError: another value.
        RuntimeError: another value, of an array that is traced.
    """
    sentence = f"{owner}: {name} needs to be above 0 and finite"
    if isinstance(values, Tracer):
        return unless(values, ~((values > 0) & jnp.isfinite(values)).all(), f"{sentence}.")
    known = np.asarray(values, np.float64)  # by NumPy: inside a trace JAX would trace it
    if not ((known > 0) & np.isfinite(known)).all():
        raise ValueError(f"{sentence}, got {values}.")
    return values


def gaussian(
    key: PRNGKeyArray, fan_in: int, fan_out: int, strength: ArrayLike, dtype: DTypeLike
) -> Float[Array, "fan_in fan_out"]:
    """`strength * N(0, 1) / sqrt(fan_in)`, so that a local field has the norm `strength`."""
    normal = jax.random.normal(key, (fan_in, fan_out), dtype)
    return jnp.asarray(strength, dtype) * normal / math.sqrt(fan_in)


def check_reduction(owner: str, reduction: Reduction) -> Reduction:
    """`reduction`, or a ValueError with the nearest of the known ones."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{owner}: {unknown('reduction', reduction, REDUCTIONS)}")
    return reduction


def no_signs(owner: str, y: Array) -> Fault:
    """A flag that is up if a value is neither -1 nor +1, and its sentence."""
    return (
        ~(jnp.abs(y) == 1).all(),
        f"{owner}: labels need to be -1 or +1, got others; "
        "turn 0 / 1 into -1 / +1 by 2 * y - 1, and class numbers by bionet.datasets.one_vs_all.",
    )
