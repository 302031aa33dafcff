"""`SparseFullyConnected` and `SparseRecurrentDiscrete`: few connections, and nothing else."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.modules.trained import apply_trained, partition_trained, trained_mask
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.training.control.frozen import without_recurrence

KEY = jax.random.key(0)
BOTH = pytest.mark.parametrize("kind", ["edge", "layer"])


@pytest.fixture(scope="module")
def edge():
    """From nine units to seven, four connections each."""
    return SparseFullyConnected(9, 7, 1.5, 0.5, KEY, fan_in=4)


@pytest.fixture(scope="module")
def layer():
    """Eleven units, four couplings each, and a self-coupling that differs from unit to unit."""
    return SparseRecurrentDiscrete(11, np.linspace(-1, 1, 11), 0.5, KEY, fan_in=4)


@pytest.fixture
def built(kind, request):
    """A module of either kind, the name of what learns in it, and a sender's buffer."""
    module = request.getfixturevalue(kind)
    x = jnp.asarray(np.random.default_rng(2).normal(size=(6, *module.sender_shape)), jnp.float32)
    return module, {"edge": "W", "layer": "J"}[kind], x


def targets(module):
    rng = np.random.default_rng(3)
    y = rng.choice([-1.0, 1.0], (6, *module.receiver_shape))
    return (jnp.asarray(a, jnp.float32) for a in (y, rng.normal(size=y.shape)))


def weights_of(module):
    return module.W if isinstance(module, SparseFullyConnected) else module.J


def test_the_signatures_are_those_of_the_dense_modules_and_a_fan_in():
    for sparse, dense in (
        (SparseFullyConnected, FullyConnected),
        (SparseRecurrentDiscrete, RecurrentDiscrete),
    ):
        found, expected = (inspect.signature(kind).parameters for kind in (sparse, dense))
        positional = [n for n, p in expected.items() if p.kind is not p.KEYWORD_ONLY]
        assert [n for n, p in found.items() if p.kind is not p.KEYWORD_ONLY] == positional
        assert {"fan_in", "sparsity", "reduction", "dtype"} <= set(found)


@BOTH
def test_it_holds_the_connections_and_no_dense_matrix(built):
    module, *_ = built
    units = module.receiver_shape[0]
    assert module.fan_in == 4
    assert weights_of(module).shape == module.indices.shape == (units, 4)
    assert module.indices.dtype == "int32"
    assert max(leaf.size for leaf in jax.tree.leaves(module)) == units * 4


def test_sparsity_is_a_fan_in_of_all_senders_or_of_all_others():
    def fan_in(kind, *arguments):
        return eqx.filter_eval_shape(lambda key: kind(*arguments, key, sparsity=0.75), KEY).fan_in

    assert fan_in(SparseFullyConnected, 12, 3, 1.0, 0.0) == 3
    assert fan_in(SparseRecurrentDiscrete, 13, 0.0, 0.0) == 3


@pytest.mark.slow
@pytest.mark.parametrize("strength", [3.0, np.linspace(1, 5, 400)])
def test_weights_are_drawn_at_the_root_of_the_true_fan_in(strength):
    W = np.asarray(SparseFullyConnected(1000, 400, strength, 0.0, KEY, fan_in=50).W)
    scaled = W / np.broadcast_to(strength, 400)[:, None] * np.sqrt(50)
    assert abs(scaled.mean()) < 0.03
    assert abs(scaled.std() - 1) < 0.03


def test_couplings_are_drawn_at_the_root_of_the_true_fan_in():
    J = np.asarray(SparseRecurrentDiscrete(400, 0.5, 0.0, KEY, fan_in=50).J)
    assert abs(J.mean() * np.sqrt(50)) < 0.03
    assert abs(J.std() * np.sqrt(50) - 1) < 0.03


