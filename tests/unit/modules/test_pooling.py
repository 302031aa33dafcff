"""Pooling: whole windows, one channel at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.images.pooling import Pooling2D

KINDS = {"mean": np.mean, "max": np.max}


@pytest.fixture(scope="module")
def image():
    """Two images (5, 4) of three channels that have nothing to do with one another."""
    drawn = np.random.default_rng(0).normal(size=(2, 5, 4, 3)) + np.array([0.0, 100.0, -100.0])
    return jax.device_put(drawn.astype(np.float32))


def test_a_case_worked_by_hand():
    x = jnp.asarray([[1.0, 2.0, 5.0], [3.0, -2.0, 7.0]]).reshape(1, 2, 3, 1)
    assert Pooling2D((2, 3, 1), 2)(x).ravel().tolist() == [1.0]
    assert Pooling2D((2, 3, 1), 2, 1)(x).ravel().tolist() == [1.0, 3.0]
    assert Pooling2D((2, 3, 1), 2, 1, "max")(x).ravel().tolist() == [3.0, 7.0]
    assert Pooling2D((2, 3, 1), (1, 3), kind="max")(x).ravel().tolist() == [5.0, 7.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("window", "stride"), [(2, None), (2, 1), ((3, 2), None), ((1, 4), (2, 1)), (1, None), (2, 3)]
)
def test_it_is_numpys_over_each_window(image, kind, window, stride):
    edge = Pooling2D((5, 4, 3), window, stride, kind)
    (a, b), (s, t) = edge.window, edge.stride
    rows, columns, channels = edge.receiver_shape
    assert (rows, columns, channels) == ((5 - a) // s + 1, (4 - b) // t + 1, 3)
    found = edge(image)
    for i, j in np.ndindex(rows, columns):
        patch = np.asarray(image)[:, i * s : i * s + a, j * t : j * t + b]
        np.testing.assert_allclose(found[:, i, j], KINDS[kind](patch, (1, 2)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_never_mix(image, kind):
    # Each channel lies a hundred away from the next: any trace of another one would show.
    edge, alone = Pooling2D((5, 4, 3), 2, 1, kind), Pooling2D((5, 4, 1), 2, 1, kind)
    pooled = np.asarray(edge(image))
    assert (abs(pooled - np.array([0.0, 100.0, -100.0])) < 5).all()
    for channel in range(3):
        one = alone(image[..., channel : channel + 1])
        np.testing.assert_allclose(pooled[..., channel : channel + 1], one, rtol=1e-6)
    changed = np.asarray(edge(image.at[..., 1].set(7.0)))
    assert np.array_equal(changed[..., [0, 2]], pooled[..., [0, 2]])
    assert (changed[..., 1] == 7).all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_nothing(image, kind):
    edge = Pooling2D((5, 4, 3), 2, kind=kind)
    y = jnp.ones((2, *edge.receiver_shape))
    assert edge.trained() == {}
    assert jax.tree.leaves(edge.backward(image, y, -y)) == []


def test_a_majority_of_signs():
    x = jnp.asarray([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, -1.0]]).reshape(1, 2, 4, 1)
    assert Pooling2D((2, 4, 1), 2)(x).ravel().tolist() == [0.5, -1.0]
    assert Pooling2D((2, 4, 1), 2, kind="max")(x).ravel().tolist() == [1.0, -1.0]


@pytest.mark.parametrize("shape", [(2, 5, 4, 1), (2, 5, 1, 3), (2, 1, 4, 3), (5, 4, 3)])
def test_an_image_of_another_shape_is_refused(shape, says):
    with says(ValueError, f"Pooling2D: x needs shape (batch, 5, 4, 3), got {shape}."):
        Pooling2D((5, 4, 3), 2)(jnp.ones(shape))


def test_what_no_pooling_can_be_made_of(says):
    with says(ValueError, "Pooling2D: a window of (2, 5) does not fit into an image of (5, 4);"):
        Pooling2D((5, 4, 3), (2, 5))
    with says(ValueError, "Pooling2D: No kind is named 'average'. There are: max, mean."):
        Pooling2D((5, 4, 3), 2, kind="average")
    with says(ValueError, "Pooling2D: in_shape needs the shape (height, width, channels)"):
        Pooling2D((5, 4), 2)
    with says(ValueError, "Pooling2D: window needs a positive int, got 0."):
        Pooling2D((5, 4, 3), 0)
    with says(ValueError, "Pooling2D: stride needs one int or a pair of them, got (1, 2, 3)."):
        Pooling2D((5, 4, 3), 2, (1, 2, 3))
