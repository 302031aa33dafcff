"""A low-rank matrix goes through any program, and gives what the formed matrix gives."""

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from bionet.kernels.low_rank import LowRank, run_low_rank
from bionet.modules.trained import partition_trained
from bionet.training.local.readout import FreeReadout

K = jax.random.split(jax.random.key(0), 8)
X = jax.random.normal(K[0], (5, 4))


def is_low_rank(leaf):
    return isinstance(leaf, LowRank)


def low_rank(W, rank=1, seed=0, scale=0.3):
    left, right = (
        jnp.asarray(np.random.default_rng(seed + i).normal(size=(n, rank)), jnp.float32)
        for i, n in enumerate(W.shape)
    )
    return LowRank(W, left, right, jnp.asarray(scale, jnp.float32))


def perturbed(tree, rank=1, scale=0.3):
    """All matrices of a tree as low-rank ones."""
    return jax.tree.map(
        lambda leaf: low_rank(leaf, rank, scale=scale) if leaf.ndim == 2 else leaf, tree
    )


def formed(tree):
    return jax.tree.map(
        lambda leaf: leaf.formed() if is_low_rank(leaf) else leaf, tree, is_leaf=is_low_rank
    )


def mlp():
    model = eqx.nn.MLP(4, 3, width_size=6, depth=2, key=K[1])
    arrays, static = eqx.partition(model, eqx.is_array)
    return arrays, lambda arrays: jax.vmap(eqx.combine(arrays, static))(X)


def haiku_mlp():
    network = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([6, 3])(x)))
    return network.init(K[2], X), lambda params: network.apply(params, X)


def gated_rnn():
    cell = eqx.nn.GRUCell(4, 6, key=K[3])
    arrays, static = eqx.partition(cell, eqx.is_array)

    def run(arrays):
        whole = eqx.combine(arrays, static)
        step = lambda hidden, x: (whole(x, hidden),) * 2  # noqa: E731
        return jax.lax.scan(step, jnp.zeros(6), X)[1]

    return arrays, run


CASES = {"equinox MLP": mlp, "haiku MLP": haiku_mlp, "a scan over time": gated_rnn}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_network_answers_as_if_its_weights_were_formed(case):
    tree, function = CASES[case]()
    check(function, tree, scale=0.3, ranks=(1, 3))


def test_a_network_that_settles(two_hidden):
    learning, rest = partition_trained(two_hidden.orchestrator)
    predict = FreeReadout(two_hidden.state, 4)
    function = lambda learning: predict(eqx.combine(learning, rest), two_hidden.x, K[0])  # noqa: E731
    check(function, learning, scale=0.75, ranks=(2,))


