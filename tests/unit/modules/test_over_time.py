"""Cells through time: the loop of their steps, on any time axis, from any state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.spiking import LIF, AdaptiveLIF, LeakyIntegrator

CURRENTS = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (7, 4, 3)), jnp.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LIF, AdaptiveLIF, LeakyIntegrator])
def test_it_is_the_loop_of_the_steps(kind):
    cell = kind(3)
    state = cell.initial(4)
    for current in CURRENTS:
        out, state = cell(current, state)
    outs, last = over_time(cell, CURRENTS)
    np.testing.assert_allclose(outs[-1], out, rtol=1e-5)
    for found, expected in zip(jax.tree.leaves(last), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_two_halves_are_the_whole():
    cell = LIF(3)
    whole, last = over_time(cell, CURRENTS)
    first, between = over_time(cell, CURRENTS[:3])
    second, end = over_time(cell, CURRENTS[3:], between, unroll=2)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-6)
    np.testing.assert_allclose(end, last, rtol=1e-6)


@pytest.mark.parametrize("axis", [1, -2])
def test_time_can_be_another_axis(axis):
    cell = LeakyIntegrator(3)
    expected, last = over_time(cell, CURRENTS)
    found, end = over_time(cell, jnp.moveaxis(CURRENTS, 0, 1), time_axis=axis)
    assert np.array_equal(jnp.moveaxis(found, 1, 0), expected)
    assert np.array_equal(end, last)


def test_a_single_sequence_needs_no_batch():
    single, state = over_time(LIF(3), CURRENTS[:, 0])
    assert (single.shape, state.shape) == ((7, 3), (3,))
    np.testing.assert_allclose(single, over_time(LIF(3), CURRENTS)[0][:, 0], rtol=1e-6)


def test_any_pure_function_can_be_scanned():
    def running(x, state):
        total = jax.tree.map(jnp.add, x, state)
        return total, total

    xs = {"a": jnp.arange(4.0), "b": jnp.ones((4, 2))}
    sums, last = over_time(running, xs, {"a": jnp.zeros(()), "b": jnp.zeros(2)})
    assert np.array_equal(sums["a"], [0, 1, 3, 6])
    assert np.array_equal(last["b"], [4, 4])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: over_time(LIF(3), CURRENTS[:0]), "over_time: needs one time step at least, got"),
        (
            lambda: over_time(LIF(5), CURRENTS),
            "over_time: LIF expects inputs of shape (time, ..., 5), got (7, 4, 3).",
        ),
        (lambda: over_time(LIF(7), CURRENTS[:, 0, 0]), "expects inputs of shape (time, ..., 7),"),
        (
            lambda: over_time(LIF(3), CURRENTS, jnp.zeros(3)),
            "over_time: a state of LIF for inputs of shape (7, 4, 3) has the shapes (4, 3), got "
            "(3,). Begin with `cell.initial((4,))`.",
        ),
        (
            lambda: over_time(lambda x, state: (x, state), CURRENTS),
            "over_time: a cell of type function does not say how it begins. Pass its state",
        ),
    ],
)
def test_what_does_not_fit_is_told(call, sentence, says):
    with says(ValueError, sentence):
        call()
