"""Products with narrow operands: exact where they promise it, narrow where they say so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.kernels.products import FEW, OPERANDS, few_by_many, product
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.rules.perceptron import margin_perceptron

DRAW = np.random.default_rng(0)
SIGNS = jnp.asarray(DRAW.choice([-1.0, 1.0], (16, 300)), jnp.float32)
WEIGHTS = jnp.asarray(DRAW.normal(size=(300, 20)), jnp.float32)
EXACT = np.asarray(SIGNS, np.float64) @ np.asarray(WEIGHTS, np.float64)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("operands", OPERANDS)
def test_how_far_each_is_from_the_product_in_double_precision(operands, compiled):
    run = jax.jit(product, static_argnums=2) if compiled else product
    found = run(SIGNS, WEIGHTS, operands)
    assert found.dtype == WEIGHTS.dtype
    error = np.abs(np.asarray(found, np.float64) - EXACT).max()
    full = np.abs(np.asarray(SIGNS @ WEIGHTS, np.float64) - EXACT).max()
    if operands == "bfloat16":  # 8 bits of each weight
        assert 100 * full < error < 300 * 2**-8
    else:
        assert error <= 3 * full


def test_bfloat16_is_the_product_of_the_rounded_weights():
    rounded = np.asarray(WEIGHTS.astype(jnp.bfloat16), np.float64)
    found = product(SIGNS, WEIGHTS, "bfloat16")
    np.testing.assert_allclose(found, np.asarray(SIGNS, np.float64) @ rounded, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("operands", OPERANDS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_result_has_the_dtype_of_the_weights(operands, dtype):
    x, W = SIGNS.astype(dtype), WEIGHTS.astype(dtype)
    assert jax.eval_shape(lambda: product(x, W, operands)).dtype == dtype


@pytest.mark.parametrize("operands", OPERANDS)
def test_what_is_learned_from_binary_units_is_the_same_to_the_bit(operands):
    y = jnp.asarray(DRAW.choice([-1.0, 1.0], (16, 20)), jnp.float32)
    full = margin_perceptron(SIGNS, y, y - 1.0, 0.5)
    assert jnp.array_equal(margin_perceptron(SIGNS, y, y - 1.0, 0.5, operands=operands), full)


def make(kind, operands):
    key = jax.random.key(0)
    if kind is RecurrentDiscrete:
        return RecurrentDiscrete(300, 0.5, 0.5, key, operands=operands)
    return kind(300, 300, 1.0, 0.5, key, operands=operands)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FullyConnected, FrozenFullyConnected, RecurrentDiscrete])
def test_modules_multiply_as_they_are_told(kind):
    narrow, full = make(kind, "bfloat16"), make(kind, "weights")
    weights = full.matrix
    assert jnp.array_equal(narrow.matrix, weights)
    assert jnp.array_equal(narrow(SIGNS), product(SIGNS, weights, "bfloat16"))
    assert not jnp.array_equal(narrow(SIGNS), full(SIGNS))
    assert jnp.abs(make(kind, "bfloat16x3")(SIGNS) - full(SIGNS)).max() < 1e-5


@pytest.mark.parametrize("kind", [FullyConnected, FrozenFullyConnected, RecurrentDiscrete])
def test_an_unknown_kind_is_named_with_the_nearest(kind, says):
    named = "FullyConnected" if kind is FrozenFullyConnected else kind.__name__
    sentence = f"{named}: No kind of operands is named 'bfloat'. Did you mean 'bfloat16'"
    with says(ValueError, sentence):
        make(kind, "bfloat")


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [1, 4, 5, 8, 9])
def test_few_inputs_give_the_product(inputs):
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(2, 6, inputs)), rng.normal(size=(inputs, 3))
    found = few_by_many(jnp.asarray(x, jnp.float32), jnp.asarray(W, jnp.float32))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, x @ W, rtol=1e-5, atol=1e-6)


def test_few_inputs_are_multiplied_out_and_many_are_not():
    def program(inputs):
        x, W = jnp.ones((6, inputs)), jnp.ones((inputs, 3))
        return str(jax.make_jaxpr(few_by_many)(x, W))

    assert "dot_general" not in program(FEW)
    assert "dot_general" in program(FEW + 1)
