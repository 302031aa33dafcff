"""Both convolutions: the shapes that they make, what they send, and that they learn downhill."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.fully_connected import FullyConnected
from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
from bionet.rules import margin_hinge

KEY = jax.random.key(0)
KINDS = [Convolution2D, TransposedConvolution2D]
MARGIN = jnp.array(0.02)


def hollow(kind, *arguments, **options):
    """The module without its values, for questions of shape: nothing is compiled."""
    make = lambda key: kind(*arguments, 1.0, 0.5, key, **options)  # noqa: E731
    return eqx.filter_eval_shape(make, KEY)


def with_kernel(kind, in_shape, W, **options):
    """A module with the kernel `W`."""
    W = np.asarray(W, np.float32)
    edge = hollow(kind, in_shape, W.shape[3], W.shape[:2], **options)
    numbers = W, np.float32(1), np.float32(0.5)
    where = lambda m: (m.W, m.strength, m.threshold)  # noqa: E731
    return eqx.tree_at(where, edge, [jax.device_put(number) for number in numbers])


@pytest.mark.parametrize("kind", KINDS)
def test_the_signature(kind):
    names = list(inspect.signature(kind).parameters)
    assert names[:6] == ["in_shape", "out_channels", "kernel_size", "strength", "threshold", "key"]


@pytest.mark.parametrize(
    ("in_shape", "size", "options", "out"),
    [
        ((6, 6, 2), 3, {}, (6, 6)),
        ((6, 5, 2), (2, 4), {}, (6, 5)),
        ((6, 5, 2), 3, {"stride": 2}, (3, 3)),
        ((6, 5, 2), 3, {"stride": (1, 3)}, (6, 2)),
        ((6, 5, 2), 3, {"padding": "VALID"}, (4, 3)),
        ((6, 5, 2), (3, 5), {"padding": "VALID", "stride": 2}, (2, 1)),
        ((1, 1, 1), 1, {}, (1, 1)),
    ],
)
def test_the_shape_of_a_convolution(in_shape, size, options, out):
    edge = hollow(Convolution2D, in_shape, 7, size, **options)
    assert (edge.sender_shape, edge.receiver_shape) == (in_shape, (*out, 7))
    message = eqx.filter_eval_shape(edge, jax.ShapeDtypeStruct((4, *in_shape), "float32"))
    assert message.shape == (4, *out, 7)


@pytest.mark.parametrize(
    ("in_shape", "size", "options", "out"),
    [
        ((3, 4, 2), 2, {}, (6, 8)),
        ((3, 4, 2), 3, {}, (6, 8)),
        ((3, 4, 2), 5, {"stride": (3, 2)}, (9, 8)),
        ((3, 4, 2), 3, {"stride": 1}, (3, 4)),
        # The last kernels stick out over the rim: (3 - 1) * 2 + 3 rows.
        ((3, 4, 2), 3, {"padding": "VALID"}, (7, 9)),
        ((1, 1, 2), 4, {"stride": 4}, (4, 4)),
    ],
)
def test_a_transposed_convolution_upsamples(in_shape, size, options, out):
    edge = hollow(TransposedConvolution2D, in_shape, 7, size, **options)
    assert (edge.sender_shape, edge.receiver_shape) == (in_shape, (*out, 7))
    message = eqx.filter_eval_shape(edge, jax.ShapeDtypeStruct((4, *in_shape), "float32"))
    assert message.shape == (4, *out, 7)


def test_a_kernel_of_ones_repeats_each_pixel():
    image = np.arange(6.0, dtype=np.float32).reshape(1, 2, 3, 1)
    edge = with_kernel(TransposedConvolution2D, (2, 3, 1), np.ones((2, 2, 1, 1)))
    assert np.array_equal(edge(image), image.repeat(2, 1).repeat(2, 2))


def test_a_single_pixel_shows_the_kernel():
    # What is seen is the kernel turned by half a turn: each unit looks from its own place.
    W = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]).reshape(3, 3, 1, 1)
    image = np.zeros((1, 5, 5, 1), np.float32)
    image[0, 2, 1] = 2
    seen = np.asarray(with_kernel(Convolution2D, (5, 5, 1), W)(image))[0, :, :, 0]
    expected = np.zeros((5, 5))
    expected[1:4, 0:3] = 2 * W[::-1, ::-1, 0, 0]
    assert np.array_equal(seen, expected)
    # Spread out by two, the pixel at (2, 1) lies at (4, 2); the zeros at the rim move all by one.
    seen = np.asarray(with_kernel(TransposedConvolution2D, (5, 5, 1), W, padding="VALID")(image))[
        0, :, :, 0
    ]
    expected = np.zeros((11, 11))
    expected[4:7, 2:5] = 2 * W[::-1, ::-1, 0, 0]
    assert np.array_equal(seen, expected)


@pytest.mark.parametrize(
    ("kind", "fan_in"), [(Convolution2D, 9 * 4), (TransposedConvolution2D, 2 * 2 * 4)]
)
def test_kernels_have_the_strength_that_was_asked_for(kind, fan_in):
    W = np.asarray(kind((8, 8, 4), 100, 3, 2.0, 0.5, KEY).W)
    assert W.shape == (3, 3, 4, 100)
    assert abs(W.mean()) < 0.02
    assert abs(W.std() * np.sqrt(fan_in) / 2.0 - 1) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_strength_may_differ_from_channel_to_channel(kind):
    plain = np.asarray(kind((4, 4, 2), 3, 3, 1.0, 0.5, KEY).W)
    graded = kind((4, 4, 2), 3, 3, [0.0, 1.0, 2.0], 0.5, KEY).W
    np.testing.assert_allclose(graded, plain * [0.0, 1.0, 2.0], rtol=1e-6)


@pytest.fixture(scope="module")
def tasks():
    """For each kind an edge with a blank kernel, images, and signs that some kernel makes."""
    rng = np.random.default_rng(0)

    def make(kind):
        W = rng.normal(size=(2, 2, 2, 3))
        teacher = with_kernel(kind, (3, 4, 2), W)
        x = jnp.asarray(rng.normal(size=(5, 3, 4, 2)), jnp.float32)
        edge = with_kernel(kind, (3, 4, 2), 0.1 * W[::-1])
        return eqx.tree_at(lambda m: m.threshold, edge, MARGIN), x, jnp.sign(teacher(x))

    return {kind: make(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_descending_it_repairs_every_margin(tasks, kind):
    edge, x, y = tasks[kind]

    def descend(edge, _):
        score = edge(x)
        violated = (y * score <= MARGIN).mean(), margin_hinge(y, score, MARGIN)
        gradient = edge.backward(x, y, score)
        return jax.tree.map(lambda leaf, g: leaf - 0.1 * g, edge, gradient), violated

    _, (violated, hinge) = jax.lax.scan(descend, edge, length=1000)
    assert hinge[1] < hinge[0]
    assert violated[0] > 0.4
    assert violated[-1] == hinge[-1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_minus_the_gradient_of_the_hinge_of_the_kernel(tasks, kind):
    edge, x, y = tasks[kind]

    def hinge(edge):
        return jnp.maximum(MARGIN - y * edge(x), 0).sum()

    expected = jax.grad(hinge)(edge).W
    found = edge.backward(x, y, edge(x)).W
    fan_in = {Convolution2D: 2 * 2 * 2, TransposedConvolution2D: 2}[kind]
    places = y.size // 3
    np.testing.assert_allclose(
        np.sqrt(places * fan_in) * np.asarray(found), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_a_kernel_as_large_as_its_image_is_a_dense_matrix():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2, 3, 2)), rng.choice([-1.0, 1.0], (6, 1, 1, 4))
    x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    for reduction in ("sqrt", "mean"):
        options = {"reduction": reduction}
        edge = Convolution2D((2, 3, 2), 4, (2, 3), 1.5, 0.5, KEY, padding="VALID", **options)
        dense = FullyConnected(12, 4, 1.5, 0.5, KEY, **options)
        np.testing.assert_allclose(edge.W.reshape(12, 4), dense.W, rtol=1e-6)
        message = dense(x.reshape(6, 12))
        np.testing.assert_allclose(edge(x)[:, 0, 0], message, rtol=1e-4, atol=1e-6)
        gradient = dense.backward(x.reshape(6, 12), y[:, 0, 0], message)
        found = edge.backward(x, y, edge(x)).W.reshape(12, 4)
        np.testing.assert_allclose(found, gradient.W, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_threshold_of_a_channel_touches_that_channel_alone(tasks, kind):
    edge, x, y = tasks[kind]
    closed = eqx.tree_at(lambda m: m.threshold, edge, jnp.array([-99.0, 99.0, -99.0]))
    added = np.asarray(closed.increments(x, y, edge(x))["W"])
    assert not added[..., [0, 2]].any()
    assert added[..., 1].all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["x", "y", "y_hat"])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_width_of_one_does_not_broadcast_in_silence(tasks, kind, name, axis, says):
    edge, x, y = tasks[kind]
    arrays = {"x": x, "y": y, "y_hat": y}
    arrays[name] = jnp.take(arrays[name], jnp.array([0]), axis=axis)
    sentence = (
        f"{kind.__name__}: x needs shape (batch, 3, 4, 2), got {arrays['x'].shape}."
        if name == "x"
        else f"needs y and y_hat of the message's shape {y.shape}, got shapes "
        f"{arrays['y'].shape} and {arrays['y_hat'].shape}."
    )
    with says(ValueError, sentence):
        edge.increments(**arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_another_size_is_refused(tasks, kind, says):
    edge, x, y = tasks[kind]
    with says(ValueError, "needs y and y_hat of the message's shape"):
        edge.increments(x[:1], y, y)
    with says(ValueError, f"{kind.__name__}: x needs shape (batch, 3, 4, 2), got (3, 4, 2)."):
        edge(x[0])


BAD = {
    "in_shape": [(6, 6), 6, (6, 6, 0), "abc", (6, 6, 1.0)],
    "out_channels": [0, -1, 2.0, None],
    "kernel_size": [0, (3, 0), (3, 3, 3), 1.5],
    "stride": [0, (1, 2, 1), "2"],
    "padding": ["same", "FULL"],
    "strength": [np.ones(1), np.ones((3, 1))],
    "threshold": [np.ones(2)],
    "reduction": ["men"],
}
TOLD = {
    "in_shape": "in_shape needs ",
    "out_channels": "out_channels needs a positive int, got ",
    "kernel_size": "kernel_size needs ",
    "stride": "stride needs ",
    "padding": "No padding is named ",
    "strength": "strength needs a scalar or one value per output channel, shape (3,), got shape ",
    "threshold": "threshold needs a scalar or one value per output channel, shape (3,), got ",
    "reduction": "No reduction is named 'men'. Did you mean 'mean'?",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD for value in BAD[name]])
def test_what_no_convolution_can_be_made_of(kind, name, value, says):
    good = {
        "in_shape": (6, 6, 1),
        "out_channels": 3,
        "kernel_size": 3,
        "strength": 1.0,
        "threshold": 0.5,
    }
    with says(ValueError, f"{kind.__name__}: {TOLD[name]}"):
        kind(**{**good, name: value}, key=KEY)


def test_a_kernel_that_does_not_fit(says):
    sentence = "Convolution2D: a kernel of (5, 2) does not fit into an image of (4, 6); make it"
    with says(ValueError, sentence):
        Convolution2D((4, 6, 1), 3, (5, 2), 1.0, 0.5, KEY, padding="VALID")
    assert hollow(Convolution2D, (4, 6, 1), 3, (5, 2)).receiver_shape == (4, 6, 3)


def test_a_kernel_that_leaves_gaps(says):
    sentence = "TransposedConvolution2D: a kernel of (2, 1) leaves gaps at a stride of (2, 2)"
    with says(ValueError, sentence):
        TransposedConvolution2D((4, 6, 1), 3, (2, 1), 1.0, 0.5, KEY)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_only_signs_are_admitted_as_labels(tasks, kind, says):
    edge, _, y = tasks[kind]
    assert np.array_equal(edge.admit_target(y), y)
    with says(RuntimeError, f"{kind.__name__}: labels need to be -1 or +1, got others;"):
        edge.admit_target(0.5 * y)
