"""Ridge regression out of gathered sums, and the choice of its penalty on validation data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Float64, PRNGKeyArray, PyTree

from bionet._core.grids import search_grid
from bionet.training.evaluate import evaluate
from bionet.training.problem import Problem

RIDGES = tuple(10.0**power for power in range(-2, 6))
"""The penalties that a control tries; where the best is at an end, it goes on by tens."""

Sums = tuple[Float[Array, "d d"], Float[Array, "d outputs"]]


class SingularError(ValueError):
    """With this penalty the readout has no single solution."""


class Solved(NamedTuple):
    """A model whose readout is solved with the penalty that validation data has chosen."""

    model: PyTree
    ridge: float
    validation: dict[str, float]


def solve_ridge(
    where: str, sums: Sums, ridge: float, *, bias: bool
) -> Float64[np.ndarray, "d outputs"]:
    """Solves `(squares + ridge) W = products` in double precision.

    Args:
        where: the name of the method, for its errors.
        sums: over all examples, of `x^T x` and `x^T y`.
        ridge: the penalty on the weights.
        bias: whether the last row of the weights is a bias, which carries no penalty.

    Raises:
        ValueError: a negative penalty, or features that are NaN or infinite.
        SingularError: no single solution.
    """
    import scipy.linalg  # takes a while, and control runs alone need it

    if not ridge >= 0:
        raise ValueError(f"{where}: ridge needs 0 or more, got {ridge}.")
    squares, products = (np.asarray(part, np.float64) for part in sums)
    if not (np.isfinite(squares).all() and np.isfinite(products).all()):
        raise ValueError(
            f"{where}: the features that the readout listens to, or the targets, are NaN or "
            "infinite. Look at the dynamics of the hidden layers."
        )
    penalty = np.full(len(squares), ridge)
    if bias:
        penalty[-1] = 0.0
    kind = "sym" if bias else "pos"
    try:
        return scipy.linalg.solve(squares + np.diag(penalty), products, assume_a=kind)
    except np.linalg.LinAlgError:
        raise SingularError(
            f"{where}: with ridge={ridge} the readout has no single solution; take a larger one."
        ) from None


def search_ridge(
    problem: Problem,
    solve: Callable[[float], PyTree],
    key: PRNGKeyArray,
    ridges: Sequence[float] | None = None,
) -> Solved:
    """Finds the penalty whose readout does best on the validation split.

    A penalty without a solution, or whose metric is NaN, is not chosen.

    Args:
        problem: with a validation split.
        solve: from a penalty to the model with the solved readout.
        key: of models that use randomness.
        ridges: the penalties to choose from, and no others; None is `RIDGES`, and beyond either
            end by tens for as long as that is better.

    Raises:
        ValueError: no validation split, or no penalty that works.
    """
    import scipy.linalg

    examples, found = problem.validation, {}
    if examples is None:
        raise ValueError("search_ridge: needs a validation split to choose the ridge on.")

    def score(ridge: float) -> float:
        try:
            model = solve(ridge)
        except SingularError:
            return float("nan")
        found[ridge] = Solved(model, ridge, evaluate(problem, model, examples, key))
        return found[ridge].validation[problem.metric_name]

    with warnings.catch_warnings():  # validation data judges how good a solution is
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
        if ridges is None:
            best, _ = search_grid(score, RIDGES, beyond=10.0)
        else:
            best, _ = search_grid(score, ridges)
    return found[best]
