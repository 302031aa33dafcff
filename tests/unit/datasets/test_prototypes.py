"""The prototypes task is what it says it is, and its two rules answer as theory says."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from bionet.datasets import (
    PrototypeSplits,
    Split,
    Splits,
    make_prototypes,
    nearest_class_mean,
    nearest_prototype,
)


def accuracy(answers: np.ndarray, split: Split) -> float:
    return float(np.mean(answers == split.y))


def parts(task: PrototypeSplits) -> list[Split]:
    assert task.validation is not None
    return [task.train, task.validation, task.test]


def test_the_task_is_splits_that_carry_their_prototypes() -> None:
    task = make_prototypes(0)
    assert isinstance(task, Splits)
    assert (task.name, task.num_classes, task.flip) == ("prototypes", 10, 0.3)
    assert task.prototypes.shape == (10, 100)
    assert [len(part) for part in parts(task)] == [1_000, 1_000, 2_000]
    for values in (task.prototypes, *(part.x for part in parts(task))):
        assert values.dtype == np.float32
        assert set(np.unique(values)) == {-1, 1}


def test_samples_are_their_prototypes_with_the_stated_noise() -> None:
    task = make_prototypes(1, flip=0.3)
    for part in parts(task):
        flipped = part.x != task.prototypes[part.y]
        error = 4 * math.sqrt(0.3 * 0.7 / flipped.size)
        assert abs(flipped.mean() - 0.3) < error
        assert abs(flipped.mean(axis=0) - 0.3).max() < 0.1  # every entry, not a few of them


def test_without_noise_a_sample_is_its_prototype() -> None:
    task = make_prototypes(1, flip=0.0)
    for part in parts(task):
        np.testing.assert_array_equal(part.x, task.prototypes[part.y])


def test_classes_are_balanced_and_shuffled() -> None:
    task = make_prototypes(2, num_classes=7, train=100)
    counts = np.bincount(task.train.y, minlength=7)
    assert counts.max() - counts.min() == 1
    assert np.any(np.diff(task.train.y) < 0)
    assert task.train.y.tolist() != (np.arange(100) % 7).tolist()


def test_the_noise_of_the_parts_is_fresh() -> None:
    task = make_prototypes(3)
    first = [part.x[np.argsort(part.y, kind="stable")][:100] for part in parts(task)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs((first[a] != first[b]).mean() - 2 * 0.3 * 0.7) < 0.05


def test_the_seed_decides_all_and_the_parts_do_not_touch_each_other() -> None:
    one, fewer, other = make_prototypes(4), make_prototypes(4, train=50), make_prototypes(5)
    np.testing.assert_array_equal(one.prototypes, fewer.prototypes)
    for full, same in zip(parts(one)[1:], parts(fewer)[1:], strict=True):
        np.testing.assert_array_equal(full.x, same.x)
    without = make_prototypes(4, validation=0)
    assert without.validation is None
    np.testing.assert_array_equal(one.test.x, without.test.x)
    assert abs((one.prototypes != other.prototypes).mean() - 0.5) < 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nearest_prototype_reaches_the_known_optimum(seed: int) -> None:
    task = make_prototypes(seed, test=20_000)
    assert 0.982 < accuracy(nearest_prototype(task.prototypes, task.test.x), task.test) < 0.991


def test_nearest_prototype_takes_the_fewest_differences() -> None:
    task = make_prototypes(6, num_classes=5, dim=9, flip=0.4)
    differences = (task.test.x[:, None, :] != task.prototypes[None]).sum(axis=-1)
    answers = nearest_prototype(task.prototypes, task.test.x)
    np.testing.assert_array_equal(answers, differences.argmin(axis=1))
    assert answers.dtype == np.int32


def test_nearest_class_mean_comes_near_the_optimum_and_not_past_it() -> None:
    task = make_prototypes(7, test=20_000)
    optimum = accuracy(nearest_prototype(task.prototypes, task.test.x), task.test)
    learned = accuracy(nearest_class_mean(task.train, task.test.x), task.test)
    assert optimum - 0.02 < learned <= optimum + 0.001


def test_nearest_class_mean_measures_euclidean_distance() -> None:
    generator = np.random.default_rng(0)
    train = Split(generator.normal(size=(60, 2, 3)) * 3 + 1, generator.integers(4, size=60))
    x = generator.normal(size=(40, 2, 3)) * 3
    means = np.stack([train.x[train.y == label].mean(axis=0).ravel() for label in range(4)])
    distances = np.linalg.norm(x.reshape(40, 1, 6) - means[None], axis=-1)
    np.testing.assert_array_equal(nearest_class_mean(train, x), distances.argmin(axis=1))


def test_nearest_class_mean_answers_only_classes_that_it_saw() -> None:
    train = Split([[1.0, 0.0], [0.0, 1.0]], [3, 5])
    assert nearest_class_mean(train, np.array([[0.1, 0.9], [2.0, 0.0]])).tolist() == [5, 3]


def test_the_hardest_noise_leaves_chance() -> None:
    task = make_prototypes(8, flip=0.5, test=5_000)
    assert abs(accuracy(nearest_prototype(task.prototypes, task.test.x), task.test) - 0.1) < 0.03


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"flip": 0.6}, ValueError, "flip is a probability from 0 to 0.5, got 0.6."),
        ({"flip": -0.1}, ValueError, "flip is a probability from 0 to 0.5, got -0.1."),
        (
            {"flip": math.nan},
            ValueError,
            "flip is a probability from 0 to 0.5, got nan.",
        ),
        ({"num_classes": 1}, ValueError, "num_classes must be 2 or more, got 1."),
        ({"dim": 0}, ValueError, "dim must be 1 or more, got 0."),
        (
            {"dim": 3},
            ValueError,
            "3 entries make 8 different prototypes, too few for 10 classes; give dim 4 or more.",
        ),
        ({"train": 0}, ValueError, "train must be 1 or more, got 0."),
        ({"validation": -1}, ValueError, "validation must be 0 or more, got -1."),
        ({"test": 0}, ValueError, "test must be 1 or more, got 0."),
        ({"test": 0.2}, TypeError, "test must be a whole number, got 0.2."),
        ({"seed": -1}, ValueError, "seed must be 0 or more, got -1."),
        (
            {"seed": np.zeros(2, dtype=np.uint32)},
            TypeError,
            "seed must be a whole number, got a ndarray; "
            "data sets are drawn with NumPy and take no JAX key.",
        ),
    ],
)
def test_make_prototypes_refuses(
    options: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        make_prototypes(**({"seed": 0} | options))


def test_the_rules_refuse_samples_of_another_length() -> None:
    task = make_prototypes(0, dim=5)
    x = np.ones((2, 4))
    sentence = "x must hold 5 numbers per sample to be compared with the {}, but its shape is {}."
    with pytest.raises(ValueError, match=re.escape(sentence.format("prototypes", "(2, 4)"))):
        nearest_prototype(task.prototypes, x)
    with pytest.raises(ValueError, match=re.escape(sentence.format("training samples", "(5,)"))):
        nearest_class_mean(task.train, np.ones(5))
