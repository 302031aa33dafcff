"""The S5 layer: its poles, that it is stable whatever happens to its numbers, and its two ways."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.state_space import S5, hippo_frequencies
from bionet.modules.trained import partition_trained

KEYS = jax.random.split(jax.random.key(0), 4)


def shaped(features=3, poles=5, **options):
    """A layer without numbers: drawing them takes most of a second to compile."""
    return eqx.filter_eval_shape(lambda: S5(features, poles, KEYS[0], **options))


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) - 0.5, leaf.dtype), shaped()
    )


@pytest.fixture(scope="module")
def made():
    return S5(1, poles=32, key=KEYS[1], shortest=0.05, longest=0.8)


@pytest.mark.slow
def test_the_poles_begin_as_eigenvalues_of_the_normal_part_of_hippo(made):
    n = np.arange(64)
    hippo = -np.tril(np.sqrt(np.outer(2 * n + 1, 2 * n + 1)), -1) - np.diag(n + 1.0)
    normal = hippo + 0.5 * np.sqrt(np.outer(2 * n + 1, 2 * n + 1))
    eigenvalues = np.linalg.eigvals(normal)
    np.testing.assert_allclose(eigenvalues.real, -0.5, atol=1e-12)
    above = np.sort(eigenvalues.imag[eigenvalues.imag > 0])
    np.testing.assert_allclose(hippo_frequencies(32), above, rtol=1e-8)
    np.testing.assert_allclose(made.frequency, above, rtol=1e-5)
    np.testing.assert_allclose(-jnp.exp(made.log_decay), -0.5, rtol=1e-6)


def test_steps_begin_between_the_two_lengths(made):
    steps = np.exp(made.log_step)
    assert 0.05 <= steps.min() < 0.07
    assert 0.6 < steps.max() <= 0.8
    np.testing.assert_allclose(np.median(steps), 0.2, rtol=0.5)


def test_a_sequence_is_its_steps(layer):
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3)), jnp.float32)
    tree = jax.tree.unflatten(jax.tree.structure(shaped(parallel=True)), jax.tree.leaves(layer))

    @jax.jit
    def run(layer, tree):
        state, stepped = jax.lax.scan(lambda s, x: layer(x, s)[::-1], layer.initial(2), xs)
        return (stepped, state), over_time(layer, xs), over_time(tree, xs)

    stepped, *whole = map(jax.tree.leaves, run(layer, tree))
    for found in whole:
        for left, right in zip(found, stepped, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [-1e3, -8.0, 8.0, 80.0])
def test_no_change_of_its_numbers_makes_it_unstable(layer, shift):
    moved = eqx.tree_at(
        lambda m: (m.log_decay, m.frequency, m.log_step),
        layer,
        (layer.log_decay + shift, layer.frequency * shift, layer.log_step + shift / 4),
    )
    pole, _ = moved.discrete
    assert (np.hypot(pole.real, pole.imaginary) <= 1 + 1e-6).all()


@pytest.mark.slow
def test_a_held_input_is_integrated_exactly():
    """A pole of decay 1 and frequency 0 under a constant input: 1 - exp(-t)."""
    made = shaped(1, 1)
    made = eqx.tree_at(
        lambda m: (m.log_decay, m.frequency, m.log_step, m.B, m.C, m.D),
        made,
        (
            jnp.zeros(1),
            jnp.zeros(1),
            jnp.log(jnp.array([0.25])),
            jnp.array([[[1.0]], [[0.0]]]),
            jnp.array([[[1.0]], [[0.0]]]),
            jnp.zeros(1),
        ),
    )
    ys, _ = over_time(made, jnp.ones((8, 1)))
    np.testing.assert_allclose(ys[:, 0], 1 - np.exp(-0.25 * np.arange(1, 9)), rtol=1e-5)


@pytest.mark.slow
def test_everything_learns_and_it_learns_to_remember(made):
    """Its answer is to be the input of four steps before."""
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(24, 16, 1)), jnp.float32)
    learning, rest = partition_trained(made)
    assert len(jax.tree.leaves(learning)) == len(jax.tree.leaves(made)) == 6
    optimizer = optax.adam(0.03)

    @jax.jit
    def learn(learning, memory):
        def loss(learning):
            ys, _ = over_time(eqx.combine(learning, rest), xs)
            return ((ys[4:] - xs[:-4]) ** 2).mean()

        def step(carry, _):
            learning, memory = carry
            value, slope = jax.value_and_grad(loss)(learning)
            updates, memory = optimizer.update(slope, memory)
            return (optax.apply_updates(learning, updates), memory), value

        return jax.lax.scan(step, (learning, memory), length=120)[1]

    losses = learn(learning, optimizer.init(learning))
    assert losses[-1] < 0.5
    assert losses[0] > 0.9


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_answers_have_its_dtype_and_the_state_is_never_narrow(dtype):
    run = lambda: over_time(S5(3, poles=5, key=KEYS[0], dtype=dtype), jnp.ones((4, 3)))  # noqa: E731
    ys, state = jax.eval_shape(run)
    assert ys.dtype == dtype
    assert state.real.dtype == state.imaginary.dtype == jnp.float32


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"features": 0}, "S5: features needs a positive int, got 0."),
        ({"poles": -1}, "S5: poles needs a positive int, got -1."),
        ({"shortest": 0.0}, "S5: shortest and longest need to be above 0 and in this order, got"),
        ({"longest": 1e-4}, "S5: shortest and longest need to be above 0 and in this order, got"),
    ],
)
def test_wrong_arguments_are_told(arguments, sentence, says):
    with says(ValueError, sentence):
        S5(**{"features": 2, "poles": 2} | arguments, key=KEYS[0])
