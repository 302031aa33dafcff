"""What holds for every module, whatever it computes and however it learns."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.interfaces import AbstractLayer
from bionet.modules.trained import partition_trained, trained_mask

# Single precision is what everything else here runs in.
DTYPES = ["bfloat16", "float16"]


def everything(module, x, y, y_hat):
    """All that a module computes, as one tree."""
    message, gradient = module(x), module.backward(x, y, y_hat)
    if not isinstance(module, AbstractLayer):
        return message, gradient
    local_field = module.reduce({2: y_hat, 0: message, 1: y})
    return message, gradient, local_field, module.activation(local_field)


def is_float(leaf):
    """Whether a leaf holds numbers of the network's dtype; some hold who listens to whom."""
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def changed(module, change):
    """The module with its numbers changed; NumPy does it, since JAX would compile a program."""

    def one(leaf):
        return jax.device_put(change(np.asarray(leaf))) if is_float(leaf) else leaf

    return jax.tree.map(one, module)


def negated(buffers):
    """Other values for the same buffers."""
    return [jax.device_put(-np.asarray(buffer)) for buffer in buffers]


@pytest.fixture(scope="module")
def compiled(computed):
    """`everything` as one program for all tests of a module; it counts how often it is traced."""

    @eqx.filter_jit
    def traced(*arguments):
        run.traces += 1
        return everything(*arguments)

    def run(*arguments):
        return traced(*arguments)

    run.traces = 0
    return run


class Mapped(NamedTuple):
    """What a module does under vmap, and by a gate: one program, for each takes a compilation."""

    over_buffers: object
    over_modules: object
    gates: dict[str, object]


@pytest.fixture(scope="module")
def mapped(computed, twin, stacked) -> Mapped:
    _, module, *buffers = computed

    @eqx.filter_jit
    def run(module, modules, buffers, pairs, gate):
        # A module without arrays has no axis to map over, so the size is said.
        loop = eqx.filter_vmap(everything, in_axes=(0, None, None, None), axis_size=2)
        taught = lambda gate: module.backward(*buffers, gate)  # noqa: E731
        alone = jax.vmap(taught)(jnp.diag(gate))
        return Mapped(
            eqx.filter_vmap(everything, in_axes=(None, 0, 0, 0))(module, *pairs),
            loop(modules, *buffers),
            {
                "one by one": jax.tree.map(lambda leaf: leaf.sum(0), alone),
                "together": taught(gate),
                "open": taught(jnp.ones_like(gate)),
                "shut": taught(jnp.zeros_like(gate)),
            },
        )

    gate = jnp.asarray(np.random.default_rng(2).uniform(0.5, 2.0, len(buffers[0])), jnp.float32)
    pairs = list(map(stacked, buffers, negated(buffers)))
    return run(module, stacked(module, twin), buffers, pairs, gate)


def test_jit_is_eager(computed, compiled, close):
    _, *arguments = computed
    close(compiled(*arguments), everything(*arguments))


@pytest.mark.slow
def test_vmap_over_buffers_is_the_loop(computed, compiled, mapped, close, stacked):
    _, module, *buffers = computed
    apart = [compiled(module, *arrays) for arrays in (buffers, negated(buffers))]
    # vmap does not stack what it does not change: the structure is that of one module.
    close(mapped.over_buffers, stacked(*apart))


@pytest.mark.slow
def test_vmap_over_modules_is_the_loop(computed, twin, compiled, mapped, close, stacked):
    _, module, *buffers = computed
    close(mapped.over_modules, stacked(*(compiled(one, *buffers) for one in (module, twin))))


def test_other_values_are_not_traced_again(computed, twin, compiled):
    _, module, *buffers = computed
    for one in (module, changed(module, lambda leaf: 2 * leaf), twin):
        compiled(one, *buffers)
        compiled(one, *negated(buffers))
    assert compiled.traces == 1


def test_every_number_is_an_array(bound):
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(bound.module))


def test_a_pseudo_gradient_has_the_structure_of_its_module(bound):
    _, module, *buffers = bound
    gradient = eqx.filter_eval_shape(type(module).backward, module, *buffers)
    assert jax.tree.structure(gradient) == jax.tree.structure(module)
    for leaf, like in zip(jax.tree.leaves(gradient), jax.tree.leaves(module), strict=True):
        assert (leaf.shape, leaf.dtype) == (like.shape, like.dtype)


def test_a_pseudo_gradient_is_minus_the_increments_and_zero_elsewhere(computed, compiled):
    _, module, x, y, y_hat = computed
    gradient = compiled(module, x, y, y_hat)[1]
    added = module.increments(x, y, y_hat)
    assert set(added) == set(module.trained())
    for name, increment in added.items():
        # What a wrapper adds is a whole module; most leaves are arrays.
        leaves = jax.tree.leaves(increment)
        assert any(np.asarray(leaf).any() for leaf in leaves)
        for found, leaf in zip(jax.tree.leaves(getattr(gradient, name)), leaves, strict=True):
            np.testing.assert_allclose(found, -np.asarray(leaf), rtol=1e-5, atol=1e-6)


