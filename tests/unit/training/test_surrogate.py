"""Surrogate gradients of networks of signs: forward the signs, backward a stand-in."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.through_time.surrogates import Surrogate
from bionet.training import FreeReadout, Objective, SurrogateGradient, SurrogateLayer

KEY = jax.random.key(0)


def square(outputs, y):
    return ((outputs - y) ** 2).mean()


def test_a_layer_answers_with_the_sign_and_its_slope_is_the_surrogates():
    layer = RecurrentDiscrete(3, 0.5, 1.0, KEY)
    surrogate = Surrogate("triangular", slope=1.0)
    field = jnp.array([-0.5, 0.0, 0.25])
    wrapped = SurrogateLayer(layer, surrogate)
    np.testing.assert_array_equal(wrapped.activation(field), layer.activation(field))
    slope = jax.grad(lambda field: wrapped.activation(field).sum())(field)
    # A sign is two steps high, and the triangle is 1 - |x|.
    np.testing.assert_allclose(slope, [1.0, 2.0, 1.5])


def test_it_trains_the_signs_and_hands_them_over(one_hidden, same_bits):
    objective = Objective(FreeReadout(one_hidden.state, 3), square)
    method = SurrogateGradient(objective, optax.adam(0.05))
    batch = (one_hidden.x, one_hidden.y)
    state = method.init(one_hidden.orchestrator, KEY)
    same_bits(method.finish(state), one_hidden.orchestrator)
    before = objective(one_hidden.orchestrator, batch, KEY)
    step = eqx.filter_jit(method.step)
    for _ in range(30):
        state, _ = step(state, batch, KEY)
    trained = method.finish(state)
    assert jax.tree.structure(trained) == jax.tree.structure(one_hidden.orchestrator)
    assert objective(trained, batch, KEY) < 0.5 * before
    was, now = (model.lmap[1, 0].W for model in (one_hidden.orchestrator, trained))
    assert not np.array_equal(was, now)  # the hidden layer has learned through its signs
    diagonals = [np.diag(model.lmap[1, 1].J) for model in (one_hidden.orchestrator, trained)]
    assert np.array_equal(*diagonals)


@pytest.mark.parametrize("model", [{"W": "no numbers"}, {}])
def test_a_model_without_numbers_is_refused(model, says):
    method = SurrogateGradient(Objective(lambda *a: None, square))
    with says(ValueError, "The method 'surrogate' needs a model with trained leaves"):
        method.init(model, KEY)


def test_an_unknown_kind_is_told_the_nearest(says):
    with says(ValueError, "'arctann'. Did you mean 'arctan'"):
        SurrogateGradient(Objective(lambda *a: None, square), kind="arctann")
