"""Spiking units: by hand, step for step; what learns; and what their arguments may not be."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.spiking import LIF, Adapting, AdaptiveLIF, LeakyIntegrator
from bionet.modules.through_time.surrogates import Surrogate
from bionet.modules.trained import trained_mask

KINDS = [LIF, AdaptiveLIF, LeakyIntegrator]


def fixed(kind, features, *args, **options):
    return kind(features, *args, learn_leak=False, **options)


def test_lif_by_hand():
    # Two units: leak 1/2 and 1/4, threshold 1 and 2; all numbers are exact.
    unit = fixed(LIF, 2, [0.5, 0.25], threshold=[1.0, 2.0])
    currents = jnp.array([[0.5, 2.0], [0.75, 1.0], [1.0, 1.0], [0.0, 0.0]])
    # v: .5; .25 + .75 = 1, a tie is a spike; .5 + 1 - 1 = .5; .25
    # v: 2; .5 + 1 - 2 = -.5; -.125 + 1 = .875; .21875
    voltages = [[0.5, 2.0], [1.0, -0.5], [0.5, 0.875], [0.25, 0.21875]]
    state = unit.initial()
    for current, voltage in zip(currents, voltages, strict=True):
        spikes, state = unit(current, state)
        assert np.array_equal(state, voltage)
        assert np.array_equal(spikes, np.array(voltage) >= [1.0, 2.0])


def test_adaptive_lif_by_hand():
    # Without a leak of the voltage a unit gets 1 per step; it spikes less and less.
    unit = fixed(AdaptiveLIF, 1, 1.0, 0.5, strength=2.0)
    state, seen = unit.initial(), []
    for _ in range(5):
        spikes, state = unit(jnp.ones(1), state)
        seen.append((float(state.voltage[0]), float(state.adaptation[0]), float(spikes[0])))
    # v = 1, a = 0: spike; v = 1 + 1 - 1, a = 1/2, threshold 2; v = 2, a = 1/4, threshold 1.5:
    # spike; v = 2, a = 1/8 + 1/2, threshold 2.25; v = 3, a = 5/16, threshold 1.625: spike.
    assert seen == [(1, 0, 1), (1, 0.5, 0), (2, 0.25, 1), (2, 0.625, 0), (3, 0.3125, 1)]


def test_a_leaky_integrator_by_hand():
    voltages, last = over_time(fixed(LeakyIntegrator, 1, 0.5), jnp.array([[1.0], [1.0], [-4.0]]))
    assert np.array_equal(voltages[:, 0], [1.0, 1.5, -3.25])
    assert np.array_equal(last, voltages[-1])


def test_an_integrator_without_leak_is_a_sum():
    currents = jnp.array([[1.0, 0.5], [2.0, 0.5]])
    assert np.array_equal(over_time(fixed(LeakyIntegrator, 2, 1.0), currents)[1], [3.0, 1.0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "shape"), [((), (4,)), (3, (3, 4)), ((2, 3), (2, 3, 4))])
def test_it_begins_at_rest_for_any_batch(kind, batch, shape):
    unit = kind(4)
    state = unit.initial(batch)
    assert {leaf.shape for leaf in jax.tree.leaves(state)} == {shape}
    assert not any(leaf.any() for leaf in jax.tree.leaves(state))
    out, after = jax.eval_shape(unit, jax.ShapeDtypeStruct(shape, jnp.float32), state)
    assert out.shape == shape
    assert jax.tree.structure(after) == jax.tree.structure(state)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_state_has_its_dtype(kind, dtype):
    unit = kind(2, dtype=dtype)
    out, state = jax.eval_shape(unit, jax.ShapeDtypeStruct((2,), dtype), unit.initial())
    assert {leaf.dtype for leaf in jax.tree.leaves((out, state))} == {jnp.dtype(dtype)}


@pytest.mark.parametrize(
    ("kind", "learning"),
    [(LIF, {"leak"}), (AdaptiveLIF, {"leak", "memory"}), (LeakyIntegrator, {"leak"})],
)
def test_leaks_learn_and_nothing_else_does(kind, learning):
    def learned(unit):
        leaves = jax.tree_util.tree_leaves_with_path(trained_mask(unit))
        return {path[0].name for path, mask in leaves if mask}

    assert learned(kind(3)) == learning
    assert learned(fixed(kind, 3)) == set()


@pytest.mark.slow
@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("kind", [LIF, AdaptiveLIF])
def test_the_reset_is_differentiated_only_if_it_is_to_be(kind, through):
    unit = fixed(kind, 1, 0.5, surrogate="straight-through", reset_gradient=through)
    state = jax.tree.map(jnp.ones_like, unit.initial())

    def next_voltage(state):
        return jax.tree.leaves(unit(jnp.zeros(1), state)[1])[0][0]

    # dv'/dv is the leak, less the threshold times the straight-through slope of 1.
    slope = jax.tree.leaves(jax.grad(next_voltage)(state))[0]
    assert slope == (-0.5 if through else 0.5)


def test_any_function_can_be_the_spike_and_a_name_is_enough():
    assert LIF(1, surrogate="arctan").surrogate.kind == "arctan"
    assert LIF(1, surrogate=Surrogate("tanh", 3.0)).surrogate.slope == 3
    smooth = LIF(1, surrogate=jax.nn.sigmoid)
    np.testing.assert_allclose(smooth(jnp.ones(1), smooth.initial())[0], 0.5, atol=0.15)


def test_the_parts_of_an_adaptive_state_have_names():
    assert Adapting._fields == ("voltage", "adaptation")
    state = AdaptiveLIF(2).initial()
    assert isinstance(eqx.filter_jit(AdaptiveLIF(2))(jnp.ones(2), state)[1], Adapting)


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (lambda: LIF(0), ValueError, "LIF: features needs a positive int, got 0."),
        (lambda: LeakyIntegrator(2.5), ValueError, "LeakyIntegrator: features needs a positive"),
        (lambda: LIF(2, threshold=0.0), ValueError, "LIF: threshold needs to be above 0"),
        (lambda: LIF(2, threshold=[1.0] * 3), ValueError, "one value per unit, shape (2,), got"),
        (lambda: LIF(2, 1.5), ValueError, "LIF: leak needs to be between 0 and 1"),
        (lambda: AdaptiveLIF(2, memory=1.0), ValueError, "AdaptiveLIF: memory needs to be betw"),
        (lambda: AdaptiveLIF(2, strength=-1.0), ValueError, "strength needs to be 0 or more, got"),
        (lambda: LIF(2, surrogate="arctangent"), ValueError, "Did you mean 'arctan'"),
        (lambda: LIF(2, surrogate=3.0), TypeError, "LIF: surrogate needs to be a Surrogate, its"),
    ],
)
def test_wrong_arguments_are_told(make, kind, sentence, says):
    with says(kind, sentence):
        make()
