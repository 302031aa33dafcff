"""The best value of a grid, where a best one at an end means that the grid was too short."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def search_grid(
    score: Callable[[float], float],
    grid: Sequence[float],
    *,
    beyond: float | None = None,
) -> tuple[float, float]:
    """Finds the value with the highest score; of equals the first, and NaN is never the highest.

    Args:
        score: How good a value is; higher is better.
        grid: Positive values, in ascending order if it may go on.
        beyond: Go on by this factor beyond an end for as long as that is better; None does not.

    Returns:
        The value and its score.

    Raises:
        ValueError: No value to try, or none with a score.
    """
    if len(grid) == 0:
        raise ValueError("search_grid: needs one value at least to choose from.")
    scores = {value: _number(score(value)) for value in grid}
    best = max(scores, key=lambda value: scores[value])
    if scores[best] == -math.inf:
        raise ValueError(f"search_grid: none of {', '.join(f'{each:g}' for each in grid)} works.")
    if beyond is None:
        return best, scores[best]
    factor = {grid[-1]: beyond, grid[0]: 1.0 / beyond}.get(best, 1.0)
    while factor != 1.0:
        further = best * factor
        found = _number(score(further))
        if found <= scores[best]:
            break
        best, scores[further] = further, found
    return best, scores[best]


def _number(score: float) -> float:
    return -math.inf if math.isnan(score) else score
