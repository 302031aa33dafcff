"""Targets whose values no loss reads, found in a problem's data before anything is trained."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training import (
    ArrayBatches,
    Examples,
    GeneratedBatches,
    Problem,
    ReadoutHinge,
    accuracy,
    readout_cross_entropy,
)
from bionet.training.checks.target_codes import check_targets

KEY = jax.random.key(0)
X = np.zeros((4, 2), np.float32)
ONES = np.eye(3, dtype=np.float32)[[0, 2, 1, 1]]
LOSSES = {"chances": readout_cross_entropy, "signs": ReadoutHinge(1.0)}


def problem(y, loss=readout_cross_entropy, metric=accuracy, test=2 * ONES - 1):
    return Problem(
        jnp.ones((2, 3)),
        lambda model, x, key: x @ model,
        loss,
        metric,
        ArrayBatches(Examples(X, y), 2),
        test=Examples(X, test),
    )


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("y", [np.array([0, 2, 1, 1]), 2 * ONES - 1, ONES > 0])
def test_codes_that_are_read(loss, y):
    check_targets(problem(y, loss), KEY)


def test_chances_and_several_classes_are_read_as_signs():
    check_targets(problem(2 * (0.9 * ONES + 0.1 / 3) - 1), KEY)
    check_targets(problem(2 * np.clip(ONES + ONES[::-1], 0, 1) - 1), KEY)


def test_what_another_loss_reads_is_its_own_matter():
    ours = problem(7 * ONES, lambda out, y: out.sum(), lambda out, y: out.sum(), 9 * ONES)
    check_targets(ours, KEY)


def test_any_rows_have_a_highest_entry():
    check_targets(problem(ONES, lambda out, y: out.sum(), test=9 * ONES), KEY)


@pytest.mark.parametrize(
    ("y", "loss", "sentence"),
    [
        ([1, 3, 2, 2], "chances", "run from 1 to 3. Numbers that begin at 1 need 1 taken off."),
        ([0, 2, -1, 1], "signs", "those of the training split run from -1 to 2."),
        (ONES, "chances", "row 0 of the training split is [1. 0. 0.]. Take 2 * y - 1 for 0 / 1"),
        (ONES, "signs", "row 0 of the training split is [1. 0. 0.]. Take 2 * y - 1 for 0 / 1"),
        (0.9 * ONES + 0.1 / 3, "chances", "Take 2 * y - 1 for 0 / 1 and for chances"),
        (255 * ONES, "chances", "row 0 of the training split is [255.   0.   0.]"),
        (1.8 * ONES - 0.9, "signs", "targets need rows in -1 / +1, or class numbers as integers"),
        (0 * ONES, "chances", "row 0 of the training split is [0. 0. 0.]"),
    ],
)
def test_values_that_would_give_a_wrong_number(y, loss, sentence, says):
    with says(ValueError, sentence):
        check_targets(problem(np.asarray(y), LOSSES[loss]), KEY)


def test_every_split_is_looked_at(says):
    with says(ValueError, "class numbers need to be 0 to 2 for 3 outputs, but those of the test"):
        check_targets(problem(2 * ONES - 1, test=np.array([0, 1, 2, 3])), KEY)


def test_batches_that_are_made_are_looked_at_once(says):
    made = GeneratedBatches(lambda key: (jnp.zeros((2, 2)), jnp.eye(3)[:2]), 4)
    with says(ValueError, "row 0 of the training split is [1. 0. 0.]"):
        check_targets(replace(problem(2 * ONES - 1), train=made), KEY)
