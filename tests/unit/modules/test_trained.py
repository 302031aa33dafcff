"""Which leaves learn: the mask, the split, and updates that can't reach anything else."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import leaf_name
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import apply_trained, partition_trained, trained_mask


@pytest.fixture
def update(two_hidden):
    """Trains the two-hidden network for some steps, through the trained leaves or in full."""

    def run(optimizer, *, trained_only):
        split = partition_trained if trained_only else lambda model: (model, None)

        @eqx.filter_jit
        def learn(network, memory, state):
            state, _ = network.step(state, rng=None)
            gradient = split(network.backward(state))[0]
            updates, memory = optimizer.update(gradient, memory, split(network)[0])
            return apply_trained(network, updates), memory, state

        network, state = two_hidden.orchestrator, two_hidden.clamped
        memory = optimizer.init(split(network)[0])
        for _ in range(3):
            network, memory, state = learn(network, memory, state)
        return network

    return run


def test_a_mask_names_the_weights_alone(two_hidden):
    lmap = two_hidden.orchestrator.lmap
    for edge, mask in trained_mask(lmap).edge_items():
        module = lmap[edge]
        assert jax.tree.structure(mask) == jax.tree.structure(module)
        if isinstance(module, FullyConnected):
            assert (mask.W, mask.strength, mask.threshold) == (True, False, False)
        elif isinstance(module, FrozenFullyConnected):
            assert (mask.W, mask.strength, mask.threshold) == (False, False, False)
        elif isinstance(module, RecurrentDiscrete):
            assert mask.threshold is False
            assert np.array_equal(mask.J, ~np.eye(len(module.J), dtype=bool))
        else:
            assert mask == OutputLayer()


def test_a_model_that_names_nothing_learns_all_its_inexact_arrays():
    model = {"W": jnp.ones(3), "count": jnp.arange(3), "name": "mine", "rate": 0.1}
    assert trained_mask(model) == {"W": True, "count": False, "name": False, "rate": False}
    learning, rest = partition_trained(model)
    assert learning["count"] is learning["name"] is learning["rate"] is None
    assert (rest["W"], rest["name"], rest["rate"]) == (None, "mine", 0.1)


def test_modules_are_found_inside_other_models(two_hidden):
    frozen = two_hidden.orchestrator.lmap[1, 3]
    mask = trained_mask({"net": [frozen], "own": jnp.ones(2)})
    assert mask["own"] is True
    assert jax.tree.leaves(mask["net"]) == [False, False, False]


def test_the_split_joins_to_the_model_again(two_hidden, same_bits):
    network = two_hidden.orchestrator
    learning, rest = partition_trained(network)
    same_bits(eqx.combine(learning, rest), network)
    names = [leaf_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(learning)]
    assert names == [
        f"edge {edge}, leaf {name}"
        for edge, name in [
            ((1, 0), "W"),
            ((1, 1), "J"),
            ((1, 2), "W"),
            ((2, 1), "W"),
            ((2, 2), "J"),
            ((3, 2), "W"),
        ]
    ]


def test_the_optimiser_remembers_trained_leaves_alone(two_hidden):
    learning, _ = partition_trained(two_hidden.orchestrator)
    memory = optax.adam(1e-3).init(learning)
    remembered = sum(leaf.size for leaf in jax.tree.leaves(memory) if leaf.ndim)
    assert remembered == 2 * sum(leaf.size for leaf in jax.tree.leaves(learning))


@pytest.mark.parametrize("trained_only", [True, False], ids=["trained leaves", "every leaf"])
def test_heavy_weight_decay_moves_nothing_that_does_not_learn(two_hidden, update, trained_only):
    decayed = update(optax.adamw(0.1, weight_decay=5.0), trained_only=trained_only)
    for edge, old in two_hidden.orchestrator.lmap.edge_items():
        new = decayed.lmap[edge]
        for name in ("W", "J", "strength", "threshold"):
            if not hasattr(old, name):
                continue
            before, after = np.asarray(getattr(old, name)), np.asarray(getattr(new, name))
            if name == "J":
                eye = np.eye(len(before), dtype=bool)
                assert before[eye].tobytes() == after[eye].tobytes(), edge
                assert (before[~eye] != after[~eye]).any(), edge
            elif name == "W" and isinstance(old, FullyConnected):
                assert (before != after).any(), edge
            else:
                assert before.tobytes() == after.tobytes(), (edge, name)


def test_updates_of_none_and_of_zero_are_the_same(two_hidden, same_bits):
    network = two_hidden.orchestrator
    zeros = jax.tree.map(np.zeros_like, network)
    same_bits(apply_trained(network, zeros), network)
    same_bits(apply_trained(network, partition_trained(zeros)[0]), network)


def test_a_whole_update_reaches_only_what_learns(two_hidden):
    layer = two_hidden.orchestrator.lmap[2, 2]
    moved = apply_trained(layer, jax.tree.map(np.ones_like, layer))
    step = np.asarray(moved.J) - np.asarray(layer.J)
    assert np.array_equal(step, 1 - np.eye(len(step)))
    assert np.array_equal(moved.threshold, layer.threshold)


def test_it_works_on_many_networks_at_once(two_hidden):
    layer = two_hidden.orchestrator.lmap[2, 2]
    layers = jax.tree.map(lambda leaf: jax.device_put(np.stack([leaf] * 4)), layer)
    moved = apply_trained(layers, jax.tree.map(np.ones_like, layers))
    step = np.asarray(moved.J) - np.asarray(layers.J)
    assert np.array_equal(step, np.tile(1 - np.eye(len(layer.J)), (4, 1, 1)))


@final
class Numbered(eqx.Module):
    """A module that answers with NumPy's booleans, as a comparison of NumPy's does."""

    W: jax.Array
    b: jax.Array

    def trained(self):
        return {"W": np.bool_(True), "b": np.bool_(False)}


def test_numpys_booleans_are_booleans():
    """`is False` does not hold of NumPy's: a leaf that it was said of was handed to Optax."""
    model = Numbered(jnp.ones(2), jnp.ones(3))
    mask = trained_mask(model)
    assert (mask.W, mask.b) == (True, False)
    assert mask.W is True
    assert mask.b is False
    assert partition_trained(model)[0].b is None
