"""Labelled samples, and the three parts that every experiment keeps apart.

A `Split` is samples `x` with their class labels `y`. A `Splits` is a whole data set:
what is trained on, what choices are made on (a step size, a ridge, when to stop),
and what the final number is measured on, once. Both are checked when they are made,
so that nothing downstream has to ask again, and both are read-only: what was checked is
kept as it was, in memory of its own, whatever the caller does to the arrays afterwards.

Everything here is NumPy; a data set reaches JAX when a batch does.
"""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bionet._core.ownership import read_only

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float32, Int32


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Samples and their class labels, read-only and in memory of their own.

    Args:
        x: The samples, one per leading index; cast to float32. At least two axes.
        y: The class labels, whole numbers from 0, one per sample; cast to int32.

    Raises:
        TypeError: `x` holds no numbers, or `y` holds no whole numbers.
        ValueError: No sample, a shape that does not fit, a number of labels that is not
            that of the samples, a NaN or an infinity in `x`, or a label below zero.

    Example:
        >>> Split(x=np.zeros((3, 2)), y=[0, 1, 1])
        Split(3 samples of shape (2,))
    """

    x: Float32[np.ndarray, "n *features"]
    y: Int32[np.ndarray, " n"]

    def __post_init__(self) -> None:
        x, y = _samples(self.x), _whole_numbers(self.y)
        if len(x) != len(y):
            raise ValueError(
                f"A split needs one label per sample, got {len(x)} samples with {len(y)} labels."
            )
        if len(x) == 0:
            raise ValueError("A split needs at least one sample, but x and y are empty.")
        if y.min() < 0 or y.max() > np.iinfo(np.int32).max:
            raise ValueError(
                f"Class labels count from 0, but the labels run from {y.min()} to {y.max()}."
            )
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", read_only(y, np.int32))

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Split({len(self)} samples of shape {self.x.shape[1:]})"


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set: what to train on, what to choose on, and what to report.

    Args:
        train: What the weights are fitted to.
        validation: What choices are made on, or None where every sample was wanted
            for a final run.
        test: What the final number is measured on, after all choices are made.
        name: The name that results and tables carry.
        num_classes: How many classes there are; labels are 0 to `num_classes - 1`.

    Raises:
        TypeError: A part that is no `Split`.
        ValueError: Fewer than two classes, parts whose samples differ in shape, a label that
            no class has, or two parts that are the same samples.
    """

    train: Split
    validation: Split | None
    test: Split
    name: str
    num_classes: int

    def __post_init__(self) -> None:
        _two_or_more(self.num_classes)
        for part, split in self._parts():
            if not isinstance(split, Split):
                raise TypeError(
                    f"The {part} part of {self.name!r} must be a Split, "
                    f"got a {type(split).__name__}."
                )
            if split.x.shape[1:] != self.train.x.shape[1:]:
                raise ValueError(
                    f"All parts of {self.name!r} need samples of one shape, but train has "
                    f"{self.train.x.shape[1:]} and {part} has {split.x.shape[1:]}."
                )
            _in_range(split.y, self.num_classes, f"The {part} labels of {self.name!r}")
        _check_apart(self.name, self._parts())

    def _parts(self) -> list[tuple[str, Any]]:
        parts = [("train", self.train), ("validation", self.validation), ("test", self.test)]
        return [(part, split) for part, split in parts if (part, split) != ("validation", None)]


def one_vs_all(labels: ArrayLike, num_classes: int) -> Float32[np.ndarray, "n {num_classes}"]:
    """Class labels as targets for binary units: +1 for the class, -1 for all others.

    Args:
        labels: Whole numbers from 0 to `num_classes - 1`, one per sample.
        num_classes: How many classes there are, two or more.

    Returns:
        One row per label, float32, with a single +1 in it.

    Raises:
        TypeError: The labels are no whole numbers.
        ValueError: A label outside the range, or labels with more than one axis.

    Example:
        >>> one_vs_all([2, 0], num_classes=3)
        array([[-1., -1.,  1.],
               [ 1., -1., -1.]], dtype=float32)
    """
    _two_or_more(num_classes)
    y = _whole_numbers(labels)
    _in_range(y, num_classes, "Labels")
    targets = np.full((len(y), num_classes), -1, dtype=np.float32)
    targets[np.arange(len(y)), y] = 1
    return targets


