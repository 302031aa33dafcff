"""The generator against the published answers, and what it is made into."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.experimental.hybrid.estimate.noise import _between, gaussian_rows, threefry

# Counter, key and answer, as published with Salmon et al. (2011) for 20 rounds.
ANSWERS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]
KEY = jax.random.key(11)
draw = jax.jit(gaussian_rows, static_argnums=(2, 3))


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_the_words_are_the_published_ones(counter, key, answer):
    pairs = [tuple(np.uint32([word]) for word in pair) for pair in (key, counter)]
    with np.errstate(over="ignore"):
        found = threefry(*pairs)
    assert tuple(int(word[0]) for word in found) == answer


@pytest.fixture(scope="module")
def rows():
    return np.asarray(draw(KEY, jnp.arange(40), 501, jnp.float32))


def test_the_numbers_are_gaussian(rows):
    """Moments, within four standard errors of 20,000 numbers."""
    assert rows.shape == (40, 501)
    n = np.sqrt(rows.size)
    for power, expected, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((rows.astype(float) ** power).mean() - expected) < 4 * np.sqrt(spread) / n
    assert 3.5 < np.abs(rows).max() < 5.5


def test_no_two_numbers_go_together(rows):
    """Not in a row, not in neighbouring rows, and not the two halves that share a counter."""
    pairs = [(rows[:, :-1], rows[:, 1:]), (rows[:-1], rows[1:]), (rows[:, :250], rows[:, 251:])]
    for left, right in pairs:
        assert abs(np.mean(left * right)) < 4 / np.sqrt(left.size)


def test_a_row_depends_on_the_key_and_its_number_alone(rows):
    some = jnp.asarray([7, 31])
    assert np.array_equal(draw(KEY, some, 501, jnp.float32), rows[some])
    old_style = jax.random.key_data(KEY)
    assert np.array_equal(draw(old_style, some, 501, jnp.float32), rows[some])
    other = np.asarray(draw(jax.random.key(12), some, 501, jnp.float32))
    assert abs(np.mean(other * rows[some])) < 4 / np.sqrt(other.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_word_makes_an_infinite_number(dtype):
    with jax.enable_x64(dtype == "float64"):
        ends = jnp.asarray([0, 2**31 - 1, 2**31, 2**32 - 1], jnp.uint32)
        low, under, over, high = np.asarray(jax.jit(_between, static_argnums=1)(ends, dtype))
    assert low.dtype == dtype
    assert (low, under) == (-high, -over)
    assert -1 < low < under < 0
