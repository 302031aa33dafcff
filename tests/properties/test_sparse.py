"""What holds for every sparse module, whatever its size, its wiring and its weights."""

import functools

import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bionet.kernels.gathers import gather_product
from bionet.modules.fan_in import draw_senders, without_self
from bionet.rules import sparse_margin_perceptron

N, D, K, F = 8, 5, 6, 3
# Each size is a program of its own, so there are few of them, the extremes included.
sizes = st.sampled_from([(1, 1, 1), (9, 4, 4), (5, 200, 150)])
seeds = st.integers(0, 2**31 - 1)
product, rule = jax.jit(gather_product), jax.jit(sparse_margin_perceptron)


@functools.partial(jax.jit, static_argnums=(1, 2))
def draw_others(key, units, fan_in):
    """Senders among the other units, in one program a size."""
    return without_self(draw_senders(key, units, units - 1, fan_in))


def whole(*shape):
    return arrays(np.float32, shape, elements=st.integers(-4, 4).map(float))


def signs(*shape):
    return arrays(np.float32, shape, elements=st.sampled_from([-1.0, 1.0]))


wirings = st.tuples(*[st.permutations(range(D)).map(lambda row: row[:F])] * K).map(
    lambda rows: np.asarray(rows, np.int32)
)


@given(sizes, seeds)
def test_senders_are_distinct_ascending_and_in_range(size, seed):
    units, senders, fan_in = size
    drawn = np.asarray(draw_senders(jax.random.key(seed), units, senders, fan_in))
    assert drawn.shape == (units, fan_in)
    assert (np.diff(drawn, axis=1) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < senders


@given(st.sampled_from([(2, 1), (6, 5), (9, 3)]), seeds)
def test_no_unit_is_among_its_own_senders(size, seed):
    units, fan_in = size
    others = np.asarray(draw_others(jax.random.key(seed), units, fan_in))
    assert (np.diff(others, axis=1) > 0).all()
    assert others.min() >= 0
    assert others.max() < units
    assert not (others == np.arange(units)[:, None]).any()


@given(whole(N, D), wirings, whole(K, F), st.permutations(range(F)))
def test_the_order_of_a_units_connections_does_not_matter(x, indices, weights, order):
    shuffled = product(x, indices[:, order], weights[:, order])
    assert np.array_equal(shuffled, product(x, indices, weights))


@given(whole(N, D), wirings, whole(K, F), whole(K, F))
def test_the_message_is_linear_in_the_weights(x, indices, left, right):
    together = product(x, indices, left + right)
    apart = np.asarray(product(x, indices, left)) + np.asarray(product(x, indices, right))
    assert np.array_equal(together, apart)


@given(whole(N, D), wirings, signs(N, K), whole(N, K), st.permutations(range(D)))
def test_the_names_of_the_senders_do_not_matter(x, indices, y, scores, names):
    # Sender d is now called names[d]: the same connections learn the same.
    renamed = np.empty_like(x)
    renamed[:, names] = x
    found = rule(renamed, np.asarray(names, np.int32)[indices], y, scores, 1.0)
    assert np.array_equal(found, rule(x, indices, y, scores, 1.0))


@given(whole(N, D), wirings, signs(N, K), whole(N, K), whole(K, F))
def test_message_and_rule_see_the_same_connections(x, indices, y, scores, weights):
    # Along any direction, the message of the increment is the overlap of both.
    added = np.asarray(rule(x, indices, y, scores, 1.0), np.float64)
    correction = np.where(y * scores <= 1, y, 0)
    overlap = (np.asarray(product(x, indices, weights)) * correction).sum() / np.sqrt(N * F)
    np.testing.assert_allclose((added * weights).sum(), overlap, rtol=1e-5, atol=1e-4)
