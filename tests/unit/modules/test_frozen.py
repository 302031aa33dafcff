"""Frozen modules: the same dynamics, and nothing moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.frozen import FrozenAdapter, FrozenLayer, frozen
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import partition_trained

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).choice([-1.0, 1.0], (5, 4)), jnp.float32)
ADAPTER = FullyConnected(4, 4, 1.0, 0.5, KEY)
LAYER = RecurrentDiscrete(4, 0.5, 0.5, KEY)


@pytest.mark.parametrize(("module", "kind"), [(ADAPTER, FrozenAdapter), (LAYER, FrozenLayer)])
def test_it_is_of_the_same_kind_and_sends_the_same(module, kind, same_bits):
    held = frozen(module)
    assert isinstance(held, kind)
    assert held.inner is module
    assert (held.sender_shape, held.receiver_shape, held.needs_key) == ((4,), (4,), False)
    same_bits(held(X), module(X))


def test_a_frozen_layer_has_the_dynamics_of_the_one_inside(same_bits):
    messages = {0: X, 1: LAYER(X)}
    held = frozen(LAYER)
    same_bits(held.reduce(messages), LAYER.reduce(messages))
    same_bits(held.activation(X - 0.5), LAYER.activation(X - 0.5))


@pytest.mark.parametrize("module", [ADAPTER, LAYER])
def test_nothing_learns_not_even_by_weight_decay(module):
    held = frozen(module)
    learning, _ = partition_trained(held)
    assert jax.tree.leaves(learning) == []
    gradient = held.backward(X, X, -X)
    assert jax.tree.structure(gradient) == jax.tree.structure(held)
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))


def test_other_things_are_refused(says):
    with says(TypeError, "frozen: needs an adapter or a layer, got float."):
        frozen(1.0)
