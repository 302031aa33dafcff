"""What holds for every orchestrator, whatever the order in which it updates rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.trained import trained_mask


def everything(orchestrator, state, rng=None):
    """A step, a step of inference, the answer, and what is learned there."""
    state, rng = orchestrator.step(state, rng=rng)
    state, rng = orchestrator.step_inference(state, rng=rng)
    answer, rng = orchestrator.predict(state, rng)
    return state, answer, orchestrator.backward(state, rng)


@pytest.fixture(scope="module")
def deep(make_network, orchestrator_kind):
    """Each orchestrator with the larger network: numbers are compiled once for each."""
    return make_network(2, orchestrator=orchestrator_kind)


@pytest.fixture(scope="module")
def compiled(deep):
    """`everything` under plain `jax.jit`, for all tests of a network; it counts its traces."""

    @jax.jit
    def traced(*arguments):
        run.traces += 1
        return everything(*arguments)

    def run(*arguments):
        return traced(*arguments)

    run.traces = 0
    return run


@pytest.fixture(scope="module")
def other(make_network, orchestrator_kind):
    """A network of the same wiring, with other numbers."""
    return make_network(2, seed=1, orchestrator=orchestrator_kind)


@pytest.fixture(scope="module")
def mapped(deep, other, stacked):
    """Over two states, and over two networks: one program, for each takes a compilation."""

    @eqx.filter_jit
    def run(orchestrator, networks, state, states):
        over_states = eqx.filter_vmap(everything, in_axes=(None, 0))(orchestrator, states)
        return over_states, eqx.filter_vmap(everything, in_axes=(0, None))(networks, state)

    networks = stacked(deep.orchestrator, other.orchestrator)
    return run(deep.orchestrator, networks, deep.clamped, stacked(deep.clamped, other.clamped))


def test_plain_jit_takes_it_as_an_argument_and_is_eager(deep, compiled, close, same_bits):
    found, expected = (run(deep.orchestrator, deep.clamped) for run in (compiled, everything))
    same_bits(found[:2], expected[:2])
    close(found[2], expected[2])


def test_a_method_can_be_compiled_as_it_is(deep, same_bits):
    expected, _ = deep.orchestrator.step(deep.clamped, rng=None)
    found, _ = eqx.filter_jit(deep.orchestrator.step)(deep.clamped, rng=None)
    same_bits(found, expected)


@pytest.mark.slow
def test_vmap_over_states_is_the_loop(deep, other, compiled, mapped, close, stacked):
    states = deep.clamped, other.clamped
    close(mapped[0], stacked(*(compiled(deep.orchestrator, state) for state in states)))


@pytest.mark.slow
def test_vmap_over_networks_is_the_loop(deep, other, compiled, mapped, close, stacked):
    networks = deep.orchestrator, other.orchestrator
    close(mapped[1], stacked(*(compiled(network, deep.clamped) for network in networks)))


def test_scan_is_the_loop(deep, same_bits):
    def body(carry, _):
        state, key = carry
        return deep.orchestrator.step(state, rng=key), None

    @jax.jit
    def scanned(*starts):
        return [jax.lax.scan(body, start, length=4)[0][0] for start in starts]

    found = scanned((deep.clamped, None), (deep.clamped, jax.random.key(0)))
    expected = deep.clamped
    for _ in range(4):
        expected, _ = deep.orchestrator.step(expected, rng=None)
    for state in found:
        same_bits(state, expected)


def test_other_values_are_not_traced_again(deep, other, compiled):
    doubled = jax.tree.map(lambda leaf: jax.device_put(2 * np.asarray(leaf)), deep.orchestrator)
    for network in (deep.orchestrator, doubled, other.orchestrator):
        compiled(network, deep.clamped)
        compiled(network, other.clamped)
    assert compiled.traces == 1


def test_pseudo_gradients_have_the_structure_of_the_orchestrator(wired):
    orchestrator = wired.orchestrator
    gradient = eqx.filter_eval_shape(everything, orchestrator, wired.clamped)[2]
    assert type(gradient) is type(orchestrator)
    assert jax.tree.structure(gradient) == jax.tree.structure(orchestrator)
    assert jax.tree.structure(gradient.lmap) == jax.tree.structure(orchestrator.lmap)
    for leaf, like in zip(jax.tree.leaves(gradient), jax.tree.leaves(orchestrator), strict=True):
        assert (leaf.shape, leaf.dtype) == (like.shape, like.dtype)


def test_what_does_not_learn_has_a_pseudo_gradient_of_exact_zeros(deep, compiled):
    gradient = compiled(deep.orchestrator, deep.clamped)[2]
    masks = jax.tree.leaves(trained_mask(deep.orchestrator))
    learning = 0
    for mask, leaf in zip(masks, jax.tree.leaves(gradient), strict=True):
        learns = np.broadcast_to(np.asarray(mask), leaf.shape)
        assert not np.asarray(leaf)[~learns].any()
        learning += np.asarray(leaf)[learns].any()
    assert learning == 6


def test_filter_partition_and_combine(wired, same_bits):
    orchestrator = wired.orchestrator
    params, static = eqx.partition(orchestrator, eqx.is_inexact_array)
    same_bits(eqx.combine(params, static), orchestrator)
    same_bits(params, eqx.filter(orchestrator, eqx.is_inexact_array))
    assert jax.tree.leaves(static) == []
    halves = eqx.partition(orchestrator, lambda leaf: leaf.ndim == 2)
    same_bits(eqx.combine(*halves), orchestrator)


def test_tree_at_reaches_a_weight_by_its_edge(wired):
    orchestrator = wired.orchestrator
    zeros = jnp.zeros_like(orchestrator.lmap[1, 0].W)
    changed = eqx.tree_at(lambda o: o.lmap[1, 0].W, orchestrator, zeros)
    assert not changed.lmap[1, 0].W.any()
    assert orchestrator.lmap[1, 0].W.any()
    before, after = (jax.tree.leaves(o) for o in (orchestrator, changed))
    assert sum(a is not b for a, b in zip(before, after, strict=True)) == 1


def test_tree_at_puts_another_module_on_an_edge(wired):
    orchestrator = wired.orchestrator
    doubled = jax.tree.map(lambda leaf: 2 * leaf, orchestrator.lmap[1, 0])
    changed = eqx.tree_at(lambda o: o.lmap[1, 0], orchestrator, doubled)
    assert np.array_equal(changed.lmap[1, 0].W, 2 * np.asarray(orchestrator.lmap[1, 0].W))


def test_a_saved_network_answers_the_same(deep, other, compiled, same_bits, tmp_path):
    path = tmp_path / "network.eqx"
    eqx.tree_serialise_leaves(path, deep.orchestrator)
    blank = other.orchestrator
    expected = compiled(deep.orchestrator, deep.clamped)[1].readout
    assert not np.array_equal(compiled(blank, deep.clamped)[1].readout, expected)
    loaded = eqx.tree_deserialise_leaves(path, blank)
    same_bits(loaded, deep.orchestrator)
    same_bits(compiled(loaded, deep.clamped)[1].readout, expected)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_the_dtype_is_kept(wired, make_network, orchestrator_kind, dtype):
    with jax.enable_x64(dtype == "float64"):
        hidden = len(wired.hidden)
        network = make_network(hidden, dtype=dtype, orchestrator=orchestrator_kind)
        buffers = [jax.device_put(np.asarray(b).astype(dtype)) for b in wired.clamped.buffers]
        state = jax.tree.unflatten(jax.tree.structure(network.state), buffers)
        leaves = jax.tree.leaves((network.orchestrator, state))
        assert {leaf.dtype for leaf in leaves} == {jnp.dtype(dtype)}
        found = eqx.filter_eval_shape(everything, network.orchestrator, state)
        assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype(dtype)}


@pytest.mark.slow
def test_signs_and_quarters_are_exact_in_half_precision_too(
    deep, compiled, make_network, orchestrator_kind
):
    expected = compiled(deep.orchestrator, deep.clamped)[1]
    network = make_network(2, dtype="bfloat16", orchestrator=orchestrator_kind)
    found = jax.jit(everything)(network.orchestrator, network.clamped)[1]
    for left, right in zip(found.buffers, expected.buffers, strict=True):
        assert np.array_equal(np.asarray(left, np.float32), right)


def test_it_prints_without_its_numbers(wired):
    text = repr(wired.orchestrator)
    assert "FullyConnected" in text
    assert len(text) < 5000
