"""Targets whose values no loss reads, found in a problem's data before anything is trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training import (
    ArrayBatches,
    Examples,
    Problem,
    ReadoutHinge,
    accuracy,
    readout_cross_entropy,
)
from bionet.training.target_codes import check_targets

X = np.zeros((4, 2), np.float32)
ONES = np.eye(3, dtype=np.float32)[[0, 2, 1, 1]]
LOSSES = {"chances": readout_cross_entropy, "signs": ReadoutHinge(1.0)}


def problem(y, loss=readout_cross_entropy, metric=accuracy, test=ONES):
    return Problem(
        jnp.ones((2, 3)),
        lambda model, x, key: x @ model,
        loss,
        metric,
        ArrayBatches(Examples(X, y), 2),
        test=Examples(X, test),
    )


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("y", [np.array([0, 2, 1, 1]), ONES, 2 * ONES - 1, ONES.astype(int)])
def test_codes_that_are_read(loss, y):
    check_targets(problem(y, loss))


def test_smoothed_labels_and_several_classes_are_read_as_chances():
    check_targets(problem(0.9 * ONES + 0.1 / 3))
    check_targets(problem(2 * np.clip(ONES + ONES[::-1], 0, 1) - 1))


def test_what_another_loss_reads_is_its_own_matter():
    check_targets(problem(7 * ONES, lambda out, y: out.sum(), lambda out, y: out.sum(), 9 * ONES))


@pytest.mark.parametrize(
    ("y", "loss", "sentence"),
    [
        ([1, 3, 2, 2], "chances", "run from 1 to 3. Numbers that begin at 1 need 1 taken off."),
        ([0, 2, -1, 1], "signs", "those of the training split run from -1 to 2."),
        (255 * ONES, "chances", "row 0 of the training split is [255.   0.   0.]"),
        (255 * ONES, "signs", "row 0 of the training split is [255.   0.   0.]"),
        (0.5 * ONES, "chances", "chances that sum to one, or class numbers"),
        (0.9 * ONES + 0.1 / 3, "signs", "targets need rows in -1 / +1 or 0 / 1"),
        (0 * ONES, "chances", "row 0 of the training split is [0. 0. 0.]"),
    ],
)
def test_values_that_would_give_a_wrong_number(y, loss, sentence, says):
    with says(ValueError, sentence):
        check_targets(problem(np.asarray(y), LOSSES[loss]))


def test_every_split_is_looked_at(says):
    with says(ValueError, "class numbers need to be 0 to 2 for 3 outputs, but those of the test"):
        check_targets(problem(ONES, jax.nn.relu, test=np.array([0, 1, 2, 3])))
