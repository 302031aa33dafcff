"""The recurrent spiking layer: what it is made of, what learns, and its way through a sequence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.kernels.low_rank import LowRank, run_low_rank
from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.recurrent_spiking import RecurrentSpiking
from bionet.modules.through_time.spiking import LIF, AdaptiveLIF
from bionet.modules.trained import apply_trained, partition_trained, trained_mask

KEYS = jax.random.split(jax.random.key(0), 4)
TIME, BATCH, INPUTS, UNITS = 8, 3, 4, 6


def layer(neuron=None, **options):
    options = {"input_strength": 2.0, "recurrent_strength": 2.0} | options
    neuron = LIF(UNITS, 0.8) if neuron is None else neuron
    return RecurrentSpiking(INPUTS, UNITS, neuron, KEYS[0], **options)


@pytest.fixture(scope="module")
def xs():
    return jax.random.normal(KEYS[1], (TIME, BATCH, INPUTS))


def test_a_step_is_the_neuron_with_weights_around_it():
    made = eqx.tree_at(lambda m: m.bias, layer(), jnp.arange(6.0) / 10)
    x, voltage = jax.random.normal(KEYS[2], (2, BATCH, UNITS))
    spikes, after = made(x[:, :INPUTS], voltage)
    before = np.asarray(voltage) >= 1.0
    current = np.asarray(x[:, :INPUTS]) @ np.asarray(made.W) + before @ np.asarray(made.J)
    expected = 0.8 * np.asarray(voltage) + current + np.arange(6) / 10 - before
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(spikes, expected >= 1.0)
    assert before.any()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(TIME, INPUTS), (TIME, 2, 5, INPUTS)])
def test_a_sequence_of_any_batch(shape):
    made = layer()
    xs = jax.random.normal(KEYS[1], shape)
    spikes, state = over_time(made, xs)
    stepped, last = jax.lax.scan(
        lambda state, x: made(x, state)[::-1], made.initial(shape[1:-1]), xs
    )[::-1]
    assert spikes.shape == (*shape[:-1], UNITS)
    assert np.array_equal(spikes, stepped)
    np.testing.assert_allclose(state, last, rtol=1e-5)
    assert 0 < spikes.mean() < 1


def test_weights_bias_and_leaks_learn():
    leaves = jax.tree_util.tree_leaves_with_path(trained_mask(layer(AdaptiveLIF(UNITS))))
    learning = {jax.tree_util.keystr(path) for path, mask in leaves if mask}
    assert learning == {".W", ".J", ".bias", ".neuron.leak.raw", ".neuron.memory.raw"}
    learning, _ = partition_trained(layer(LIF(UNITS, learn_leak=False), bias=False))
    assert len(jax.tree.leaves(learning)) == 2


@pytest.mark.slow
def test_it_learns_to_be_as_active_as_is_asked(xs):
    """Surrogate gradients lower a loss that the spikes alone decide, and touch nothing fixed."""
    made = layer()
    optimizer = optax.adam(0.05)

    @jax.jit
    def learn(learning, memory):
        def loss(learning):
            spikes, _ = over_time(eqx.combine(learning, rest), xs)
            return ((spikes.mean((0, 1)) - 0.5) ** 2).mean()

        value, gradient = jax.value_and_grad(loss)(learning)
        updates, memory = optimizer.update(gradient, memory, learning)
        return apply_trained(learning, updates), memory, value

    learning, rest = partition_trained(made)
    memory, losses = optimizer.init(learning), []
    for _ in range(30):
        learning, memory, value = learn(learning, memory)
        losses.append(float(value))
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.slow
def test_many_layers_at_once_are_each_alone(xs):
    twins = [layer(), jax.tree.map(lambda x: x * 1.1, layer())]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *twins)
    slopes = eqx.filter_grad(lambda made: over_time(made, xs)[0].sum())
    together, *alone = eqx.filter_jit(
        lambda stacked, twins: [eqx.filter_vmap(slopes)(stacked), *map(slopes, twins)]
    )(stacked, twins)
    expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)
    for left, right in zip(jax.tree.leaves(together), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_low_rank_weights_go_through_it_unformed(xs, monkeypatch):
    made = layer()
    parts = [
        LowRank(W, jax.random.normal(k, (len(W), 1)), jnp.ones((UNITS, 1)), jnp.asarray(0.3))
        for W, k in zip((made.W, made.J), KEYS[2:], strict=True)
    ]
    low, formed = (
        eqx.tree_at(lambda m: (m.W, m.J), made, matrices)
        for matrices in (parts, [part.formed() for part in parts])
    )
    expected = over_time(formed, xs)[0]
    monkeypatch.delattr(LowRank, "formed")
    assert np.array_equal(run_low_rank(lambda made: over_time(made, xs)[0], low), expected)


@pytest.mark.slow
def test_bfloat16_stays_bfloat16(xs):
    made = layer(LIF(UNITS, dtype="bfloat16"), dtype="bfloat16")
    spikes, state = jax.eval_shape(lambda: over_time(made, xs))
    assert spikes.dtype == state.dtype == jnp.bfloat16
    slopes = jax.eval_shape(lambda: eqx.filter_grad(lambda m: over_time(m, xs)[0].sum())(made))
    assert {leaf.dtype for leaf in jax.tree.leaves(slopes)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("neuron", "kind", "sentence"),
    [
        (jnp.tanh, TypeError, "RecurrentSpiking: neuron needs to be an AbstractNeuron, such as"),
        (LIF(5), ValueError, "RecurrentSpiking: needs a neuron of 6 units, got a LIF of 5."),
        (
            LIF(6, dtype="bfloat16"),
            TypeError,
            "RecurrentSpiking: has the dtype float32, its LIF bfloat16. Give both the same.",
        ),
    ],
)
def test_a_neuron_that_does_not_fit_is_told(neuron, kind, sentence, says):
    with says(kind, sentence):
        layer(neuron)


@pytest.mark.parametrize("name", ["in_features", "features"])
def test_widths_are_positive(name, says):
    widths = {"in_features": INPUTS, "features": UNITS, name: 0}
    with says(ValueError, f"RecurrentSpiking: {name} needs a positive int, got 0."):
        RecurrentSpiking(**widths, neuron=LIF(UNITS), key=KEYS[0])
