"""The trained numbers of a model as one vector, and back."""

import jax
import jax.numpy as jnp
import numpy as np

from bionet.modules.fully_connected import FullyConnected
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.training.zeroth_order.trained_vector import (
    trained_entries,
    trained_vector,
    with_trained,
)

KEY = jax.random.key(0)


def test_leaves_of_several_dtypes_meet_and_part():
    model = {"a": jnp.ones((2, 2), jnp.bfloat16), "b": jnp.arange(3), "c": jnp.zeros(())}
    vector = trained_vector(model)
    assert (vector.tolist(), vector.dtype) == ([1, 1, 1, 1, 0], jnp.float32)
    assert trained_entries(model) is None
    back = with_trained(model, jnp.arange(5.0))
    assert (back["a"].tolist(), back["a"].dtype) == ([[0, 1], [2, 3]], jnp.bfloat16)
    assert (back["b"].tolist(), float(back["c"])) == ([0, 1, 2], 4.0)


def test_only_what_learns_is_in_it():
    edge = FullyConnected(3, 2, 1.0, 0.5, KEY)
    assert np.array_equal(trained_vector(edge), edge.W.ravel())
    assert with_trained(edge, jnp.zeros(6)).threshold == edge.threshold


def test_entries_that_a_mask_holds_stay():
    layer = RecurrentDiscrete(3, 0.5, 0.0, KEY)
    assert np.array_equal(trained_entries(layer), ~np.eye(3, dtype=bool).ravel())
    assert np.array_equal(with_trained(layer, jnp.ones(9)).J, 1 - np.eye(3) / 2)
