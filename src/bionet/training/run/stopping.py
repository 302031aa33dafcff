"""The end of a run before its last epoch, by patience or by a callback, and the words for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from bionet.training.checks.health import comparable
from bionet.training.problem import Problem
from bionet.training.run.checkpoints_of_run import Row, tell


def out_of_patience(history: Sequence[Row], metric: str, patience: int | None) -> bool:
    """Returns whether the metric has not risen in the last `patience` epochs."""
    if patience is None or len(history) <= patience:
        return False
    values = [comparable(row[metric]) for row in history]
    return max(values[-patience:]) <= max(values[:-patience])


def ends_the_run(answer: Any) -> bool:
    """Returns whether a callback's answer is True: Python's, or a boolean array with one entry.

    Raises:
        TypeError: a boolean array with more entries, or none.
    """
    if not isinstance(answer, (np.bool_, np.ndarray, jax.Array)) or answer.dtype != np.bool_:
        return answer is True
    if answer.size != 1:
        raise TypeError(
            f"fit: a callback returned {answer.size} booleans, and one says whether to end the "
            "run. Take their any() or all()."
        )
    return bool(answer)


def tell_of_nan(problem: Problem, history: Sequence[Row], notes: list[str]) -> None:
    """Says that no epoch could be judged on the validation split, where that is so."""
    name = problem.metric_name
    if problem.validation is None or not history:
        return
    if all(math.isnan(row.get(name, math.nan)) for row in history):
        epochs = "the epoch" if len(history) == 1 else f"each of the {len(history)} epochs"
        tell(
            notes,
            f"The validation metric {name!r} was NaN after {epochs}, so no epoch counted as better "
            "than another. Look at the metric, and at the outputs.",
        )
