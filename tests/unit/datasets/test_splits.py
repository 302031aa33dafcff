"""Splits refuse what no experiment should run on, and say what was wrong."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from bionet.datasets import Split, Splits, holdout, one_vs_all


def some(count: int = 4, features: int = 3) -> Split:
    return Split(np.arange(count * features).reshape(count, features), np.arange(count) % 2)


def test_a_split_casts_and_counts() -> None:
    split = Split(x=[[0, 1], [2, 3], [4, 5]], y=np.array([0, 1, 1], dtype=np.uint8))
    assert split.x.dtype == np.float32
    assert split.y.dtype == np.int32
    assert len(split) == 3
    assert repr(split) == "Split(3 samples of shape (2,))"


def test_a_split_is_read_only_and_leaves_the_caller_alone() -> None:
    x, y = np.zeros((2, 2), dtype=np.float32), np.zeros(2, dtype=np.int32)
    split = Split(x, y)
    with pytest.raises(ValueError, match="read-only"):
        split.x[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.y[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.x = x  # type: ignore[misc]
    x[:], y[:] = np.nan, -1
    assert not split.x.any()  # What was checked, and not what the caller makes of it.
    assert not split.y.any()


def test_a_read_only_view_of_what_the_caller_can_write_is_copied() -> None:
    x, y = np.zeros((2, 2), np.float32), np.zeros(2, np.int32)
    views = x[:], y[:]
    for view in views:
        view.flags.writeable = False
    split = Split(*views)
    x[:], y[:] = np.nan, -1
    assert not split.x.any()
    assert not split.y.any()


def test_what_nobody_can_write_is_not_copied() -> None:
    split = some()
    again = Split(split.x, split.y)
    assert np.shares_memory(again.x, split.x)
    assert np.shares_memory(again.y, split.y)


@pytest.mark.parametrize(
    ("x", "y", "kind", "sentence"),
    [
        (
            np.zeros((3, 2)),
            [0, 1],
            ValueError,
            "A split needs one label per sample, got 3 samples with 2 labels.",
        ),
        (
            np.zeros((0, 2)),
            [],
            ValueError,
            "A split needs at least one sample, but x and y are empty.",
        ),
        (
            [[0.0], [np.nan], [np.inf]],
            [0, 1, 1],
            ValueError,
            "Sample 1 of x holds a NaN or an infinity; clean or drop such samples first.",
        ),
        (
            [[0.0], [1e300]],
            [0, 1],
            ValueError,
            "Sample 1 of x holds a NaN or an infinity; clean or drop such samples first.",
        ),
        (
            np.zeros(3),
            [0, 1, 1],
            ValueError,
            "The samples x need an axis for samples and one for features, but their shape is (3,).",
        ),
        (
            [["a"], ["b"]],
            [0, 1],
            TypeError,
            "The samples x must be real numbers, got they as <U1.",
        ),
        (
            np.zeros((2, 1)),
            [0.0, 1.0],
            TypeError,
            "Class labels must be whole numbers, got they as float64; round or encode them first.",
        ),
        (
            np.zeros((2, 1)),
            [[1, 0], [0, 1]],
            ValueError,
            "Class labels need one axis, (n,), but their shape is (2, 2).",
        ),
        (
            np.zeros((2, 1)),
            [-1, 1],
            ValueError,
            "Class labels count from 0, but the labels run from -1 to 1.",
        ),
        (
            np.zeros((2, 1)),
            [0, 2**40],
            ValueError,
            "Class labels count from 0, but the labels run from 0 to 1099511627776.",
        ),
    ],
)
def test_a_split_refuses(x: Any, y: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        Split(x, y)


def test_splits_hold_three_parts_or_two() -> None:
    splits = Splits(some(6), some(2), some(4), name="toy", num_classes=2)
    assert [len(splits.train), len(splits.test)] == [6, 4]
    assert Splits(some(6), None, some(4), name="toy", num_classes=2).validation is None


@pytest.mark.parametrize(
    ("parts", "which"),
    [
        ((0, None, 0), "train and the test"),
        ((0, 1, 1), "validation and the test"),
        ((0, 0, 1), "train and the validation"),
    ],
)
@pytest.mark.parametrize("same", ["object", "numbers"])
def test_splits_refuse_two_parts_that_are_the_same_samples(parts, which, same) -> None:
    made = [some(4), some(6)]
    found = [None if i is None else made[i] for i in parts]
    if same == "numbers":
        found = [None if i is None else some(4 + 2 * i) for i in parts]
    sentence = (
        f"The {which} part of 'toy' are the same samples; hold some out by bionet.datasets.holdout."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Splits(*found, name="toy", num_classes=2)


def test_splits_take_the_same_inputs_under_other_labels() -> None:
    x = np.zeros((2, 3))
    assert len(Splits(Split(x, [0, 1]), None, Split(x, [1, 0]), name="x", num_classes=2).test) == 2


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"num_classes": 1}, ValueError, "num_classes must be 2 or more, got 1."),
        ({"num_classes": 2.5}, TypeError, "num_classes must be a whole number, got 2.5."),
        (
            {"test": (np.zeros((2, 3)), [0, 1])},
            TypeError,
            "The test part of 'toy' must be a Split, got a tuple.",
        ),
        (
            {"test": None},
            TypeError,
            "The test part of 'toy' must be a Split, got a NoneType.",
        ),
        (
            {"validation": some(features=5)},
            ValueError,
            "All parts of 'toy' need samples of one shape, "
            "but train has (3,) and validation has (5,).",
        ),
        (
            {"test": Split(np.zeros((2, 3)), [0, 2])},
            ValueError,
            "The test labels of 'toy' must be 0 to 1 for 2 classes, but number 1 of them is 2.",
        ),
        (
            {"train": Split(np.zeros((2, 3)), [1, 2])},
            ValueError,
            "The train labels of 'toy' run from 1 to 2 for 2 classes, but classes count from 0: "
            "subtract 1.",
        ),
        (  # A part without the first class begins even later.
            {"num_classes": 10, "test": Split(np.zeros((2, 3)), [4, 10])},
            ValueError,
            "The test labels of 'toy' run from 4 to 10 for 10 classes, but classes count from 0: "
            "subtract 1.",
        ),
    ],
)
def test_splits_refuse(change: dict[str, Any], kind: type[Exception], sentence: str) -> None:
    whole = {"train": some(4), "validation": some(2), "test": some(3), "name": "toy"}
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        Splits(**({"num_classes": 2} | whole | change))


def test_splits_refuse_a_training_part_that_is_no_split() -> None:
    sentence = "The train part of 'toy' must be a Split, got a list."
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        Splits([1, 2], None, some(), name="toy", num_classes=2)  # type: ignore[arg-type]


def test_one_vs_all_has_one_plus_per_row() -> None:
    targets = one_vs_all(np.array([2, 0, 1, 2]), 4)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(
        targets, [[-1, -1, 1, -1], [1, -1, -1, -1], [-1, 1, -1, -1], [-1, -1, 1, -1]]
    )


def test_one_vs_all_of_no_label_has_no_row() -> None:
    assert one_vs_all([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "num_classes", "kind", "sentence"),
    [
        (
            [0, 3, 1],
            3,
            ValueError,
            "Labels must be 0 to 2 for 3 classes, but number 1 of them is 3.",
        ),
        (
            [1, 2, 3],
            3,
            ValueError,
            "Labels run from 1 to 3 for 3 classes, but classes count from 0: subtract 1.",
        ),
        (
            [0, 1, -1],
            3,
            ValueError,
            "Labels must be 0 to 2 for 3 classes, but number 2 of them is -1.",
        ),
        (
            [0.0, 1.0],
            2,
            TypeError,
            "Class labels must be whole numbers, got they as float64; round or encode them first.",
        ),
        ([[0, 1]], 2, ValueError, "Class labels need one axis, (n,), but their shape is (1, 2)."),
        ([0, 0], 1, ValueError, "num_classes must be 2 or more, got 1."),
    ],
)
def test_one_vs_all_refuses(
    labels: Any, num_classes: int, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        one_vs_all(labels, num_classes)


def test_holdout_divides_without_loss_and_keeps_samples_with_their_labels() -> None:
    everything = Split(np.arange(50).reshape(50, 1), np.arange(50))
    stays, held = holdout(everything, 13, seed=3)
    assert (len(stays), len(held)) == (37, 13)
    assert sorted([*stays.y, *held.y]) == list(range(50))
    for part in (stays, held):
        np.testing.assert_array_equal(part.x[:, 0], part.y)


def test_holdout_depends_on_its_seed_alone() -> None:
    everything = Split(np.arange(50).reshape(50, 1), np.arange(50))
    held = [holdout(everything, 13, seed=seed)[1].y.tolist() for seed in (3, 3, 4)]
    assert held[0] == held[1] != held[2]


def test_the_order_of_holdout_is_fixed_for_good() -> None:
    everything = Split(np.arange(10).reshape(10, 1), np.arange(10))
    assert holdout(everything, 4, seed=0)[1].y.tolist() == [3, 2, 1, 8]


@pytest.mark.parametrize(
    ("count", "seed", "kind", "sentence"),
    [
        (0, 0, ValueError, "Of 4 samples, 1 to 3 can be held out, not 0."),
        (4, 0, ValueError, "Of 4 samples, 1 to 3 can be held out, not 4."),
        (0.25, 0, TypeError, "count must be a whole number, got 0.25."),
        (2, -1, ValueError, "seed must be 0 or more, got -1."),
    ],
)
def test_holdout_refuses(count: Any, seed: int, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        holdout(some(4), count, seed=seed)
