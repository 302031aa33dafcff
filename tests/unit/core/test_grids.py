"""The best of a grid: NaN is never it, and a best one at an end is not taken on trust."""

import math

import pytest

from bionet._core.grids import search_grid

GRID = (0.1, 1.0, 10.0)


def peak(at):
    return lambda value: -abs(math.log10(value) - at)


def test_the_highest_score_wins_and_of_equals_the_first():
    assert search_grid(peak(0.2), GRID) == (1.0, pytest.approx(-0.2))
    assert search_grid(lambda value: 3.0, GRID) == (0.1, 3.0)


@pytest.mark.parametrize(("at", "found"), [(-4.0, 1e-4), (5.0, 1e5), (1.0, 10.0)])
def test_a_best_value_at_an_end_is_followed_beyond_it(at, found):
    assert search_grid(peak(at), GRID, beyond=10.0)[0] == pytest.approx(found)
    assert search_grid(peak(at), GRID)[0] in GRID


def test_a_flat_end_is_not_followed_for_ever():
    tried = []
    assert search_grid(lambda value: tried.append(value) or 1.0, GRID, beyond=10.0)[0] == 0.1
    assert len(tried) == len(GRID) + 1


def test_nan_is_never_the_best():
    nan_first = lambda value: math.nan if value < 1 else -value  # noqa: E731
    assert search_grid(nan_first, GRID) == (1.0, -1.0)
    assert search_grid(lambda value: math.nan if value > 5 else value, GRID, beyond=10.0)[0] == 1.0


@pytest.mark.parametrize(("grid", "told"), [((), "one value at least"), (GRID, "none of 0.1, 1, ")])
def test_nothing_to_choose_is_an_error(grid, told):
    with pytest.raises(ValueError, match=told):
        search_grid(lambda value: math.nan, grid)
