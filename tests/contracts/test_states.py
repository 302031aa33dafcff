"""What holds for every state: an immutable pytree that goes where arrays go."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture(scope="module")
def x():
    return jnp.asarray(np.random.default_rng(0).normal(size=(6, 5)), jnp.float32)


@pytest.fixture(scope="module")
def y():
    return jnp.asarray(np.random.default_rng(1).choice([-1.0, 1.0], (6, 3)), jnp.float32)


@pytest.fixture(scope="module")
def filled(blank, x, y):
    return blank.init(x, y)


def test_init_under_jit_and_vmap_is_init(blank, filled, x, y, same_bits, stacked):
    same_bits(jax.jit(lambda x, y: blank.init(x, y))(x, y), filled)
    same_bits(eqx.filter_jit(blank.init)(x, y), filled)
    together = jax.vmap(blank.init)(stacked(x, x), stacked(y, y))
    same_bits(together, stacked(filled, filled))


def test_replace_under_jit_is_replace(filled, same_bits):
    value = jnp.asarray(np.ones((6, 7)), jnp.float32)
    found = jax.jit(lambda state, value: state.replace(1, value))(filled, value)
    same_bits(found, filled.replace(1, value))


def test_it_can_be_carried_by_scan(filled):
    def body(state, _):
        return state.replace(1, state[1] + 1), state.readout

    state, readouts = jax.lax.scan(body, filled, length=3)
    assert np.array_equal(state[1], np.full((6, 7), 3.0))
    assert readouts.shape == (3, 6, 3)


def test_neither_init_nor_replace_changes_its_structure(blank, filled):
    structure = jax.tree.structure(blank)
    assert jax.tree.structure(filled) == structure
    assert jax.tree.structure(filled.replace(-1, filled.readout)) == structure
    assert len(jax.tree.leaves(blank)) == len(blank) == 3


def test_other_values_are_not_traced_again_and_another_batch_is(blank, x, y):
    traces = []

    @eqx.filter_jit
    def run(state, x, y):
        traces.append(x)
        return state.init(x, y)

    run(blank, x, y)
    run(blank.init(x, y), jax.device_put(2 * np.asarray(x)), y)
    assert len(traces) == 2  # the batch of the old state has changed
    run(blank.init(x, y), x, jax.device_put(-np.asarray(y)))
    assert len(traces) == 2


def test_partition_combine_and_tree_at(filled, same_bits):
    same_bits(eqx.combine(*eqx.partition(filled, lambda leaf: leaf.shape[1] == 7)), filled)
    same_bits(eqx.filter(filled, eqx.is_inexact_array), filled)
    changed = eqx.tree_at(lambda state: state[1], filled, np.ones((6, 7), np.float32))
    assert np.array_equal(changed[1], np.ones((6, 7)))
    assert not filled[1].any()


def test_it_can_be_saved(blank, filled, same_bits, tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "state.eqx", filled)
    like = jax.tree.map(np.zeros_like, filled)
    like = jax.tree.map(jnp.asarray, like)
    same_bits(eqx.tree_deserialise_leaves(tmp_path / "state.eqx", like), filled)


def test_the_dtype_of_a_state_in_double_precision(blank):
    with jax.enable_x64(True):
        double = type(blank)((5, 7, 3), dtype="float64").init(np.full((6, 5), 0.1))
        assert {buffer.dtype for buffer in jax.tree.leaves(double)} == {jnp.dtype("float64")}
        assert double[0][0, 0].item() == 0.1
