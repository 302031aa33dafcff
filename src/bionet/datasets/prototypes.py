"""The prototypes task: noisy copies of a few random patterns, to be told apart.

Each class is one random pattern of -1 and +1. A sample is the pattern of its class
with every entry flipped independently with probability `flip`. The task needs no
file, its difficulty is one number, and its best possible answer is known: the
nearest prototype, which is right 98.4 to 98.9 % of the time at 30 % noise with ten
classes in 100 dimensions. So a method can be measured against the optimum, and not
just against chance. This is the classic test bed of associative memories (Hopfield,
Proc. Natl. Acad. Sci. 79, 1982), read as classification.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bionet._core.ownership import read_only
from bionet.datasets.splits import Split, Splits, check_seed, whole_number

if TYPE_CHECKING:
    from jaxtyping import Float, Float32, Int32


@dataclass(frozen=True, eq=False)
class PrototypeSplits(Splits):
    """The prototypes task as `Splits`, with what generated it.

    Args:
        prototypes: The patterns, -1 and +1, one row per class.
        flip: The probability with which each entry of a sample was flipped.
    """

    prototypes: Float32[np.ndarray, "{self.num_classes} dim"]
    flip: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "prototypes", read_only(np.asarray(self.prototypes)))


def make_prototypes(
    seed: int,
    *,
    num_classes: int = 10,
    dim: int = 100,
    flip: float = 0.3,
    train: int = 1_000,
    validation: int = 1_000,
    test: int = 2_000,
) -> PrototypeSplits:
    """Draws prototypes, and noisy samples of them.

    All three parts are fresh noise on the same prototypes, and each part has its own
    random stream: a different number of training samples changes neither the
    prototypes nor the test samples. Classes are balanced to within one sample, and
    shuffled. The random numbers are NumPy's, from a whole number, since data is made
    before any JAX code runs.

    Args:
        seed: A whole number from 0; the same seed gives the same task.
        num_classes: How many prototypes, two or more.
        dim: The entries of a prototype.
        flip: The probability that an entry is flipped, from 0 (no noise) to 0.5
            (nothing left to learn).
        train: How many training samples.
        validation: How many validation samples; with 0, `validation` is None.
        test: How many test samples.

    Returns:
        The parts, with the prototypes and the noise beside them.

    Raises:
        TypeError: A seed that is no whole number, such as a JAX key.
        ValueError: A number outside its range.

    Example:
        >>> task = make_prototypes(0)
        >>> optimum = nearest_prototype(task.prototypes, task.test.x) == task.test.y
        >>> bool(optimum.mean() > 0.97)
        True
    """
    least = {"num_classes": 2, "dim": 1, "train": 1, "validation": 0, "test": 1}
    given = (num_classes, dim, train, validation, test)
    for (name, bound), value in zip(least.items(), given, strict=True):
        if whole_number(name, value) < bound:
            raise ValueError(f"{name} must be {bound} or more, got {value}.")
    if num_classes > 2 ** min(dim, 63):
        raise ValueError(
            f"{dim} entries make {2**dim} different prototypes, too few for {num_classes} classes; "
            f"give dim {math.ceil(math.log2(num_classes))} or more."
        )
    if not 0 <= flip <= 0.5:
        raise ValueError(f"flip is a probability from 0 to 0.5, got {flip}.")
    streams = [
        np.random.default_rng(stream)
        for stream in np.random.SeedSequence(check_seed(seed)).spawn(4)
    ]
    prototypes = _signs(streams[0], (num_classes, dim), 0.5)
    return PrototypeSplits(
        train=_noisy(prototypes, train, flip, streams[1]),
        validation=_noisy(prototypes, validation, flip, streams[2]) if validation > 0 else None,
        test=_noisy(prototypes, test, flip, streams[3]),
        name="prototypes",
        num_classes=num_classes,
        prototypes=prototypes,
        flip=flip,
    )


def nearest_prototype(
    prototypes: Float[np.ndarray, "classes dim"], x: Float[np.ndarray, "n dim"]
) -> Int32[np.ndarray, " n"]:
    """The optimal rule, which knows the prototypes: the one that differs in fewest entries.

    With equally frequent classes and noise that flips entries independently with one
    probability below one half, no rule makes fewer errors. Ties go to the lowest label.

    Args:
        prototypes: One pattern of -1 and +1 per row.
        x: The samples, of -1 and +1.

    Returns:
        One class label per sample.

    Raises:
        ValueError: Samples and prototypes of different lengths.
    """
    prototypes = np.asarray(prototypes)
    samples = _flat(x, prototypes.shape[1], "prototypes")
    return np.argmax(samples @ prototypes.T, axis=1).astype(np.int32)


def nearest_class_mean(train: Split, x: Float[np.ndarray, "n dim"]) -> Int32[np.ndarray, " n"]:
    """The simplest rule that learns: the class whose mean training sample is nearest.

    Nearest in Euclidean distance over all features; ties go to the lowest label. A
    class without a training sample is never answered. A trained network that does not
    beat this rule has learned nothing that averaging does not give.

    Args:
        train: What the means are taken over.
        x: The samples to label.

    Returns:
        One class label per sample.

    Raises:
        ValueError: Samples and training samples of different lengths.
    """
    seen = train.x.reshape(len(train), -1)
    samples = _flat(x, seen.shape[1], "training samples")
    present = np.unique(train.y)
    means = np.stack([seen[train.y == label].mean(axis=0) for label in present])
    closeness = samples @ means.T - 0.5 * np.sum(means**2, axis=1)
    return present[np.argmax(closeness, axis=1)].astype(np.int32)


def _noisy(
    prototypes: np.ndarray, count: int, flip: float, generator: np.random.Generator
) -> Split:
    labels = generator.permutation(np.arange(count) % len(prototypes))
    return Split(prototypes[labels] * _signs(generator, (count, prototypes.shape[1]), flip), labels)


def _signs(generator: np.random.Generator, shape: tuple[int, ...], minus: float) -> np.ndarray:
    return np.where(generator.random(shape) < minus, -1, 1).astype(np.float32)


def _flat(x: Any, length: int, of_what: str) -> np.ndarray:
    samples = np.asarray(x)
    flat = samples.reshape(len(samples), -1) if samples.size > 0 else samples
    if flat.ndim != 2 or flat.shape[1] != length:
        raise ValueError(
            f"x must hold {length} numbers per sample to be compared with the {of_what}, "
            f"but its shape is {samples.shape}."
        )
    return flat
