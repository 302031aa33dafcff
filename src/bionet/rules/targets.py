"""Targets in the encodings that people have, as what a rule, a loss or a score reads.

A class is given by its number, an integer for each sample, or by a row with an entry for each
class: -1 and +1, 0 and 1, or chances that sum to one. Integers with one axis less than the scores
are class numbers, and rows of bools or of unsigned integers are in 0 / 1: that is known without
the values. Of other rows it takes them. One with an entry below zero is in the code -1 / +1, any
other in 0 / 1, and the one row that both share, all ones, means the same in both.

A compiled program does not know the values, and takes rows for -1 / +1. So `fit` looks at a
problem's targets before it compiles anything (`bionet.training.checks.target_codes`); under a `jit`
of one's own nobody does.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Num


def class_chances(
    owner: str, y: Num[Array, "..."], scores: Float[Array, "*samples k"]
) -> Float[Array, "*samples k"]:
    """The chance that each class should have.

    Args:
        owner: who asks, for the messages.
        y: class numbers, or rows in one of the three codes.
        scores: what they are held against.

    Raises:
        ValueError: targets of another shape than the scores that are no class numbers.
    """
    rows, minus = _rows(owner, y, scores)
    if minus is None:
        return (rows + 1) / 2
    return jnp.where(minus, (rows + 1) / 2, rows)


def unit_signs(
    owner: str, y: Num[Array, "..."], scores: Float[Array, "*samples k"]
) -> Float[Array, "*samples k"]:
    """The sign that each unit should have, -1 or +1; between them for chances.

    Args:
        owner: who asks, for the messages.
        y: class numbers, or rows in one of the three codes.
        scores: what they are held against.

    Raises:
        ValueError: targets of another shape than the scores that are no class numbers.
    """
    rows, minus = _rows(owner, y, scores)
    return rows if minus is None else jnp.where(minus, rows, 2 * rows - 1)


def class_numbers(
    owner: str, y: Num[Array, "..."], scores: Float[Array, "*samples k"]
) -> Int[Array, "*samples"]:
    """The number of the class of each sample.

    Args:
        owner: who asks, for the messages.
        y: class numbers, or rows whose highest entry is at the class, in any code.
        scores: what they are held against.

    Raises:
        ValueError: targets of another shape than the scores that are no class numbers, or
            scores for a single class, which are always right.
    """
    if scores.ndim == 0 or scores.shape[-1] < 2:
        raise ValueError(
            f"{owner}: needs scores for two classes or more, got shape {scores.shape}: the "
            "highest of a single score is always right. Give each class an output."
        )
    return y if _is_numbers(y, scores) else _same_shape(owner, y, scores).argmax(-1)


def as_signs(
    owner: str, y: Num[Array, "..."], scores: Float[Array, "*samples k"]
) -> Float[Array, "*samples k"]:
    """Rows as they are, and rows in -1 / +1 for class numbers.

    This is for what is learned from, where a code is found out before a program is compiled.

    Args:
        owner: who asks, for the messages.
        y: class numbers, or rows in -1 / +1.
        scores: what they are held against.

    Raises:
        ValueError: targets of another shape than the scores that are no class numbers.
    """
    if _is_numbers(y, scores):
        return 2 * jax.nn.one_hot(y, scores.shape[-1], dtype=scores.dtype) - 1
    return _same_shape(owner, y, scores)


def refuse_zero_one(owner: str, y: Array) -> None:
    """Refuses targets in 0 / 1 where -1 / +1 are needed, if their values are known.

    Raises:
        ValueError: zeros and ones, and nothing else.
    """
    if isinstance(y, Tracer):
        return
    values = np.asarray(y)  # by NumPy: inside a trace JAX would trace this, too
    off, on = values == 0, values == 1
    if (off | on).all() and off.any() and on.any():
        raise ValueError(
            f"{owner}: targets need to be -1 or +1, got 0 and 1. Take 2 * y - 1, and for class "
            "numbers bionet.datasets.one_vs_all."
        )


def _rows(owner: str, y: Array, scores: Array) -> tuple[Array, np.ndarray | None]:
    """Targets by class, and which rows of them are in -1 / +1; None is all of them."""
    if _is_numbers(y, scores):
        return jax.nn.one_hot(y, scores.shape[-1], dtype=scores.dtype), np.asarray(False)
    rows = _same_shape(owner, y, scores)
    if rows.dtype == bool or jnp.issubdtype(rows.dtype, jnp.unsignedinteger):
        return rows.astype(scores.dtype), np.asarray(False)
    if not jnp.issubdtype(rows.dtype, jnp.inexact):
        rows = rows.astype(scores.dtype)
    if isinstance(y, Tracer):
        return rows, None
    minus = np.asarray((np.asarray(y) < 0).any(axis=-1, keepdims=True))
    return rows, None if minus.all() else minus


def _is_numbers(y: Array, scores: Array) -> bool:
    return jnp.issubdtype(y.dtype, jnp.integer) and y.shape == scores.shape[:-1] != ()


def _same_shape(owner: str, y: Array, scores: Array) -> Array:
    if y.shape != scores.shape:
        raise ValueError(
            f"{owner}: needs a row of targets for each row of scores, or class numbers as "
            f"integers of shape {scores.shape[:-1]}, got {y.dtype} of shape {y.shape} for scores "
            f"of shape {scores.shape}."
        )
    return y