@pytest.mark.slow
@BOTH
def test_the_message_is_that_of_the_dense_matrix(built):
    module, _, x = built
    np.testing.assert_allclose(module(x), x @ module.to_dense(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@BOTH
def test_unit_k_hears_its_own_senders(built):
    module, name, _ = built
    dense = np.asarray(module.to_dense())
    for unit, (senders, weights) in enumerate(
        zip(np.asarray(module.indices), np.asarray(getattr(module, name)), strict=True)
    ):
        assert np.array_equal(dense[senders, unit], weights)
        others = np.delete(dense[:, unit], [*senders, *([unit] if name == "J" else [])])
        assert not others.any()


def test_the_self_coupling_is_a_vector_of_its_own(layer):
    assert np.array_equal(np.diagonal(layer.to_dense()), np.linspace(-1, 1, 11, dtype=np.float32))
    assert not (np.asarray(layer.indices) == np.arange(11)[:, None]).any()
    same = SparseRecurrentDiscrete(11, 0.25, 0.5, KEY, fan_in=4)
    assert np.array_equal(same.j_d, np.full(11, 0.25))
    silent = eqx.tree_at(lambda m: m.J, layer, jnp.zeros_like(layer.J))
    assert np.array_equal(silent(jnp.ones((2, 11))), np.tile(layer.j_d, (2, 1)))


def test_the_field_is_the_sum_of_the_messages_and_the_state_its_sign(layer):
    messages = {0: jnp.array([[1.0, 2.0, -4.0]]), 1: jnp.array([[-1.0, 1.0, 1.0]])}
    field = layer.reduce(messages)
    assert np.array_equal(field, np.array([[0.0, 3.0, -3.0]]))
    assert np.array_equal(layer.activation(field), np.array([[1.0, 1.0, -1.0]]))


@pytest.mark.slow
@BOTH
def test_only_the_weights_learn(built):
    module, name, x = built
    mask = trained_mask(module)
    assert getattr(mask, name) is True
    assert sum(leaf is True for leaf in jax.tree.leaves(mask)) == 1
    learning, rest = partition_trained(module)
    assert jax.tree.leaves(learning) == [getattr(module, name)]
    assert rest.indices is module.indices
    gradient = module.backward(x, *targets(module))
    assert gradient.indices.dtype == module.indices.dtype
    assert not gradient.indices.any()
    assert getattr(gradient, name).any()


def float_leaves(module):
    return eqx.partition(module, eqx.is_inexact_array)


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("split", [partition_trained, float_leaves])
def test_weight_decay_moves_the_weights_and_nothing_else(built, split):
    module, name, x = built
    optimizer = optax.adamw(0.1, weight_decay=5.0)
    learning, gradient = split(module)[0], split(module.backward(x, *targets(module)))[0]
    updates, _ = optimizer.update(gradient, optimizer.init(learning), learning)
    moved = apply_trained(module, updates)
    assert (getattr(moved, name) != getattr(module, name)).all()
    for leaf in ("indices", "threshold", "strength", "j_d"):
        if hasattr(module, leaf):
            assert np.array_equal(getattr(moved, leaf), getattr(module, leaf)), leaf


@pytest.mark.slow
@BOTH
def test_a_plain_optax_loop_leaves_the_connections(built):
    module, name, x = built
    optimizer, (learning, rest) = optax.adam(0.1), float_leaves(module)
    gradient = float_leaves(module.backward(x, *targets(module)))[0]
    updates, _ = optimizer.update(gradient, optimizer.init(learning))
    moved = eqx.combine(optax.apply_updates(learning, updates), rest)
    assert moved.indices is module.indices
    for leaf in ("threshold", "strength", "j_d"):
        assert not hasattr(module, leaf) or np.array_equal(
            getattr(moved, leaf), getattr(module, leaf)
        )
    assert not np.array_equal(getattr(moved, name), getattr(module, name))


def test_decay_shrinks_the_weights_by_its_share(layer):
    decay = optax.chain(optax.add_decayed_weights(0.25), optax.sgd(0.5))
    learning, _ = partition_trained(layer)
    zeros = jax.tree.map(jnp.zeros_like, learning)
    moved = apply_trained(layer, decay.update(zeros, decay.init(learning), learning)[0])
    np.testing.assert_allclose(moved.J, layer.J * (1 - 0.5 * 0.25), rtol=1e-6)
    dense, before = np.asarray(moved.to_dense()), np.asarray(layer.to_dense())
    assert np.array_equal(dense == 0, before == 0)
    assert np.array_equal(np.diagonal(dense), np.diagonal(before))


@pytest.mark.slow
def test_descending_it_stores_the_patterns_and_leaves_the_self_coupling():
    patterns = np.random.default_rng(1).choice([-1, 1], (3, 40)).astype(np.float32)
    blank = SparseRecurrentDiscrete(40, 0.25, 0.5, KEY, fan_in=12)

    def descend(layer, _):
        wrong = (patterns * layer(patterns) <= 0.5).sum()
        gradient = layer.backward(patterns, patterns, layer(patterns))
        return eqx.tree_at(lambda m: m.J, layer, layer.J - 0.1 * gradient.J), wrong

    stored, wrong = jax.lax.scan(descend, blank, length=300)
    assert wrong[0] > 10
    assert wrong[-1] == 0
    assert not np.array_equal(blank.activation(blank(patterns)), patterns)
    assert np.array_equal(stored.activation(stored(patterns)), patterns)
    assert np.array_equal(stored.j_d, blank.j_d)
    assert np.array_equal(stored.indices, blank.indices)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_have_the_numbers_of_single_precision(edge, layer, dtype):
    with jax.enable_x64(dtype == "float64"):
        eps = float(jnp.finfo(dtype).eps)
        for module in (edge, layer):
            cast = jax.tree.map(lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, module)
            x = jnp.sign(jnp.linspace(-1, 1, 6 * module.sender_shape[0]).reshape(6, -1))
            found = cast(x.astype(dtype))
            assert found.dtype == dtype
            size = np.abs(np.asarray(weights_of(module))).sum(axis=1).max() + 1
            error = np.abs(np.asarray(found, np.float64) - np.asarray(module(x), np.float64)).max()
            assert error < size * max(eps, 1e-6)


def test_the_control_takes_the_recurrence_out(layer, dense):
    rows = {
        1: {0: dense(np.ones((9, 11))), 1: layer, 2: dense(np.ones((2, 11)), None)},
        2: {1: dense(np.ones((11, 2))), 2: OutputLayer()},
    }
    network = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
    cut = without_recurrence(network).lmap
    assert not cut[1, 1].J.any()
    assert not cut[1, 1].j_d.any()
    assert not cut[1, 1](jnp.ones((3, 11))).any()
    assert np.array_equal(cut[1, 1].indices, layer.indices)
    assert np.array_equal(cut[1, 0].W, network.lmap[1, 0].W)


def test_a_large_one_is_drawn_and_run_without_a_matrix_of_all_pairs():
    units = 20_000
    make = lambda key: SparseRecurrentDiscrete(units, 0.9, 1.0, key, fan_in=50)  # noqa: E731
    module = eqx.filter_eval_shape(make, KEY)
    assert sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(module)) < 9e6
    x = jax.ShapeDtypeStruct((16, units), "float32")

    def step(module, x):
        field = module(x)
        return module.backward(x, module.activation(field), field).J

    memory = jax.jit(step).lower(module, x).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 60e6  # all pairs are 1,600e6, all that is gathered 64e6


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: SparseFullyConnected(9, 7, 1.0, 0.5, KEY, fan_in=10),
            "SparseFullyConnected: fan_in needs at most 9, the number of units that a unit can",
        ),
        (
            lambda: SparseRecurrentDiscrete(9, 0.5, 0.5, KEY, fan_in=9),
            "SparseRecurrentDiscrete: fan_in needs at most 8, the number of units that a unit can",
        ),
        (
            lambda: SparseRecurrentDiscrete(1, 0.5, 0.5, KEY, sparsity=0.5),
            "SparseRecurrentDiscrete: needs other units to listen to, got none.",
        ),
        (
            lambda: SparseFullyConnected(9, 7, 1.0, 0.5, KEY),
            "SparseFullyConnected: needs either fan_in or sparsity, got fan_in=None and",
        ),
        (
            lambda: SparseRecurrentDiscrete(9, 0.5, 0.5, KEY, fan_in=3, sparsity=0.5),
            "SparseRecurrentDiscrete: needs either fan_in or sparsity, got fan_in=3 and",
        ),
        (
            lambda: SparseFullyConnected(9, 7, 1.0, 0.5, KEY, sparsity=1.0),
            "SparseFullyConnected: sparsity needs a number from 0 to below 1, the share of",
        ),
        (
            lambda: SparseFullyConnected(0, 7, 1.0, 0.5, KEY, fan_in=1),
            "SparseFullyConnected: in_features needs a positive int, got 0.",
        ),
        (
            lambda: SparseRecurrentDiscrete(2.0, 0.5, 0.5, KEY, fan_in=1),
            "SparseRecurrentDiscrete: features needs a positive int, got 2.0.",
        ),
        (
            lambda: SparseRecurrentDiscrete(9, np.ones(1), 0.5, KEY, fan_in=1),
            "SparseRecurrentDiscrete: j_d needs a scalar or one value per output unit, shape (9,),",
        ),
        (
            lambda: SparseFullyConnected(9, 7, np.ones((7, 1)), 0.5, KEY, fan_in=1),
            "SparseFullyConnected: strength needs a scalar or one value per output unit,",
        ),
        (
            lambda: SparseFullyConnected(9, 7, 1.0, 0.5, KEY, fan_in=1, reduction="men"),
            "SparseFullyConnected: No reduction is named 'men'. Did you mean 'mean'?",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, sentence, says):
    with says(ValueError, sentence):
        make()


@BOTH
def test_only_signs_are_admitted_where_it_is_in_the_last_row(built, says):
    module, *_ = built
    owner = type(module).__name__
    with says(RuntimeError, f"{owner}: labels need to be -1 or +1, got others;"):
        module.admit_target(jnp.zeros((2, *module.receiver_shape)))