def holdout(split: Split, count: int, *, seed: int) -> tuple[Split, Split]:
    """Takes `count` samples out of a split, chosen by `seed` alone, classes not balanced.

    The order comes from the raw output of a PCG64 bit generator, which NumPy promises
    to keep (its distributions may change between versions), so that the same samples
    are held out in ten years' time.

    Args:
        split: What to divide.
        count: How many samples to hold out, at least one; at least one stays.
        seed: The seed of the division, not that of the training.

    Returns:
        The samples that stay, then those held out; together, each sample once.

    Raises:
        TypeError: A count or a seed that is no whole number, such as a share of 0.2.
        ValueError: A count that leaves one side empty, or a seed below zero.
    """
    if not 0 < whole_number("count", count) < len(split):
        raise ValueError(
            f"Of {len(split)} samples, 1 to {len(split) - 1} can be held out, not {count}."
        )
    raw = np.random.PCG64(check_seed(seed)).random_raw(len(split))
    order = np.argsort(raw, kind="stable")
    held, stays = order[:count], order[count:]
    return Split(split.x[stays], split.y[stays]), Split(split.x[held], split.y[held])


def whole_number(name: str, value: Any) -> int:
    """Returns `value` as an int, or raises a TypeError that names the argument."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}.") from None


def check_seed(seed: Any) -> int:
    """Returns `seed` as an int from 0, or says that no JAX key is wanted here."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(
            f"seed must be a whole number, got a {type(seed).__name__}; "
            f"data sets are drawn with NumPy and take no JAX key."
        ) from None
    if number < 0:
        raise ValueError(f"seed must be 0 or more, got {number}.")
    return number


def _samples(value: Any) -> np.ndarray:
    x = np.asarray(value)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"The samples x must be real numbers, got they as {x.dtype}.")
    if x.ndim < 2:
        raise ValueError(
            f"The samples x need an axis for samples and one for features, "
            f"but their shape is {x.shape}."
        )
    with np.errstate(over="ignore"):  # What float32 cannot hold is reported just below.
        x = read_only(x, np.float32)
    finite = np.isfinite(x)
    if not finite.all():
        where = int(np.flatnonzero(~finite.reshape(len(x), -1).all(axis=1))[0])
        raise ValueError(
            f"Sample {where} of x holds a NaN or an infinity; clean or drop such samples first."
        )
    return x


def _whole_numbers(value: Any) -> np.ndarray:
    y = np.asarray(value)
    if y.dtype.kind not in "iu" and y.size > 0:  # An empty list has NumPy's default, float.
        raise TypeError(
            f"Class labels must be whole numbers, got they as {y.dtype}; "
            f"round or encode them first."
        )
    if y.ndim != 1:
        raise ValueError(f"Class labels need one axis, (n,), but their shape is {y.shape}.")
    return y if y.size > 0 else y.astype(np.int32)


def _in_range(y: np.ndarray, num_classes: int, whose: str) -> None:
    outside = np.flatnonzero((y < 0) | (y >= num_classes))
    if outside.size > 0 and y.min() > 0 and y.max() == num_classes:
        raise ValueError(
            f"{whose} run from {y.min()} to {num_classes} for {num_classes} classes, but classes "
            f"count from 0: subtract 1."
        )
    if outside.size > 0:
        raise ValueError(
            f"{whose} must be 0 to {num_classes - 1} for {num_classes} classes, "
            f"but number {outside[0]} of them is {y[outside[0]]}."
        )


def _two_or_more(num_classes: int) -> None:
    if whole_number("num_classes", num_classes) < 2:
        raise ValueError(f"num_classes must be 2 or more, got {num_classes}.")


def _check_apart(name: str, parts: list[tuple[str, Split]]) -> None:
    """Fails if two parts are the same samples: a test on what was trained on says nothing."""
    for (first, one), (second, other) in itertools.combinations(parts, 2):
        if one is other or (np.array_equal(one.x, other.x) and np.array_equal(one.y, other.y)):
            raise ValueError(
                f"The {first} and the {second} part of {name!r} are the same samples; hold some "
                f"out by bionet.datasets.holdout."
            )
