"""Spikes: the hard step forward, the documented derivative backward, and no second derivative."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.through_time.surrogates import SURROGATES, Surrogate
from bionet.modules.trained import partition_trained

X = np.array([-2.5, -0.75, -0.5, -0.125, -0.0, 0.0, 0.04, 0.5, 0.6, 3.0])

# The table of the docstring, written once more in NumPy.
DERIVATIVES = {
    "superspike": lambda x, k: (1.0 + k * np.abs(x)) ** -2.0,
    "arctan": lambda x, k: 1.0 / (1.0 + np.square(np.pi * k * x / 2.0)),
    "tanh": lambda x, k: np.cosh(k * x) ** -2.0,
    "triangular": lambda x, k: np.where(k * np.abs(x) < 1.0, 1.0 - k * np.abs(x), 0.0),
    "boxcar": lambda x, k: np.where(np.abs(x) <= 1.0 / k, 1.0, 0.0),
    "sigmoid": lambda x, k: 4.0 * np.exp(-k * x) / (1.0 + np.exp(-k * x)) ** 2.0,
    "straight-through": lambda x, k: np.ones_like(x),
}


def test_the_family_is_the_documented_one():
    assert set(SURROGATES) == set(DERIVATIVES)
    assert all(f"| {kind} |" in Surrogate.__doc__ for kind in SURROGATES)


@pytest.mark.parametrize("kind", SURROGATES)
def test_forward_is_the_step_and_backward_the_documented_derivative(kind):
    traces = []

    @eqx.filter_jit
    def both(spike, x):
        traces.append(kind)
        out, pull = jax.vjp(spike, x)
        pushed = jax.jvp(spike, (x,), (3 * jnp.ones_like(x),))[1]
        mapped = jax.vmap(jax.grad(spike))(x)
        return out, pull(jnp.ones_like(x))[0], pushed, mapped, spike.derivative(x)

    with jax.enable_x64(True):
        x = jnp.asarray(X)
        for slope in (2.0, 0.7):
            out, *found = both(Surrogate(kind, slope, dtype="float64"), x)
            assert out.dtype == x.dtype
            assert np.array_equal(out, X >= 0)
            expected = DERIVATIVES[kind](X, slope)
            for derivative, factor in zip(found, (1, 3, 1, 1), strict=True):
                np.testing.assert_allclose(derivative, factor * expected, rtol=1e-13, atol=1e-15)
    assert len(traces) == 1, "another slope is not traced again"


@pytest.mark.parametrize("kind", SURROGATES)
def test_all_are_one_at_the_threshold_and_have_a_usual_slope(kind):
    spike = Surrogate(kind)
    assert spike.derivative(jnp.zeros(())) == 1
    (slope,) = (row.split("|")[3] for row in Surrogate.__doc__.splitlines() if f"| {kind} |" in row)
    assert float(slope) == float(spike.slope)


def test_the_slope_neither_learns_nor_has_a_gradient():
    spike = Surrogate("superspike")
    assert jax.tree.leaves(partition_trained({"spike": spike})[0]) == []
    assert eqx.filter_grad(lambda s: s(jnp.ones(3)).sum())(spike).slope == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_spikes_have_the_dtype_of_what_makes_them(dtype):
    x = jnp.asarray([-1.0, 0.0], dtype)
    out, slope = jax.jvp(Surrogate("arctan"), (x,), (x,))
    assert out.dtype == slope.dtype == dtype


def rolled_out(w):
    spike = Surrogate("arctan")

    def step(v, _):
        v = w * v + spike(v - 0.5)
        return v, v

    return jax.lax.scan(step, jnp.ones(()), None, length=3)[1].sum()


@pytest.mark.parametrize(
    "twice",
    [
        lambda: jax.hessian(lambda x: Surrogate("arctan")(x).sum())(jnp.ones(2)),
        lambda: jax.grad(jax.grad(rolled_out))(0.3),
        lambda: jax.jit(jax.grad(jax.grad(jax.checkpoint(rolled_out))))(0.3),
        lambda: jax.jvp(jax.grad(jax.vmap(rolled_out)), (jnp.ones(2),), (jnp.ones(2),)),
        lambda: jax.grad(lambda x: jax.jvp(Surrogate("arctan"), (x,), (1.0,))[1])(0.3),
    ],
    ids=["hessian", "in a scan", "checkpointed, in jit", "forward over reverse", "of a jvp"],
)
def test_differentiating_twice_is_an_error_that_names_the_surrogate(twice, says):
    with says(TypeError, "Surrogate 'arctan': can be differentiated once, and was differentiated"):
        twice()


def test_once_is_fine_in_a_scan():
    # v: 1, then 0.3 + 1, then 0.39 + 1; dv/dw by hand with the slopes at 0.5 and 0.8.
    at = lambda x: 1 / (1 + (np.pi * x) ** 2)  # noqa: E731
    first = 1.0
    second = 1.3 + (0.3 + at(0.8)) * first
    third = 1.39 + (0.3 + at(0.89)) * second
    np.testing.assert_allclose(jax.grad(rolled_out)(0.3), first + second + third, rtol=1e-5)


def test_a_misspelt_kind_is_told_the_nearest(says):
    with says(ValueError, "Surrogate: No surrogate is named 'superspick'. Did you mean 'supers"):
        Surrogate("superspick")


@pytest.mark.parametrize("slope", [0.0, -1.0, np.nan, np.inf])
def test_a_slope_is_above_zero(slope, says):
    with says(ValueError, "Surrogate: slope needs to be above 0 and finite, got"):
        Surrogate("tanh", slope)


def test_a_slope_is_one_number(says):
    with says(ValueError, "Surrogate: slope needs to be one number, got shape (2,)."):
        Surrogate("tanh", [1.0, 2.0])


def test_integers_have_no_derivative(says):
    with says(TypeError, "Surrogate: needs floating-point numbers, got int32."):
        Surrogate("tanh")(jnp.arange(3))
