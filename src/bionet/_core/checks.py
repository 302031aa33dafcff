"""Checks of values that are known only while a program runs."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool


class BadValuesError(RuntimeError):
    """An eager check has found numbers that nothing can be done with; the sentence says which."""


Fault = tuple[Bool[Array, ""], str]
"""A flag that is up where something is wrong, and the sentence for it."""
Faults = tuple[Fault, ...]


def unless(array: Array, failed: Bool[ArrayLike, ""], message: str) -> Array:
    """`array`, or an error at run time with `message` if `failed` is true.

    The error hangs on one bit and not on the array itself: what may raise it runs on one
    device, and an array that is spread over several would be gathered there.
    """
    passed = eqx.error_if(jnp.asarray(True), failed, message)
    return jnp.where(passed, array, jnp.zeros_like(array))
