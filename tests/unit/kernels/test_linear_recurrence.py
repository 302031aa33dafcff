"""A linear recurrence as a loop and as a tree, against NumPy's complex numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.kernels.linear_recurrence import Pair, linear_recurrence, plus, times


def drawn(time, seed=0):
    rng = np.random.default_rng(seed)
    complex_ = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)  # noqa: E731
    return 0.6 * complex_(3), complex_(time, 2, 3), complex_(2, 3)


def pair(numbers):
    return Pair(jnp.asarray(numbers.real), jnp.asarray(numbers.imag))


def numbers(pair):
    return np.asarray(pair.real) + 1j * np.asarray(pair.imaginary)


def by_numpy(pole, drive, state):
    states = []
    for driven in drive:
        state = pole * state + driven
        states.append(state)
    return np.stack(states)


def test_pairs_are_complex_numbers():
    pole, drive, _ = drawn(1)
    with jax.enable_x64(True):
        left, right = pair(pole), pair(drive)
        np.testing.assert_allclose(numbers(times(left, right)), pole * drive, rtol=1e-14)
        np.testing.assert_allclose(numbers(plus(left, right)), pole + drive, rtol=1e-14)


@pytest.mark.parametrize("time", [1, 2, 3, 8, 13])
def test_loop_and_tree_are_the_recurrence(time):
    given = drawn(time)
    with jax.enable_x64(True):
        run = jax.jit(
            lambda *given: [linear_recurrence(*given, parallel) for parallel in (None, True, False)]
        )
        for found in run(*map(pair, given)):
            np.testing.assert_allclose(numbers(found), by_numpy(*given), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("parallel", [True, False])
def test_derivatives_are_those_of_the_recurrence(parallel):
    """Against differences, in the direction of each argument; and both modes agree."""
    given, change = drawn(6), drawn(6, seed=1)
    weights = drawn(6, seed=2)[1]

    def loss(*given):
        states = linear_recurrence(*given, parallel)
        return (pair(weights).real * states.real + pair(weights).imaginary * states.imaginary).sum()

    with jax.enable_x64(True):
        point, direction = (tuple(map(pair, each)) for each in (given, change))
        _, forward = jax.jit(lambda: jax.jvp(loss, point, direction))()
        slopes = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*point)
    backward = sum(
        (np.asarray(s) * np.asarray(d)).sum()
        for s, d in zip(jax.tree.leaves(slopes), jax.tree.leaves(direction), strict=True)
    )
    beside = [
        (weights.conj() * by_numpy(*(g + h * c for g, c in zip(given, change, strict=True)))).sum()
        for h in (1e-5, -1e-5)
    ]
    np.testing.assert_allclose(forward, (beside[0] - beside[1]).real / 2e-5, rtol=1e-7)
    np.testing.assert_allclose(backward, forward, rtol=1e-10)


def test_the_way_back_keeps_the_states_alone():
    """Besides its arguments and results, a gradient needs one array of the states' size each."""
    given = tuple(map(pair, drawn(64)))
    _, pull = jax.vjp(lambda *given: linear_recurrence(*given, False), *given)
    kept = [leaf for leaf in jax.tree.leaves(pull) if getattr(leaf, "size", 0) >= 64 * 6]
    assert len(kept) == 2
