"""`Reshaped`: the adapter inside sees rows, its neighbours see images, and it learns the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.layer_maps.sparse import LayerMap, leaf_name
from bionet.modules.ferromagnetic import FerromagneticChain
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.images.reshaping import Reshaped
from bionet.modules.input_output import OutputLayer
from bionet.modules.trained import partition_trained, trained_mask

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def edge():
    dense = FullyConnected(12, 6, 1.0, 0.5, KEY)
    return Reshaped(dense, sender_shape=(2, 3, 2), receiver_shape=(3, 2))


@pytest.fixture(scope="module")
def batch():
    """x (4, 2, 3, 2) and y in {-1, +1} (4, 3, 2)."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 2, 3, 2)), rng.choice([-1.0, 1.0], (4, 3, 2))
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def test_the_message_is_that_of_the_inner_one(edge, batch):
    x, _ = batch
    assert np.array_equal(edge(x), edge.inner(x.reshape(4, 12)).reshape(4, 3, 2))


def test_so_is_what_it_learns(edge, batch):
    x, y = batch
    gate = jnp.arange(4.0)
    found = edge.backward(x, y, edge(x), gate)
    rows = y.reshape(4, 6), edge(x).reshape(4, 6)
    expected = edge.inner.backward(x.reshape(4, 12), *rows, gate)
    assert np.array_equal(found.inner.W, expected.W)
    assert found.inner.W.any()
    assert jax.tree.structure(found) == jax.tree.structure(edge)


def test_one_side_may_stay_as_it_is(batch):
    readout = Reshaped(FullyConnected(12, 6, 1.0, 0.5, KEY), sender_shape=(2, 3, 2))
    assert (readout.sender_shape, readout.receiver_shape) == ((2, 3, 2), (6,))
    assert readout(batch[0]).shape == (4, 6)
    feedback = Reshaped(FrozenFullyConnected(6, 12, 1.0, 0.5, KEY), receiver_shape=(2, 3, 2))
    assert (feedback.sender_shape, feedback.receiver_shape) == ((6,), (2, 3, 2))
    assert feedback(jnp.ones((4, 6))).shape == (4, 2, 3, 2)


def test_what_learns_is_what_learns_inside(edge, batch):
    mask = trained_mask(edge).inner
    assert (mask.W, mask.strength, mask.threshold) == (True, False, False)
    frozen = Reshaped(FrozenFullyConnected(12, 6, 1.0, 0.5, KEY), sender_shape=(2, 3, 2))
    assert frozen.trained() == {}
    assert jax.tree.leaves(partition_trained(frozen)[0]) == []
    x, y = batch
    gradient = frozen.backward(x, y.reshape(4, 6), -y.reshape(4, 6))
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_a_key_is_asked_for_where_the_inner_one_needs_it(edge, noisy):
    assert edge.needs_key is False
    noise = noisy.orchestrator.lmap[1, 0]
    around = Reshaped(noise, sender_shape=(1, 5))
    assert around.needs_key is True
    x = jnp.ones((2, 5))
    assert np.array_equal(around(x[:, None], KEY), noise(x, KEY))


def test_a_layer_map_sees_the_outer_shapes_and_names_the_leaf(edge, says):
    rows = {1: {0: edge, 1: OutputLayer()}}
    learning = partition_trained(LayerMap.from_dict(rows))[0]
    names = [leaf_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(learning)]
    assert names == ["edge (1, 0), leaf inner.W"]
    with says(ValueError, "edge (2, 0) needs buffer 0 of shape (12,), but edge (1, 0) needs it of"):
        LayerMap.from_dict(rows | {2: {0: FerromagneticChain(12, 1.0), 2: OutputLayer()}})


def test_shapes_with_other_numbers_of_units_are_refused(says):
    dense = FullyConnected(12, 6, 1.0, 0.5, KEY)
    with says(ValueError, "Reshaped: sender_shape (2, 5) has 10 units, but inner has 12 units"):
        Reshaped(dense, sender_shape=(2, 5))
    with says(ValueError, "Reshaped: receiver_shape (12,) has 12 units, but inner has 6 units"):
        Reshaped(dense, receiver_shape=(12,))
    with says(ValueError, "Reshaped: sender_shape needs a positive int, got -1."):
        Reshaped(dense, sender_shape=(-1, 12))
    with says(TypeError, "Reshaped: inner needs an adapter, got OutputLayer."):
        Reshaped(OutputLayer())


@pytest.mark.parametrize("name", ["x", "y", "y_hat"])
def test_buffers_of_another_shape_are_refused(edge, batch, name, says):
    x, y = batch
    arrays = {"x": x, "y": y, "y_hat": y}
    # As many numbers, in another order of the axes.
    arrays[name] = jnp.swapaxes(arrays[name], 1, 2)
    needed = "(batch, 2, 3, 2)" if name == "x" else "(batch, 3, 2)"
    with says(ValueError, f"Reshaped: {name} needs shape {needed}, got {arrays[name].shape}."):
        edge.increments(**arrays)


def test_labels_are_looked_at_by_the_inner_one(edge, batch, says):
    _, y = batch
    assert np.array_equal(edge.admit_target(y), y)
    with says(RuntimeError, "FullyConnected: labels need to be -1 or +1, got others;"):
        edge.admit_target(y / 2)
