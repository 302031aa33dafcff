"""Convolutions and pooling against loops over single pixels, written down from the definitions.

Everything is NumPy in double precision and knows no JAX: where a kernel lies, what it multiplies,
and what each place adds to it, one number at a time.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.images.pooling import Pooling2D
from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D

BATCH, IN, OUT = 3, (4, 4, 2), 3
THRESHOLD = np.array([0.0, 0.5, 1.5])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def taps(rows, kernel, stride, padding):
    """For one direction, each (place, tap, pixel): which pixel a tap sees at a place."""
    if padding == "SAME":
        places = -(-rows // stride)
        before = max((places - 1) * stride + kernel - rows, 0) // 2
    else:
        places, before = (rows - kernel) // stride + 1, 0
    seen = [
        (place, tap, place * stride + tap - before)
        for place, tap in itertools.product(range(places), range(kernel))
    ]
    return places, [each for each in seen if 0 <= each[2] < rows]


def taps_upwards(rows, kernel, stride, padding):
    """The same for a transposed convolution: the pixels lie `stride` apart, with zeros between."""
    # The kernel begins where its last tap sees the first pixel; with SAME, the places that are
    # too many are cut off on both sides, one more of them at the end if their number is odd.
    whole = (rows - 1) * stride + kernel
    places = rows * stride if padding == "SAME" else whole
    cut = (whole - places) // 2
    seen = [
        (place, tap, place + cut + tap - (kernel - 1))
        for place, tap in itertools.product(range(places), range(kernel))
    ]
    return places, [
        (place, tap, spread // stride)
        for place, tap, spread in seen
        if spread % stride == 0 and 0 <= spread // stride < rows
    ]


def loops(x, W, y, field, one_direction, stride, padding):
    """The message, and what all places of all images add up to."""
    (high, vertical), (wide, horizontal) = (
        one_direction(x.shape[axis], W.shape[axis - 1], stride[axis - 1], padding)
        for axis in (1, 2)
    )
    message, added = np.zeros((len(x), high, wide, W.shape[3])), np.zeros(W.shape)
    for n in range(len(x)):
        for (i, a, p), (j, b, q) in itertools.product(vertical, horizontal):
            for c, k in itertools.product(range(W.shape[2]), range(W.shape[3])):
                message[n, i, j, k] += x[n, p, q, c] * W[a, b, c, k]
                if field is not None and y[n, i, j, k] * field[n, i, j, k] <= THRESHOLD[k]:
                    added[a, b, c, k] += x[n, p, q, c] * y[n, i, j, k]
    return message, added


def drawn(shape):
    rng = np.random.default_rng(0)
    # Whole numbers tie with the thresholds.
    score = rng.integers(-2, 3, (BATCH, *shape)) / 2.0
    return rng.normal(size=(BATCH, *IN)), rng.choice([-1.0, 1.0], (BATCH, *shape)), score


CASES = [
    (Convolution2D, (3, 2), {"stride": (1, 1), "padding": "SAME"}, 3 * 2 * 2),
    (Convolution2D, (2, 3), {"stride": (2, 1), "padding": "SAME"}, 2 * 3 * 2),
    (Convolution2D, (3, 3), {"stride": (1, 2), "padding": "VALID"}, 3 * 3 * 2),
    (TransposedConvolution2D, (2, 2), {"stride": (2, 2), "padding": "SAME"}, 1 * 1 * 2),
    (TransposedConvolution2D, (3, 4), {"stride": (2, 2), "padding": "SAME"}, 2 * 2 * 2),
    (TransposedConvolution2D, (3, 2), {"stride": (1, 2), "padding": "VALID"}, 3 * 1 * 2),
]


@pytest.mark.parametrize(("kind", "size", "options", "fan_in"), CASES)
@pytest.mark.parametrize("reduction", ["sqrt", "mean"])
def test_a_convolution_and_its_rule(kind, size, options, fan_in, reduction):
    edge = kind(
        IN,
        OUT,
        size,
        1.0,
        THRESHOLD,
        jax.random.key(0),
        reduction=reduction,
        dtype="float64",
        **options,
    )
    x, y, score = drawn(edge.receiver_shape)
    one_direction = taps if kind is Convolution2D else taps_upwards
    message, added = loops(x, np.asarray(edge.W), y, score, one_direction, *options.values())
    np.testing.assert_allclose(edge(jnp.asarray(x)), message, rtol=1e-12, atol=1e-12)
    n = message.size // OUT
    scale = {"sqrt": np.sqrt(n * fan_in), "mean": n * np.sqrt(fan_in)}[reduction]
    found = edge.increments(*map(jnp.asarray, (x, y, score)))["W"]
    np.testing.assert_allclose(found, added / scale, rtol=1e-12, atol=1e-12)


def test_a_convolutional_layer_and_its_rule():
    layer = RecurrentDiscrete2D(
        (4, 4, 2), 3, [0.5, 1.5], THRESHOLD[:2], jax.random.key(0), dtype="float64"
    )
    x, y, score = drawn((4, 4, 2))
    J = np.asarray(layer.J)
    message, added = loops(x, J, y, score, taps, (1, 1), "SAME")
    np.testing.assert_allclose(layer(jnp.asarray(x)), message, rtol=1e-12, atol=1e-12)
    added[1, 1, 0, 0] = added[1, 1, 1, 1] = 0
    found = layer.increments(*map(jnp.asarray, (x, y, score)))["J"]
    np.testing.assert_allclose(found, added / np.sqrt(BATCH * 16 * 18), rtol=1e-12, atol=1e-12)
    assert (J[1, 1, 0, 0], J[1, 1, 1, 1]) == (0.5, 1.5)


@pytest.mark.parametrize(("kind", "of"), [("mean", np.mean), ("max", np.max)])
def test_pooling(kind, of):
    x, *_ = drawn(IN)
    found = Pooling2D(IN, (2, 3), (2, 1), kind)(jnp.asarray(x))
    assert found.shape == (BATCH, 2, 2, 2)
    for n, i, j, c in np.ndindex(found.shape):
        window = [x[n, 2 * i + a, j + b, c] for a in range(2) for b in range(3)]
        np.testing.assert_allclose(found[n, i, j, c], of(window), rtol=1e-12)
