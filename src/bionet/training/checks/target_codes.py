"""Checks the values of a problem's targets against what its loss and metric read.

A compiled program knows no values: the losses and metrics of bionet take rows for -1 / +1 there,
see `bionet.rules.targets`. Rows in 0 / 1, chances, numbers from 1 on or 0 / 255 would give a wrong
number without a word. So `fit` has the arrays looked at once, by NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from bionet.training.batches import AbstractBatches, ArrayBatches
from bionet.training.evaluate import CHUNK
from bionet.training.local.readout import ReadoutHinge, accuracy, readout_cross_entropy
from bionet.training.local.storage import recalled, wrong_bits
from bionet.training.problem import Problem


def check_targets(problem: Problem, key: PRNGKeyArray) -> None:
    """Refuses targets that the loss or the metric of a problem would misread.

    Losses and metrics that are not bionet's are not asked: what they read is their own matter.

    Args:
        problem: with its data; of batches that are not held as arrays the first one is drawn.
        key: of that batch.

    Raises:
        ValueError: class numbers that the outputs have no class for, or rows in another code.
    """
    chances = problem.loss is readout_cross_entropy
    signs = isinstance(problem.loss, ReadoutHinge) or problem.loss is wrong_bits
    signs |= problem.metric is recalled
    if not (chances or signs or problem.metric is accuracy):
        return
    for part, x, y in _splits(problem, key):
        if np.issubdtype(y.dtype, np.integer) and y.ndim == 1:
            outputs = _outputs(problem, x)
            if len(outputs) == 2:
                _check_numbers(part, y, outputs[-1])
        elif y.ndim > 1 and (chances or signs) and y.dtype.kind in "if":
            _check_rows(part, y, chances)


@eqx.filter_jit
def first_batch(batches: AbstractBatches, key: PRNGKeyArray) -> tuple[jax.Array, ...]:
    """The first batch of an epoch, by one compiled program."""
    return batches.batch(batches.plan(key), jnp.asarray(0))


def _splits(problem: Problem, key: PRNGKeyArray) -> Iterator[tuple[str, jax.Array, np.ndarray]]:
    if isinstance(problem.train, ArrayBatches):
        train = problem.train.examples.x, problem.train.examples.y
    else:
        train = first_batch(problem.train, key)
    yield "training", train[0], np.asarray(train[-1])
    for part, examples in (("validation", problem.validation), ("test", problem.test)):
        if examples is not None:
            yield part, examples.x, np.asarray(examples.y)


def _outputs(problem: Problem, x: jax.Array) -> tuple[int, ...]:
    """The shape of the outputs on a batch as it is trained on, or as it is evaluated."""
    train = problem.train
    rows = train.batch_size if isinstance(train, ArrayBatches) else min(len(x), CHUNK)
    batch = jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype)
    return eqx.filter_eval_shape(problem.predict, problem.model, batch, jax.random.key(0)).shape


def _check_numbers(part: str, y: np.ndarray, classes: int) -> None:
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        begins = (
            " Numbers that begin at 1 need 1 taken off." if low == 1 and high == classes else ""
        )
        raise ValueError(
            f"fit: class numbers need to be 0 to {classes - 1} for {classes} outputs, but those of "
            f"the {part} split run from {low} to {high}.{begins}"
        )


def _check_rows(part: str, y: np.ndarray, chances: bool) -> None:
    """Rows of -1 / +1; for chances p also 2 p - 1, and anything between -1 and +1."""
    rows = y.reshape(len(y), -1)
    minus = (rows < 0).any(axis=1, keepdims=True) | (rows == 1).all(axis=1, keepdims=True)
    right = minus & (np.abs(rows) <= 1 if chances else np.isin(rows, (-1, 0, 1)))
    if not right.all():
        row = int(np.flatnonzero(~right.all(axis=1))[0])
        raise ValueError(
            f"fit: targets need rows in -1 / +1, or class numbers as integers of shape (n,), but "
            f"row {row} of the {part} split is {np.array2string(y[row], threshold=8)}. Take "
            "2 * y - 1 for 0 / 1 and for chances, or bionet.datasets.one_vs_all for classes."
        )
