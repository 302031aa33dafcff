"""A quadratic whose gradient is known, and cheap directions for it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

SIZE = 12


class Bowl(NamedTuple):
    """`(theta - centre) . curves . (theta - centre) / 2`, with numbers in double precision."""

    curves: np.ndarray
    centre: np.ndarray
    theta: np.ndarray
    bulk: np.ndarray

    @property
    def gradient(self) -> np.ndarray:
        return self.curves @ (self.theta - self.centre)

    @property
    def batch(self) -> tuple[Array, ...]:
        """What `height` and `along` are called with, in JAX's own precision."""
        wide = jnp.result_type(float)
        return tuple(jnp.asarray(part, wide) for part in (self.curves, self.centre, self.bulk))

    @property
    def model(self) -> Array:
        return jnp.asarray(self.theta, jnp.result_type(float))


@pytest.fixture(scope="session")
def bowl() -> Bowl:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(SIZE, SIZE))
    centre, theta, noise = rng.normal(size=(3, SIZE))
    curves = factors @ factors.T / SIZE + np.eye(SIZE)
    gradient = curves @ (theta - centre)
    # A direction with a large bias, more than twice as long as the gradient.
    bulk = 2.0 * gradient + 2.0 * np.linalg.norm(gradient) / np.sqrt(SIZE) * noise
    return Bowl(curves, centre, theta, bulk)


def _height(theta: Array, curves: Array, centre: Array, bulk: Array) -> Array:
    away = theta - centre
    return away @ curves @ away / 2


def _along(theta: Array, curves: Array, centre: Array, bulk: Array) -> Array:
    return bulk


@pytest.fixture(scope="session")
def height():
    """The loss of a bowl; it takes no key."""
    return _height


@pytest.fixture(scope="session")
def along():
    """The cheap direction of a bowl: whatever it is told to be."""
    return _along


@pytest.fixture(scope="session")
def keys() -> Array:
    return jax.random.split(jax.random.key(7), 600)
