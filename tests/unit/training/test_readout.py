"""How a binary network answers and is judged: held against numpy, written out."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.training.local.readout import FreeReadout, ReadoutHinge, accuracy, readout_cross_entropy


def by_hand(network, x, steps):
    """The scores of a network with one hidden layer that settles on `x` alone."""
    lmap = network.orchestrator.lmap
    W, J, out = (np.asarray(w) for w in (lmap[1, 0].W, lmap[1, 1].J, lmap[2, 1].W))
    h = np.zeros((len(x), len(J)))
    for _ in range(steps):
        h = np.where(np.asarray(x) @ W + h @ J >= 0, 1.0, -1.0)
    return h @ out


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_it_settles_without_the_label_and_reads_the_last_row(one_hidden, steps):
    read = FreeReadout(one_hidden.state, steps)
    found = read(one_hidden.orchestrator, one_hidden.x, jax.random.key(0))
    assert np.array_equal(found, by_hand(one_hidden, one_hidden.x, steps))


def test_the_answer_of_a_sample_does_not_depend_on_the_others(one_hidden):
    read = FreeReadout(one_hidden.state, 3)
    together = read(one_hidden.orchestrator, one_hidden.x, jax.random.key(0))
    alone = read(one_hidden.orchestrator, one_hidden.x[2:3], jax.random.key(0))
    assert np.array_equal(together[2:3], alone)


def test_the_hinge_is_a_mean_over_samples_and_units():
    outputs = jnp.array([[2.0, -0.5], [0.25, 0.0]])
    y = jnp.array([[1.0, -1.0], [-1.0, 1.0]])
    # margins 2, 0.5, -0.25, 0; each falls short of 1 by 0, 0.5, 1.25, 1
    assert float(ReadoutHinge(1.0)(outputs, y)) == pytest.approx(2.75 / 4)


def test_the_margin_changes_without_a_new_trace():
    traces = []

    @eqx.filter_jit
    def judged(loss, outputs, y):
        traces.append(loss)
        return loss(outputs, y)

    outputs, y = jnp.array([[0.5]]), jnp.array([[1.0]])
    assert [float(judged(ReadoutHinge(m), outputs, y)) for m in (1.0, 2.5)] == [0.5, 2.0]
    assert len(traces) == 1


def test_accuracy_is_the_share_whose_highest_score_is_the_label():
    outputs = jnp.array([[0.1, -3.0, 0.0], [-5.0, -4.0, -6.0], [1.0, 2.0, 3.0]])
    y = jnp.array([[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])
    assert float(accuracy(outputs, y)) == pytest.approx(2 / 3)


def test_class_numbers_are_right_where_the_scores_are():
    """0.317 was said of separable data: the number of one example was held against all."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    outputs = np.eye(3)[y] + 0.1 * rng.normal(size=(60, 3))
    assert float(accuracy(jnp.asarray(outputs), jnp.asarray(y))) == 1.0
    wrong = np.where(np.arange(60) < 15, (y + 1) % 3, y)
    assert float(accuracy(jnp.asarray(outputs), jnp.asarray(wrong))) == pytest.approx(0.75)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["numbers", "zero-one", "signs"])
def test_the_cross_entropy_is_that_of_optax_in_each_code(code):
    """2.777 was said of 0 / 1, where 1.843 was right: each other class had the chance 1/2."""
    rng = np.random.default_rng(1)
    y, outputs = rng.integers(0, 3, 20), jnp.asarray(3 * rng.normal(size=(20, 3)), jnp.float32)
    rows = np.eye(3, dtype=np.float32)[y]
    coded = {"numbers": y, "zero-one": rows, "signs": 2 * rows - 1}[code]
    expected = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.asarray(y)).mean()
    assert float(readout_cross_entropy(outputs, jnp.asarray(coded))) == pytest.approx(
        float(expected), rel=1e-6
    )
