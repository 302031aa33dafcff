"""The one-line rules that a trained classifier has to beat: averages, neighbours, a linear map.

Each of them reads the inputs as they are, without a network. Which one is the strongest depends on
the data (on handwritten digits the nearest neighbour, on noisy prototypes the nearest class mean),
so a recipe reports all of them, and its floor is the best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bionet._core.grids import search_grid
from bionet.datasets.prototypes import nearest_class_mean
from bionet.datasets.splits import Split, Splits, one_vs_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Float64, Int32

NEIGHBOURS = 10_000  # training samples at most among which a recipe looks for the nearest one
PENALTIES = tuple(10.0**power for power in range(-2, 6))
_BLOCK = 2_000  # samples at a time


def classification_floors(splits: Splits, *, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Measures every rule of this page on the test split.

    Args:
        splits: The data, with a validation split, on which the linear map chooses its penalty.
        neighbours: Training samples at most, the first ones, among which the nearest is looked
            for. Where there are more, the name of the rule says how many were taken.

    Returns:
        The share of right answers by the name of the rule, chance first.
    """
    train, test = splits.train, splits.test
    kept = Split(train.x[:neighbours], train.y[:neighbours])
    nearest = "nearest neighbour"
    if len(kept) < len(train):
        nearest += f" of {len(kept):,}"
    answers = {
        "nearest class mean": nearest_class_mean(train, test.x),
        nearest: nearest_neighbour(kept, test.x),
        "ridge on the inputs": ridge_on_inputs(splits),
    }
    shares = {name: float(np.mean(answer == test.y)) for name, answer in answers.items()}
    return {"chance": 1.0 / splits.num_classes, **shares}


def nearest_neighbour(train: Split, x: Float[np.ndarray, "n *features"]) -> Int32[np.ndarray, " n"]:
    """Answers with the class of the nearest training sample, in Euclidean distance.

    Ties go to the sample that comes first.

    Args:
        train: The samples to look among.
        x: The samples to label.

    Returns:
        One class label per sample.

    Raises:
        ValueError: Samples of another shape than the training samples.
    """
    _same_shape(train, x)
    seen = train.x.reshape(len(train), -1)
    halves = 0.5 * np.sum(seen**2, axis=1)
    found = [
        np.argmax(block.reshape(len(block), -1) @ seen.T - halves, axis=1) for block in _blocks(x)
    ]
    return train.y[np.concatenate(found)]


def ridge_on_inputs(
    splits: Splits, *, penalties: Sequence[float] = PENALTIES
) -> Int32[np.ndarray, " n"]:
    """Answers with the best linear map of the inputs as they are: ridge regression of the labels.

    One against all the others, with a bias that carries no penalty. The penalty is chosen on the
    validation split, and looked for beyond `penalties` where the best one lies at an end of them.

    Args:
        splits: The data, with a validation split.
        penalties: On the sum of squares over all training samples, in ascending order.

    Returns:
        One class label per sample of the test split.

    Raises:
        ValueError: No validation split.
    """
    held_out = splits.validation
    if held_out is None:
        raise ValueError("ridge_on_inputs: needs a validation split to choose the penalty on.")
    squares, products = _sums(splits.train, splits.num_classes)

    def answer(penalty: float, x: np.ndarray) -> np.ndarray:
        weights = _solve(squares, products, penalty)
        scores = [_with_one(block) @ weights for block in _blocks(x)]
        return np.concatenate(scores).argmax(1).astype(np.int32)

    def score(penalty: float) -> float:
        return float(np.mean(answer(penalty, held_out.x) == held_out.y))

    best, _ = search_grid(score, penalties, beyond=10.0)
    return answer(best, splits.test.x)


def _sums(
    train: Split, num_classes: int
) -> tuple[Float64[np.ndarray, "d d"], Float64[np.ndarray, "d classes"]]:
    width = train.x[0].size + 1
    squares, products = np.zeros((width, width)), np.zeros((width, num_classes))
    for x, y in zip(_blocks(train.x), _blocks(train.y), strict=True):
        seen = _with_one(x)
        squares += seen.T @ seen
        products += seen.T @ one_vs_all(y, num_classes)
    return squares, products


def _solve(squares: np.ndarray, products: np.ndarray, penalty: float) -> np.ndarray:
    import scipy.linalg  # takes a while, and baselines alone need it

    diagonal = np.diag([penalty] * (len(squares) - 1) + [0.0])
    return scipy.linalg.solve(squares + diagonal, products, assume_a="pos")


def _with_one(x: np.ndarray) -> Float64[np.ndarray, "n d"]:
    return np.concatenate([x.reshape(len(x), -1), np.ones((len(x), 1))], 1)


def _blocks(array: np.ndarray) -> list[np.ndarray]:
    return [array[start : start + _BLOCK] for start in range(0, len(array), _BLOCK)]


def _same_shape(train: Split, x: np.ndarray) -> None:
    if x.shape[1:] != train.x.shape[1:]:
        raise ValueError(
            f"nearest_neighbour: samples need the shape {train.x.shape[1:]} of the training "
            f"samples, got {x.shape[1:]}."
        )
