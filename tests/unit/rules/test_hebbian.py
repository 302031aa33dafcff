"""Hebb's rule: its sign, its scale, its gate, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import hebbian


@pytest.fixture(scope="module")
def batch():
    """x (6, 4) and y (6, 3)."""
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.normal(size=(6, n)), jnp.float32) for n in (4, 3))


def test_by_hand():
    """n = 1 and d = 4, so the product is halved."""
    x, y = jnp.array([[1.0, -2.0, 0.0, 4.0]]), jnp.array([[1.0, -3.0]])
    expected = [[0.5, -1.5], [-1.0, 3.0], [0.0, 0.0], [2.0, -6.0]]
    assert np.array_equal(hebbian(x, y), expected)


def test_following_it_raises_the_agreement_of_message_and_receiver(batch):
    x, y = batch
    assert (y * (x @ hebbian(x, y))).sum() > 1


@pytest.mark.parametrize(("reduction", "divisor"), [("sqrt", 24**0.5), ("mean", 12.0)])
def test_the_scale(batch, reduction, divisor):
    x, y = (np.asarray(each, float) for each in batch)
    found = hebbian(*batch, reduction=reduction)
    np.testing.assert_allclose(found, x.T @ y / divisor, rtol=1e-5, atol=1e-6)


def test_a_gate_is_a_factor_per_sample(batch):
    x, y = batch
    gate = jnp.array([0.0, 1.0, 0.5, 0.0, 2.0, 1.0])
    expected = hebbian(x, gate[:, None] * y)
    np.testing.assert_allclose(hebbian(x, y, gate=gate), expected, rtol=1e-5, atol=1e-6)


def test_shapes_that_do_not_fit(says):
    with says(ValueError, "hebbian: needs x (n, d), y (n, k)"):
        hebbian(jnp.ones((2, 3)), jnp.ones((3, 2)))


def test_an_unknown_reduction(says):
    with says(ValueError, "rules: No reduction is named 'sum'."):
        hebbian(jnp.ones((2, 2)), jnp.ones((2, 2)), reduction="sum")  # type: ignore[arg-type]
