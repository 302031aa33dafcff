"""The rule of shared weights: the dense rule where nothing is shared, a sum where all is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import REDUCTIONS, margin_perceptron, shared_perceptron


@pytest.fixture(scope="module")
def batch():
    """x (6, 4), y in {-1, +1} (6, 3) and weights (4, 3)."""
    rng = np.random.default_rng(0)
    x, y, W = rng.normal(size=(6, 4)), rng.choice([-1, 1], (6, 3)), rng.normal(size=(4, 3))
    return tuple(jnp.asarray(array, jnp.float32) for array in (x, y, W))


def each_place(x):
    """One weight per unit for all places: (n, places) and (k,) make (n, places, k)."""
    return lambda W: x[..., None] * W


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("gated", [False, True])
def test_where_nothing_is_shared_it_is_the_dense_rule(batch, reduction, gated):
    x, y, W = batch
    options = {"reduction": reduction, "gate": jnp.arange(6.0) if gated else None}
    found = shared_perceptron(lambda W: x @ W, W, y, x @ W, 0.7, fan_in=4, **options)
    expected = margin_perceptron(x, y, x @ W, 0.7, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_each_place_counts_as_a_sample(batch, reduction):
    # Six images of four places are 24 samples of one input.
    x, _, W = batch
    y, W = jnp.sign(x)[..., None] * jnp.array([1.0, -1.0, 1.0]), W[0]
    send = each_place(x)
    found = shared_perceptron(send, W, y, send(W), 0.3, fan_in=1, reduction=reduction)
    rows = x.reshape(24, 1), y.reshape(24, 3), send(W).reshape(24, 3)
    expected = margin_perceptron(*rows, 0.3, reduction=reduction)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert found.any()


def test_a_mean_does_not_grow_with_the_image(batch):
    x, _, W = batch
    small, large = each_place(x), each_place(jnp.tile(x, (1, 4)))
    for reduction, factor in (("sqrt", 2.0), ("mean", 1.0)):
        one, four = (
            shared_perceptron(
                send, W[0], y, -y, 0.0, fan_in=1, reduction=reduction
            )
            for send, y in ((small, jnp.ones((6, 4, 3))), (large, jnp.ones((6, 16, 3))))
        )  # fmt: skip
        np.testing.assert_allclose(four, factor * np.asarray(one), rtol=1e-5)


@pytest.mark.parametrize("narrow", ["y", "y_hat"])
def test_a_buffer_of_another_shape_than_the_message_is_refused(batch, says, narrow):
    x, y, W = batch
    arrays = {"y": y, "y_hat": x @ W}
    arrays[narrow] = arrays[narrow][:, :1]
    shapes = "{} and {}".format(*(array.shape for array in arrays.values()))
    sentence = f"needs y and y_hat of the message's shape (6, 3), got shapes {shapes}."
    with says(ValueError, f"shared_perceptron: {sentence}"):
        shared_perceptron(lambda W: x @ W, W, **arrays, threshold=0.7, fan_in=4)


def test_both_of_one_wrong_shape_are_refused_as_well(batch, says):
    x, y, W = batch
    with says(ValueError, "got shapes (6, 1) and (6, 1)."):
        shared_perceptron(lambda W: x @ W, W, y[:, :1], y[:, :1], 0.7, fan_in=4)


def test_it_works_inside_vmap(batch):
    x, y, W = batch

    def added(x, W):
        return shared_perceptron(lambda W: x @ W, W, y, x @ W, 0.7, fan_in=4)

    many = jax.jit(jax.vmap(added))(jnp.stack([x, -x]), jnp.stack([W, 2 * W]))
    np.testing.assert_allclose(many[0], added(x, W), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(many[1], added(-x, 2 * W), rtol=1e-5, atol=1e-6)
