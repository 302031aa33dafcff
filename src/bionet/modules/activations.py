"""From messages to activity: the sum of a row's messages, and the sign of it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float


def hard_sign(local_field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """+1 where the field is zero or more, -1 elsewhere: no unit is ever silent."""
    one = jnp.ones((), local_field.dtype)
    return jnp.where(local_field >= 0, one, -one)


def sum_messages(messages: Mapping[int, Array]) -> Array:
    """The sum of all messages, added in the order of their senders."""
    return functools.reduce(operator.add, (messages[sender] for sender in sorted(messages)))