def check(function, tree, scale, ranks):
    low = [perturbed(tree, rank, scale) for rank in ranks]

    @jax.jit
    def answers():
        found = [run_low_rank(function, one) for one in low]
        return found, [function(formed(one)) for one in low], function(tree)

    *both, unperturbed = answers()
    for found, expected in zip(*both, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert np.abs(found - unperturbed).max() > 0.01


def _cases_of_one_matrix():
    """What programs do with a square matrix, by name."""

    def loop(W):
        more = lambda carry: (carry[1] + W[0, 0] * 0) < 3  # noqa: E731
        body = lambda carry: (jnp.tanh(carry[0] @ W), carry[1] + 1)  # noqa: E731
        return jax.lax.while_loop(more, body, (X, 0.0))[0]

    @jax.custom_vjp
    def doubled(W):
        return X @ W * 2

    doubled.defvjp(lambda W: (doubled(W), None), lambda kept, g: (g,))
    return {
        "right": lambda W: X @ W,
        "left": lambda W: W @ X.T,
        "right, transposed": lambda W: X @ W.T,
        "left, transposed": lambda W: jnp.swapaxes(W, 0, 1) @ X.T,
        "vectors": lambda W: (X[0] @ W, W @ X[0]),
        "three axes": lambda W: jnp.einsum("abi,ij->jab", X.reshape(1, 5, 4), W),
        "scaled": lambda W: X @ (-W / 3 * X[0, 0]),
        "wider": lambda W: X.astype(jnp.bfloat16) @ W,
        "with itself": lambda W: (W @ W, W * W, W @ W.T),
        "all of it": lambda W: jnp.einsum("ij,ij", W, W),
        "itself": lambda W: W,
        "elsewhere": lambda W: jnp.tanh(W)[1:, 0],
        "while": loop,
        "scan over its rows": lambda W: jax.lax.scan(lambda c, w: (c + w, w), W[0], W),
        "carried": lambda W: jax.lax.fori_loop(0, 2, lambda i, V: V @ V, W),
        "branch": lambda W: jax.lax.cond(X[0, 0] > 0, lambda: X @ W, lambda: X),
        "switch by itself": lambda W: jax.lax.cond(W.sum() > 0, lambda: X @ W, lambda: X),
        "by platform": lambda W: jax.lax.platform_dependent(W, cpu=jnp.sin, default=jnp.cos),
        "custom gradient": doubled,
        "checkpoint": jax.checkpoint(lambda W: jnp.sin(X @ W)),
        "an inner jit": lambda W: X @ jax.jit(jnp.transpose)(W),
        "precision": lambda W: jax.lax.dot(W, X.T, precision=("highest", "default")),
    }


ONE_MATRIX = _cases_of_one_matrix()


@pytest.fixture(scope="module")
def answers():
    """All cases in one compiled program: with the low-rank matrix, and with the formed one."""
    low = low_rank(jax.random.normal(K[4], (4, 4)), 2)

    @jax.jit
    def both():
        found = {name: run_low_rank(case, low) for name, case in ONE_MATRIX.items()}
        return found, {name: case(low.formed()) for name, case in ONE_MATRIX.items()}

    return both()


@pytest.mark.parametrize("name", ONE_MATRIX)
def test_whatever_is_done_with_a_matrix(answers, name):
    found, expected = (answer[name] for answer in answers)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-5)


def test_narrow_weights_keep_the_dtype_of_the_answer():
    W = jax.random.normal(K[4], (4, 4), jnp.bfloat16)
    low = low_rank(W)
    found = jax.eval_shape(lambda: run_low_rank(lambda W: (X.astype(W.dtype) @ W, W), low))
    assert [leaf.dtype for leaf in found] == [jnp.bfloat16] * 2


def shapes_of(program: Jaxpr):
    """The shapes of all that a program makes, also in its loops and branches."""
    for equation in program.eqns:
        yield from (variable.aval.shape for variable in equation.outvars)
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
            if is_program(value):
                yield from shapes_of(value.jaxpr if isinstance(value, ClosedJaxpr) else value)


def is_program(value):
    return isinstance(value, ClosedJaxpr | Jaxpr)


@pytest.mark.parametrize("case", CASES)
def test_no_member_has_a_matrix_of_its_own(case):
    """With 17 members the 17 occurs in no shape together with both sides of a matrix."""
    tree, function = CASES[case]()
    low = perturbed(tree)
    leaves, structure = jax.tree.flatten(low, is_leaf=is_low_rank)

    def member(sign):
        signed = [
            LowRank(leaf.base, leaf.left, leaf.right, sign * leaf.scale)
            if is_low_rank(leaf)
            else leaf
            for leaf in leaves
        ]
        return run_low_rank(function, jax.tree.unflatten(structure, signed))

    matrices = [leaf.shape for leaf in leaves if is_low_rank(leaf)]
    made = list(shapes_of(jax.make_jaxpr(jax.vmap(member))(jnp.ones(17)).jaxpr))
    assert any(17 in shape for shape in made)
    for m, n in matrices:
        assert not {(17, m, n), (17, n, m), (m, 17, n), (n, 17, m)} & set(made)
