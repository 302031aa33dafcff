"""The readout that learns by the softmax delta rule."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.fully_connected import FullyConnected
from bionet.modules.softmax import SoftmaxReadout
from bionet.rules import cross_entropy, softmax_delta

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def batch():
    """x (8, 4) and one-vs-all labels (8, 3)."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(8, 4))
    y = 2 * np.eye(3)[(x @ rng.normal(size=(4, 3))).argmax(1)] - 1
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def test_its_arguments_are_those_of_the_margin_readout_but_the_threshold():
    ours, theirs = (
        list(inspect.signature(kind).parameters) for kind in (SoftmaxReadout, FullyConnected)
    )
    assert ours == [name for name in theirs if name != "threshold"]


def test_it_draws_and_sends_what_the_margin_readout_does(batch):
    ours, theirs = SoftmaxReadout(4, 3, 1.3, KEY), FullyConnected(4, 3, 1.3, 0.5, KEY)
    assert np.array_equal(ours.W, theirs.W)
    assert np.array_equal(ours(batch[0]), theirs(batch[0]))
    assert ours.matrix is ours.W


@pytest.mark.parametrize("reduction", ["sqrt", "mean"])
def test_it_learns_by_its_rule(batch, reduction):
    x, y = batch
    edge, gate = SoftmaxReadout(4, 3, 1.0, KEY, reduction=reduction), jnp.arange(8.0)
    found = edge.increments(x, y, edge(x), gate)["W"]
    assert np.array_equal(found, softmax_delta(x, y, edge(x), reduction=reduction, gate=gate))


def test_descending_its_pseudo_gradient_learns_the_task(batch):
    x, y = batch
    edge = SoftmaxReadout(4, 3, 0.1, KEY)
    losses = []
    for _ in range(30):
        losses.append(float(cross_entropy(y, edge(x))))
        edge = eqx.apply_updates(edge, jax.tree.map(jnp.negative, edge.backward(x, y, edge(x))))
    assert losses[-1] < 0.5 * losses[0]
    assert (edge(x).argmax(1) == y.argmax(1)).all()


class TestTargets:
    @pytest.mark.parametrize("row", [[1.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    def test_each_sample_needs_one_class(self, says, row):
        edge = SoftmaxReadout(4, 3, 1.0, KEY)
        y = jnp.array([[1.0, -1.0, -1.0], row])
        sentence = "SoftmaxReadout: each sample needs exactly one label of +1, its class"
        with says(RuntimeError, sentence):
            jax.block_until_ready(edge.admit_target(y))

    def test_labels_are_signs(self, says):
        with says(RuntimeError, "SoftmaxReadout: labels need to be -1 or +1, got others"):
            jax.block_until_ready(SoftmaxReadout(4, 3, 1.0, KEY).admit_target(jnp.eye(3)))

    def test_good_ones_pass(self, batch):
        assert np.array_equal(SoftmaxReadout(4, 3, 1.0, KEY).admit_target(batch[1]), batch[1])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"in_features": 0}, "SoftmaxReadout: in_features needs a positive int, got 0."),
        ({"out_features": 1.5}, "SoftmaxReadout: out_features needs a positive int, got 1.5."),
        ({"strength": [1.0, 2.0]}, "SoftmaxReadout: strength needs a scalar or one value per"),
        ({"reduction": "sum"}, "SoftmaxReadout: No reduction is named 'sum'."),
        ({"operands": "int8"}, "SoftmaxReadout: No kind of operands is named 'int8'."),
    ],
)
def test_bad_arguments(says, change, sentence):
    good = {"in_features": 4, "out_features": 3, "strength": 1.0, "key": KEY}
    with says(ValueError, sentence):
        SoftmaxReadout(**{**good, **change})