def test_what_does_not_learn_has_a_pseudo_gradient_of_exact_zeros(computed, compiled):
    _, module, *buffers = computed
    gradient = compiled(module, *buffers)[1]
    masks = jax.tree.leaves(trained_mask(module))
    for mask, leaf in zip(masks, jax.tree.leaves(gradient), strict=True):
        fixed = ~np.broadcast_to(np.asarray(mask), leaf.shape)
        assert not np.asarray(leaf)[fixed].any()


def test_the_trained_leaves_and_the_others_make_the_module(bound, same_bits):
    learning, rest = partition_trained(bound.module)
    same_bits(eqx.combine(learning, rest), bound.module)
    assert all(eqx.is_inexact_array(leaf) for leaf in jax.tree.leaves(learning))
    for name in bound.module.trained():
        assert jax.tree.leaves(getattr(learning, name))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_is_kept(bound, dtype):
    case, _, *buffers = bound
    key = jax.random.key(0)
    module = eqx.filter_eval_shape(lambda key: case.make(key, dtype=dtype), key)
    buffers = [jax.ShapeDtypeStruct(buffer.shape, dtype) for buffer in buffers]
    found = eqx.filter_eval_shape(everything, module, *buffers)
    numbers = jax.tree.leaves(eqx.filter((module, found), is_float))
    assert {leaf.dtype for leaf in numbers} == {jnp.dtype(dtype)}


def test_the_dtype_is_kept_in_double_precision(bound):
    with jax.enable_x64(True):
        test_the_dtype_is_kept(bound, "float64")


def test_the_shapes_are_those_that_it_says(bound):
    case, module, *buffers = bound
    assert module.sender_shape in (None, case.sender)
    assert module.receiver_shape in (None, case.receiver)
    message = eqx.filter_eval_shape(module, buffers[0])
    assert message.shape == (len(buffers[0]), *case.receiver)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_saved_module_does_the_same(bound, same_bits, tmp_path, dtype):
    case, module, *_ = bound
    module = changed(module, lambda leaf: leaf.astype(dtype))
    path = tmp_path / "module.eqx"
    eqx.tree_serialise_leaves(path, module)
    like = eqx.filter_eval_shape(lambda key: case.make(key, dtype=dtype), jax.random.key(1))
    same_bits(eqx.tree_deserialise_leaves(path, like), module)


def test_a_key_of_either_style_draws_the_same_module(computed, twin, same_bits):
    case, module, *_ = computed
    same_bits(case.make(jax.random.key(0)), module)
    same_bits(case.make(jax.random.PRNGKey(0)), module)
    pairs = zip(jax.tree.leaves(module), jax.tree.leaves(twin), strict=True)
    equal = [np.array_equal(a, b) for a, b in pairs]
    assert not equal or not all(equal)


def test_a_key_is_only_asked_for_where_it_is_used(computed, same_bits):
    _, module, x, *_ = computed
    drawn = [module(x, make(0)) for make in (jax.random.key, jax.random.PRNGKey)]
    same_bits(drawn[0], drawn[1])
    if not module.needs_key:
        same_bits(module(x), drawn[0])


def _with_first(others, source):
    others[0] = np.asarray(source)[0]
    return others


def test_each_sample_is_on_its_own(computed, compiled, close):
    _, module, x, y, y_hat = computed
    order = np.random.default_rng(1).permutation(len(x))
    message, _, *layer = compiled(module, x, y, y_hat)
    shuffled = compiled(module, *(jax.device_put(np.asarray(a)[order]) for a in (x, y, y_hat)))
    close(shuffled[0], np.asarray(message)[order])
    for found, expected in zip(shuffled[2:], layer, strict=True):
        close(found, np.asarray(expected)[order])
    # Nor does a sample depend on what the others are.
    company = [jax.device_put(_with_first(-np.asarray(a), a)) for a in (x, y, y_hat)]
    for at, expected in ((0, message), *enumerate(layer, 2)):
        found = compiled(module, *company)[at]
        close(np.asarray(found)[:1], np.asarray(expected)[:1])
    # What is learned does not depend on the order of the batch.
    close(shuffled[1], compiled(module, x, y, y_hat)[1])


def test_a_gate_weighs_what_each_sample_teaches(computed, compiled, mapped, close):
    _, *arguments = computed
    gates = mapped.gates
    close(gates["one by one"], gates["together"])
    close(gates["open"], compiled(*arguments)[1])
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gates["shut"]))


@pytest.mark.slow
def test_a_gate_of_another_length_is_refused(bound):
    _, module, x, y, y_hat = bound
    if module.trained():
        with pytest.raises(ValueError, match="one factor per sample"):
            module.backward(x, y, y_hat, jnp.ones(1))
