"""Data without classes, and inputs that are shifted and stretched."""

import numpy as np
import pytest

from bionet.datasets import Part, Parts, make_prototypes, rescaled

PART = Part(np.zeros((3, 2)), np.zeros((3, 4)))


def test_parts_are_kept_apart():
    parts = Parts(PART, None, PART, name="states")
    assert parts.validation is None
    assert parts.train.y.shape == (3, 4)


@pytest.mark.parametrize("x", [0, 2])
def test_a_part_needs_a_target_for_each_input(x, says):
    short = Part(np.zeros((x, 2)), np.zeros((0 if x == 0 else 3, 4)))
    told = "The test part of 'states' needs as many targets as inputs, and one at least; "
    with says(ValueError, f"{told}{x} inputs"):
        Parts(PART, None, short, name="states")


def test_all_parts_are_rescaled_and_nothing_else():
    before = make_prototypes(0, train=20, validation=10, test=10)
    after = rescaled(before, dark=0.5, gain=2.0)
    for name in ("train", "validation", "test"):
        old, new = getattr(before, name), getattr(after, name)
        np.testing.assert_allclose(new.x, 2.0 * (old.x - 0.5))
        assert np.array_equal(new.y, old.y)
    assert (after.name, after.num_classes) == (before.name, before.num_classes)
