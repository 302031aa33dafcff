"""The gradient written by hand is that of the plain loop, for every neuron and every leaf."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.recurrent_spiking import RecurrentSpiking
from bionet.modules.through_time.spiking import LIF, AbstractNeuron, AdaptiveLIF

TIME, BATCH, INPUTS, UNITS = 7, 3, 4, 5
KEY = jax.random.key(1)


class Saturating(AbstractNeuron):
    """A neuron whose next state depends on the value of its current; only this test has it."""

    features: int
    in_features: int

    def spikes(self, state):
        return jax.nn.sigmoid(state)

    def advance(self, current, state, spikes):
        return 0.5 * state + jnp.tanh(current) * spikes

    def initial(self, batch_shape=()):
        return jnp.zeros((*batch_shape, self.features))

    def trained(self):
        return {}


NEURONS = {
    "lif, one leak": lambda: LIF(UNITS, 0.8, dtype="float64"),
    "lif, through the reset": lambda: LIF(
        UNITS, np.linspace(0.5, 0.9, UNITS), reset_gradient=True, dtype="float64"
    ),
    "adaptive": lambda: AdaptiveLIF(
        UNITS, 0.8, 0.9, strength=np.linspace(0, 2, UNITS), surrogate="arctan", dtype="float64"
    ),
    "nonlinear in its current": lambda: Saturating(UNITS, UNITS),
}


def drawn(neuron, bias=True):
    layer = RecurrentSpiking(
        INPUTS, UNITS, neuron, KEY, input_strength=2.0, bias=bias, dtype="float64"
    )
    rng = np.random.default_rng(1)
    xs, weights = (rng.normal(size=(TIME, BATCH, n)) for n in (INPUTS, UNITS))
    state = jax.tree.map(
        lambda leaf: jax.device_put(rng.uniform(size=leaf.shape)),
        jax.eval_shape(lambda: layer.initial((BATCH,))),
    )
    return (layer, jax.device_put(xs), state), weights


def stepped(layer, xs, state):
    return jax.lax.scan(lambda state, x: layer(x, state)[::-1], state, xs)[::-1]


def judged(run, weights, *given):
    answers, last = run(*given)
    loss = (weights * answers).sum() + sum((leaf**2).sum() for leaf in jax.tree.leaves(last))
    return loss, (answers, last)


@pytest.mark.parametrize("name", NEURONS)
def test_values_and_all_gradients_are_those_of_the_loop(name):
    with jax.enable_x64(True):
        given, weights = drawn(NEURONS[name](), bias=name != "adaptive")

        @eqx.filter_jit
        def both(given):
            return [
                eqx.filter_grad(lambda g: judged(run, weights, *g), has_aux=True)(given)  # noqa: B023
                for run in (over_time, stepped)
            ]

        found, expected = both(given)
        for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert left.dtype == right.dtype
            np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-11)
        for path, leaf in jax.tree_util.tree_leaves_with_path(found[0]):
            assert "slope" in jax.tree_util.keystr(path) or np.abs(leaf).max() > 1e-3


def products(function, *arguments):
    """The shapes of all matrix products in the compiled program, loops included."""
    text = jax.jit(function).lower(*arguments).compile().as_text()
    lines = [line for line in text.splitlines() if " dot(" in line]
    return [line.split("=")[1].split("{")[0].strip() for line in lines]


@pytest.fixture
def in_single():
    with jax.enable_x64(False):
        xs = np.random.default_rng(1).normal(size=(TIME, BATCH, INPUTS))
        layer = RecurrentSpiking(INPUTS, UNITS, LIF(UNITS), KEY)
        yield layer, jax.device_put(xs.astype(np.float32))


def test_nothing_is_computed_that_nobody_asked_for(in_single):
    layer, xs = in_single
    weights, rest = eqx.partition(layer, eqx.is_inexact_array)

    def of_weights(weights, xs):
        return jax.grad(lambda w: over_time(eqx.combine(w, rest), xs)[0].sum())(weights)

    def of_both(weights, xs):
        loss = lambda w, xs: over_time(eqx.combine(w, rest), xs)[0].sum()  # noqa: E731
        return jax.grad(loss, argnums=(0, 1))(weights, xs)

    # Forward x W and z J; backward d J', d'x and d'z; and d W' for the inputs.
    assert len(products(of_weights, weights, xs)) == 5
    assert len(products(of_both, weights, xs)) == 6


def test_a_second_derivative_names_the_surrogate(in_single, says):
    layer, xs = in_single
    slope = lambda xs: jax.grad(lambda xs: over_time(layer, xs)[0].sum())(xs).sum()  # noqa: E731
    with says(TypeError, "Surrogate 'superspike': can be differentiated once"):
        jax.eval_shape(jax.grad(slope), xs)


def test_sums_over_time_are_kept_in_single_precision(in_single):
    """A thousand times the same small gradient; bfloat16 alone would stop growing at 256."""
    neuron = LIF(1, 0.5, surrogate="straight-through", learn_leak=False, dtype="bfloat16")
    layer = RecurrentSpiking(1, 1, neuron, jax.random.key(0), dtype="bfloat16")
    layer = eqx.tree_at(lambda m: (m.W, m.J), layer, (layer.W * 0, layer.J * 0))
    xs = jnp.ones((1000, 1, 1), "bfloat16")
    total = lambda m: over_time(m, xs)[0].astype("float32").sum()  # noqa: E731
    slope = eqx.filter_jit(eqx.filter_grad(total))(layer)
    np.testing.assert_allclose(slope.W, 2000, rtol=0.01)
