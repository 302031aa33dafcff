"""Data without classes, and inputs that are shifted and stretched."""

import dataclasses

import numpy as np
import pytest

from bionet.datasets import Part, Parts, make_prototypes, rescaled

PART = Part(np.zeros((3, 2)), np.zeros((3, 4)))


def test_parts_are_kept_apart():
    parts = Parts(PART, None, PART, name="states")
    assert parts.validation is None
    assert parts.train.y.shape == (3, 4)


def test_parts_keep_what_was_given_and_not_what_the_caller_makes_of_it():
    x, y = np.zeros((3, 2)), np.zeros((3, 4), np.int32)
    parts = Parts(Part(x, y), None, Part(x, y), name="states")
    x[:], y[:] = np.nan, -1
    assert not parts.train.x.any()
    assert not parts.test.y.any()
    assert (parts.train.x.dtype, parts.train.y.dtype) == (x.dtype, y.dtype)
    with pytest.raises(ValueError, match="read-only"):
        parts.train.x[0] = 1


def test_prototypes_keep_what_generated_them():
    task = make_prototypes(0, num_classes=2, dim=3, train=2, validation=0, test=3)
    patterns = np.array(task.prototypes)
    again = dataclasses.replace(task, prototypes=patterns)
    patterns[:] = 0
    assert np.array_equal(again.prototypes, task.prototypes)


@pytest.mark.parametrize("x", [0, 2])
def test_a_part_needs_a_target_for_each_input(x, says):
    short = Part(np.zeros((x, 2)), np.zeros((0 if x == 0 else 3, 4)))
    told = "The test part of 'states' needs as many targets as inputs, and one at least, got "
    with says(ValueError, f"{told}{x} inputs"):
        Parts(PART, None, short, name="states")


@pytest.mark.parametrize("change", [{"gain": 0.0}, {"gain": np.inf}, {"dark": np.nan}])
def test_a_scale_that_leaves_no_inputs_is_refused(change, says):
    with says(ValueError, "rescaled: needs a finite dark and a finite gain other than 0, got"):
        rescaled(make_prototypes(0, train=20, validation=10, test=10), **change)


def test_all_parts_are_rescaled_and_nothing_else():
    before = make_prototypes(0, train=20, validation=10, test=10)
    after = rescaled(before, dark=0.5, gain=2.0)
    for name in ("train", "validation", "test"):
        old, new = getattr(before, name), getattr(after, name)
        np.testing.assert_allclose(new.x, 2.0 * (old.x - 0.5))
        assert np.array_equal(new.y, old.y)
    assert (after.name, after.num_classes) == (before.name, before.num_classes)
