"""Spiking units and the state-space layer, against plain NumPy in double precision.

The reference knows arrays and loops. For the spiking layers it also goes back through time by
hand, equation for equation, with the surrogate's slope in place of that of the step.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from bionet.modules.through_time.cells import CellChain, Synapses
from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.recurrent_spiking import RecurrentSpiking
from bionet.modules.through_time.spiking import LIF, AdaptiveLIF, LeakyIntegrator
from bionet.modules.through_time.state_space import S5

TIME, BATCH, INPUTS, UNITS, OUT = 12, 4, 5, 6, 3
RNG = np.random.default_rng(0)
XS = (RNG.uniform(size=(TIME, BATCH, INPUTS)) < 0.4).astype(float)
W, J, b = (
    RNG.normal(size=(INPUTS, UNITS)),
    0.7 * RNG.normal(size=(UNITS, UNITS)),
    RNG.normal(size=UNITS) / 5,
)
LEAK, MEMORY = np.linspace(0.6, 0.95, UNITS), np.linspace(0.8, 0.99, UNITS)
THRESHOLD, STRENGTH = np.linspace(0.8, 1.2, UNITS), np.linspace(0.0, 1.5, UNITS)
READOUT, TARGET = RNG.normal(size=(TIME, UNITS)), RNG.normal(size=(BATCH, UNITS))
DOUBLE = {"dtype": "float64"}


def arctan(x):
    return 1 / (1 + (np.pi * x) ** 2)  # slope 2


def forward(adaptive, recurrent=True):
    """Voltages, traces and spikes after each step, with those before the first."""
    v, a, z = (np.zeros((TIME + 1, BATCH, UNITS)) for _ in range(3))
    for t in range(TIME):
        current = XS[t] @ W + b + (z[t] @ J if recurrent else 0.0)
        v[t + 1] = LEAK * v[t] + current - THRESHOLD * z[t]
        if adaptive:
            a[t + 1] = MEMORY * a[t] + (1 - MEMORY) * z[t]
        z[t + 1] = v[t + 1] >= THRESHOLD + STRENGTH * a[t + 1]
    return v, a, z


def backward(adaptive, v, a, z):
    """The gradients of `(READOUT * mean spikes over the batch, summed - TARGET)²`, by hand."""
    total = np.einsum("tk,tnk->nk", READOUT, z[1:])
    of_total = 2 * (total - TARGET) / BATCH
    of_W, of_J, of_b = np.zeros_like(W), np.zeros_like(J), np.zeros_like(b)
    of_leak, of_memory = np.zeros(UNITS), np.zeros(UNITS)
    of_v, of_a, of_z = (np.zeros((BATCH, UNITS)) for _ in range(3))
    for t in reversed(range(TIME)):
        of_z = of_z + of_total * READOUT[t]
        slope = arctan(v[t + 1] - THRESHOLD - STRENGTH * a[t + 1])
        of_v, of_a = of_v + of_z * slope, of_a - of_z * slope * STRENGTH
        of_W += XS[t].T @ of_v
        of_J += z[t].T @ of_v
        of_b += of_v.sum(0)
        of_leak += (of_v * v[t]).sum(0)
        of_z = of_v @ J.T - of_v * THRESHOLD
        if adaptive:
            of_memory += (of_a * (a[t] - z[t])).sum(0)
            of_z = of_z + of_a * (1 - MEMORY)
        of_v, of_a = LEAK * of_v, MEMORY * of_a
    # The leaks are held as logits.
    return of_W, of_J, of_b, of_leak * LEAK * (1 - LEAK), of_memory * MEMORY * (1 - MEMORY)


def neuron(adaptive):
    options = {"threshold": THRESHOLD, "surrogate": "arctan", "reset_gradient": True} | DOUBLE
    if adaptive:
        return AdaptiveLIF(UNITS, LEAK, MEMORY, strength=STRENGTH, **options)
    return LIF(UNITS, LEAK, **options)


@pytest.fixture(params=[False, True], ids=["lif", "adaptive"])
def adaptive(request):
    with jax.enable_x64(True):
        yield request.param


def test_units_without_weights(adaptive):
    v, a, z = forward(adaptive, recurrent=False)
    spikes, state = over_time(neuron(adaptive), jnp.asarray(XS @ W + b))
    assert np.array_equal(spikes, z[1:])
    for found, expected in zip(jax.tree.leaves(state), (v, a), strict=False):
        np.testing.assert_allclose(found, expected[-1], rtol=1e-12, atol=1e-12)
    assert 0.05 < z.mean() < 0.95


def test_a_recurrent_layer_and_its_gradient_through_time(adaptive):
    v, a, z = forward(adaptive)
    unit = neuron(adaptive)
    make = lambda: RecurrentSpiking(INPUTS, UNITS, unit, jax.random.key(0), **DOUBLE)  # noqa: E731
    made = eqx.tree_at(lambda m: m.neuron, eqx.filter_eval_shape(make), unit)
    made = eqx.tree_at(lambda m: (m.W, m.J, m.bias), made, list(map(jnp.asarray, (W, J, b))))

    @eqx.filter_jit
    @eqx.filter_value_and_grad(has_aux=True)
    def judged(made):
        spikes, state = over_time(made, jnp.asarray(XS))
        total = jnp.einsum("tk,tnk->nk", jnp.asarray(READOUT), spikes)
        return ((total - TARGET) ** 2).sum() / BATCH, (spikes, state)

    (_, (spikes, state)), slopes = judged(made)
    assert np.array_equal(spikes, z[1:])
    for found, expected in zip(jax.tree.leaves(state), (v, a), strict=False):
        np.testing.assert_allclose(found, expected[-1], rtol=1e-12, atol=1e-12)
    assert 0.05 < z.mean() < 0.95
    *expected, of_memory = backward(adaptive, v, a, z)
    found = [slopes.W, slopes.J, slopes.bias, slopes.neuron.leak.raw]
    if adaptive:
        found, expected = [*found, slopes.neuron.memory.raw], [*expected, of_memory]
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)
        assert np.abs(right).max() > 1e-3


def smooth():
    """A whole network whose spikes are smooth, so that differences can be taken."""
    key, spike = jax.random.key(0), lambda x: jax.nn.sigmoid(3 * x)
    unit = AdaptiveLIF(UNITS, 0.8, 0.9, surrogate=spike, reset_gradient=True, **DOUBLE)
    return CellChain(
        RecurrentSpiking(INPUTS, UNITS, unit, key, **DOUBLE),
        Synapses(UNITS, OUT, key, **DOUBLE),
        LeakyIntegrator(OUT, 0.7, **DOUBLE),
    )


@pytest.mark.slow
def test_a_smooth_network_has_the_gradient_of_its_differences():
    with jax.enable_x64(True):
        hollow, weights = eqx.filter_eval_shape(smooth), RNG.normal(size=(TIME, BATCH, OUT))
        shapes, rest = eqx.partition(hollow, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
        # Above 0, as a threshold, a slope and a strength are.
        drawn = jax.tree.map(lambda leaf: RNG.uniform(0.2, 1.0, leaf.shape), shapes)
        flat, unravel = ravel_pytree(drawn)
        directions = RNG.normal(size=(3, flat.size))

        @jax.jit
        def both(points):
            def loss(flat):
                voltages, _ = over_time(eqx.combine(unravel(flat), rest), jnp.asarray(XS))
                return (weights * voltages**2).mean()

            return jax.grad(loss)(points[0]), jax.lax.map(loss, points)

        steps = [0 * directions[0], *1e-5 * directions, *-1e-5 * directions]
        slope, values = both(jnp.asarray(np.asarray(flat) + np.stack(steps)))
        expected = (values[1:4] - values[4:]) / 2e-5
        np.testing.assert_allclose(directions @ np.asarray(slope), expected, rtol=1e-6)
        assert np.abs(expected).max() > 1e-2


def test_a_state_space_layer():
    poles = 4
    with jax.enable_x64(True):
        made = eqx.filter_eval_shape(lambda: S5(INPUTS, poles, jax.random.key(0), **DOUBLE))
        made = jax.tree.map(lambda leaf: jnp.asarray(RNG.normal(size=leaf.shape)), made)
        outs, last = over_time(made, jnp.asarray(XS))
    decay, frequency, step = (
        np.asarray(x) for x in (made.log_decay, made.frequency, made.log_step)
    )
    pole, held = -np.exp(decay) + 1j * frequency, np.exp(step)
    B, C = (np.asarray(x[0]) + 1j * np.asarray(x[1]) for x in (made.B, made.C))
    state, expected = np.zeros((BATCH, poles), complex), []
    for x in XS:
        state = np.exp(pole * held) * state + (np.exp(pole * held) - 1) / pole * (x @ B)
        expected.append((state @ C).real + np.asarray(made.D) * x)
    np.testing.assert_allclose(outs, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(last.real, state.real, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(last.imaginary, state.imag, rtol=1e-10, atol=1e-12)
