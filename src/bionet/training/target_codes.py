"""Checks the values of a problem's targets against what its loss and metric read.

Class numbers, -1 / +1, 0 / 1 and chances are all read by the scores of `bionet.training.readout`.
What none of them is, numbers from 1 on or 0 / 255 for example, would give a wrong number without
a word in a compiled program. So whoever holds arrays has them looked at once, by NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import jax
import numpy as np

from bionet.training.batches import ArrayBatches
from bionet.training.evaluate import CHUNK
from bionet.training.problem import Problem
from bionet.training.readout import ReadoutHinge, accuracy, readout_cross_entropy

SLACK = 1e-3  # by which chances may miss a sum of one


def check_targets(problem: Problem) -> None:
    """Refuses targets that the loss or the metric of a problem would misread.

    Losses and metrics that are not bionet's are not asked: what they read is their own matter.

    Raises:
        ValueError: class numbers that the outputs have no class for, or rows in no known code.
    """
    chances = problem.loss is readout_cross_entropy
    signs = isinstance(problem.loss, ReadoutHinge)
    if not (chances or signs or problem.metric is accuracy):
        return
    for part, x, y in _splits(problem):
        if np.issubdtype(y.dtype, np.integer) and y.ndim == 1:
            outputs = _outputs(problem, x)
            if len(outputs) == 2:
                _check_numbers(part, y, outputs[-1])
        elif y.ndim == 2 and (chances or signs):
            _check_rows(part, y, chances)


def _splits(problem: Problem) -> Iterator[tuple[str, jax.Array, np.ndarray]]:
    train = problem.train.examples if isinstance(problem.train, ArrayBatches) else None
    parts = (("training", train), ("validation", problem.validation), ("test", problem.test))
    for part, examples in parts:
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
    minus = (y < 0).any(axis=1, keepdims=True)
    right = np.isin(y, (-1, 0, 1))
    if chances:
        whole = np.abs(y.sum(axis=1, keepdims=True) - 1) <= SLACK
        ones = right.all(axis=1, keepdims=True) & (y == 1).any(axis=1, keepdims=True)
        right = (np.abs(y) <= 1) & (minus | whole | ones)
    if not right.all():
        row = int(np.flatnonzero(~right.all(axis=1))[0])
        codes = "-1 / +1, 0 / 1 or chances that sum to one" if chances else "-1 / +1 or 0 / 1"
        raise ValueError(
            f"fit: targets need rows in {codes}, or class numbers as integers of shape (n,), but "
            f"row {row} of the {part} split is {np.array2string(y[row], threshold=8)}."
        )
