"""The shapes that modules are given: what is taken, and what each mistake is told."""

import numpy as np
import pytest

from bionet.modules.shapes import check_buffer, image_shape, pair


def test_an_image_is_three_positive_ints():
    assert image_shape("Here", "shape", (4, 5, 3)) == (4, 5, 3)
    assert image_shape("Here", "shape", [np.int64(4), 5, 3]) == (4, 5, 3)


@pytest.mark.parametrize("bad", [(4, 5), 20, (4, 5, 3, 1), {4, 5, 3}])
def test_an_image_of_another_number_of_axes_is_refused(bad, says):
    sentence = f"got {bad!r}; write (28, 28, 1)."
    with says(
        ValueError, f"Here: shape needs the shape (height, width, channels) of an image, {sentence}"
    ):
        image_shape("Here", "shape", bad)


@pytest.mark.parametrize("bad", [0, -1, 2.0, "3"])
def test_each_of_them_is_a_positive_int(bad, says):
    with says(ValueError, f"Here: shape needs a positive int, got {bad!r}."):
        image_shape("Here", "shape", (4, bad, 3))
    with says(ValueError, f"Here: stride needs a positive int, got {bad!r}."):
        pair("Here", "stride", (2, bad))


def test_one_number_is_for_both_directions():
    assert pair("Here", "stride", 2) == (2, 2)
    assert pair("Here", "stride", (2, 3)) == (2, 3)
    assert pair("Here", "stride", [2, 3]) == (2, 3)


@pytest.mark.parametrize("bad", [(2,), (2, 2, 2), ()])
def test_more_or_fewer_are_refused(bad, says):
    with says(ValueError, f"Here: stride needs one int or a pair of them, got {bad!r}."):
        pair("Here", "stride", bad)


def test_a_buffer_has_the_shape_behind_its_batch(says):
    check_buffer("Here", "x", np.ones((7, 4, 5)), (4, 5))
    for shape in [(4, 5), (7, 4, 1), (7, 20), ()]:
        with says(ValueError, f"Here: x needs shape (batch, 4, 5), got {shape}."):
            check_buffer("Here", "x", np.ones(shape), (4, 5))
