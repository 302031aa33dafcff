"""What images and chains do not depend on: where a thing lies, and what other channels show.

Pixels and weights are small whole numbers, so that sums are exact and equal means equal.
"""

import equinox as eqx
import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bionet.modules.ferromagnetic import FerromagneticChain
from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.images.pooling import Pooling2D
from bionet.rules import continuous_perceptron

KEY = jax.random.key(0)
SMALL, LARGE = (3, 3, 2), (6, 6, 2)


def whole(*shape, low=-3, high=3):
    return arrays(np.float32, shape, elements=st.integers(low, high).map(float))


def signs(*shape):
    return arrays(np.float32, shape, elements=st.sampled_from([-1.0, 1.0]))


def hollow(kind, in_shape, **options):
    return eqx.filter_eval_shape(lambda key: kind(in_shape, 2, 2, 1.0, 0.5, key, **options), KEY)


DOWN, UP = hollow(Convolution2D, LARGE, stride=2), hollow(TransposedConvolution2D, SMALL)


@eqx.filter_jit
def message(edge, W, x):
    return eqx.tree_at(lambda m: m.W, edge, W)(x)


@eqx.filter_jit
def added(edge, W, x, y, score):
    edge = eqx.tree_at(lambda m: (m.W, m.threshold), edge, (W, np.float32(0.5)))
    return edge.increments(x, y, score)["W"]


@given(whole(2, 2, 2, 2), whole(1, *LARGE), whole(1, *SMALL))
def test_up_is_the_transpose_of_down(W, x, y):
    # <y, down(x)> = <up(y), x>, with the kernel turned and its channels the other way round.
    turned = W[::-1, ::-1].swapaxes(2, 3)
    down, up = message(DOWN, W, x), message(UP, turned, y)
    assert (np.asarray(down) * y).sum() == (np.asarray(up) * x).sum()


@given(whole(2, 2, 2, 2), whole(2, *SMALL), signs(2, *SMALL))
def test_what_is_learned_moves_the_scores_as_they_should(W, pixels, y):
    # Along the increment, each margin's growth adds up to its squared length, times its divisor.
    x = np.repeat(np.repeat(pixels, 2, 1), 2, 2)
    score = np.asarray(message(DOWN, W, x))
    increment = np.asarray(added(DOWN, W, x, y, score), np.float64)
    grown = (y * np.asarray(message(DOWN, increment.astype(np.float32), x)))[y * score <= 0.5].sum()
    divisor = np.sqrt(2 * 3 * 3 * 2 * 2 * 2)
    np.testing.assert_allclose(grown, divisor * (increment**2).sum(), rtol=1e-4, atol=1e-4)


@given(whole(2, 2, 2, 2), whole(1, *LARGE), st.integers(0, 2), st.integers(0, 2))
def test_moving_the_image_by_a_stride_moves_the_message_by_a_place(W, x, down, right):
    x[:, 4:] = x[:, :, 4:] = 0
    x[:, :2] = x[:, :, :2] = 0
    moved = np.roll(x, (2 * down - 2, 2 * right - 2), (1, 2))
    expected = np.roll(message(DOWN, W, x), (down - 1, right - 1), (1, 2))
    assert np.array_equal(message(DOWN, W, moved), expected)


POOLS = {kind: eqx.filter_jit(Pooling2D((6, 6, 3), 2, kind=kind)) for kind in ("mean", "max")}


@given(whole(1, 6, 6, 3), st.permutations(range(3)), st.sampled_from(["mean", "max"]))
def test_pooling_does_not_care_about_the_order_of_channels(x, order, kind):
    pooled = np.asarray(POOLS[kind](x))
    assert np.array_equal(POOLS[kind](x[..., list(order)]), pooled[..., list(order)])
    assert (pooled <= x.max((1, 2), keepdims=True)).all()
    assert (pooled >= x.min((1, 2), keepdims=True)).all()


@given(whole(2, 5), whole(5, low=1), st.permutations(range(5)))
def test_a_chain_links_units_and_not_places(x, strength, order):
    order = list(order)
    chain, permuted = FerromagneticChain(5, strength), FerromagneticChain(5, strength[order])
    assert np.array_equal(permuted(x[:, order]), np.asarray(chain(x))[:, order])
    # An excitatory coupling never turns a sign around.
    assert (np.sign(chain(x)) == np.sign(x)).all()


rule = jax.jit(continuous_perceptron)


@given(
    whole(4, 2),
    whole(4, 3),
    signs(2),
    signs(3),
    arrays(np.float32, (4, 3), elements=st.sampled_from([-0.5, 0.0, 0.75])),
)
def test_flipping_signs_on_both_sides_flips_what_a_graded_unit_learns(x, score, inputs, units, y):
    flipped = rule(x * inputs, y * units, score * units, 0.25)
    expected = np.outer(inputs, units) * np.asarray(rule(x, y, score, 0.25))
    np.testing.assert_allclose(flipped, expected, rtol=1e-6, atol=1e-7)
