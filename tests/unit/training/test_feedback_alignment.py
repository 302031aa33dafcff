"""Feedback alignment: with the weights as feedback it is backprop, and without it still learns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.training import (
    DirectFeedbackAlignment,
    FeedbackAlignment,
    Objective,
    alignment,
)

KEY = jax.random.key(0)
OBJECTIVE = Objective(
    lambda model, x, key: jax.vmap(model)(x), lambda out, y: ((out - y) ** 2).mean()
)


def network(depth=2, **options):
    return eqx.nn.MLP(4, 3, width_size=6, depth=depth, activation=jnp.tanh, key=KEY, **options)


@pytest.fixture(scope="module")
def batch():
    x = jax.random.normal(jax.random.key(1), (16, 4))
    return x, jnp.tanh(x @ jax.random.normal(jax.random.key(2), (4, 3)))


def with_feedback(train_state, feedback):
    return eqx.tree_at(lambda s: s.memory.feedback, train_state, tuple(feedback))


def forward(model):
    return [layer.weight for layer in model.layers[1:]]


@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"final_activation": jnp.tanh}])
def test_with_the_forward_weights_it_is_backprop(batch, options):
    model = network(**options)
    method = FeedbackAlignment(OBJECTIVE, optax.sgd(1.0))
    start = with_feedback(method.init(model, KEY), forward(model))
    after, told = method.step(start, batch, KEY)
    loss, gradient = eqx.filter_value_and_grad(OBJECTIVE)(model, batch, KEY)
    np.testing.assert_allclose(told["training_loss"], loss, rtol=1e-6)
    arrays = eqx.filter((model, after.model, gradient), eqx.is_array)
    for before, moved, slope in zip(*map(jax.tree.leaves, arrays), strict=True):
        np.testing.assert_allclose(before - moved, slope, atol=1e-6)


def test_with_the_product_of_the_weights_a_linear_direct_network_is_backprop(batch):
    model = eqx.nn.MLP(4, 3, width_size=6, depth=2, activation=lambda z: z, key=KEY)
    second, last = forward(model)
    method = DirectFeedbackAlignment(OBJECTIVE, optax.sgd(1.0))
    start = with_feedback(method.init(model, KEY), [last @ second, last])
    told = alignment(method, start, batch)
    np.testing.assert_allclose(told["update_angle"], 0.0, atol=0.1)
    np.testing.assert_allclose(told["norm_ratio"], 1.0, rtol=1e-5)
    np.testing.assert_allclose(told["weight_angle"], 0.0, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
def test_the_loss_falls_and_the_last_layer_has_its_gradient(kind, batch):
    method = kind(OBJECTIVE, optax.adam(1e-2))
    state = first = method.init(network(), KEY)
    step = eqx.filter_jit(method.step)
    for _ in range(60):
        state, told = step(state, batch, KEY)
    assert told["training_loss"] < 0.5 * OBJECTIVE(first.model, batch, KEY)
    found = alignment(method, first, batch)
    assert found["update_angle"].shape == (3,)
    assert found["update_angle"][-1] < 0.1
    assert float(found["norm_ratio"][-1]) == pytest.approx(1.0, rel=1e-5)
    assert (found["update_angle"][:-1] > 5).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FeedbackAlignment, DirectFeedbackAlignment])
def test_feedback_never_moves(kind, batch):
    method = kind(OBJECTIVE, optax.adamw(1e-1))
    before = method.init(network(), KEY)
    after, _ = method.step(before, batch, KEY)
    for old, new in zip(before.memory.feedback, after.memory.feedback, strict=True):
        assert np.array_equal(old, new)


def test_the_shapes_of_the_feedback():
    layers = FeedbackAlignment(OBJECTIVE).init(network(3), KEY).memory.feedback
    direct = DirectFeedbackAlignment(OBJECTIVE).init(network(3), KEY).memory.feedback
    assert [matrix.shape for matrix in layers] == [(6, 6), (6, 6), (3, 6)]
    assert [matrix.shape for matrix in direct] == [(3, 6)] * 3


@pytest.mark.parametrize("model", [network(0), network(2, scan=True), eqx.nn.Linear(4, 3, key=KEY)])
def test_another_network_is_refused(model, says):
    with says(ValueError, "The method 'dfa' needs an eqx.nn.MLP with a hidden layer, no scan"):
        DirectFeedbackAlignment(OBJECTIVE).init(model, KEY)
