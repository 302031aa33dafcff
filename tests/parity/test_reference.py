"""The library against the equations, written down once more in float64 NumPy.

The reference knows matrices by (receiver, sender) and nothing of the library: who is heard,
in which order rows are updated, what a rule adds, are all spelled out here. Networks with
exact weights have to agree in every bit of their states, ties included.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np
import pytest

from bionet.layer_maps.senders import SENDERS
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.recurrent import RecurrentDiscrete

HEARS = {
    "all": lambda i, j, last: True,
    "forward": lambda i, j, last: j <= i,
    "backward": lambda i, j, last: j >= i,
    "unsupervised": lambda i, j, last: j != last,
}


@dataclass
class Reference:
    """A sequential network: `weights[i, j]` maps buffer j onto row i; what has a margin learns."""

    weights: dict
    margins: dict
    reductions: dict
    last: int

    def field(self, buffers, i, senders):
        total = np.zeros((len(buffers[0]), buffers[i].shape[1]))
        for (receiver, j), W in self.weights.items():
            if receiver == i and HEARS[senders](i, j, self.last):
                total = total + buffers[j] @ W
        return total

    def step(self, buffers, senders="all"):
        buffers = list(buffers)
        for i in range(1, self.last):
            buffers[i] = np.where(self.field(buffers, i, senders) >= 0, 1.0, -1.0)
        return buffers

    def predict(self, buffers):
        return [*buffers[:-1], self.field(buffers, self.last, "forward")]

    def backward(self, buffers, senders="forward"):
        gradients = {edge: np.zeros_like(W) for edge, W in self.weights.items()}
        for (i, j), threshold in self.margins.items():
            x, y, score = buffers[j], buffers[i], self.field(buffers, i, senders)
            (n, d), added = x.shape, 0.0
            for sample in range(n):
                wrong = y[sample] * score[sample] <= threshold
                added = added + np.outer(x[sample], np.where(wrong, y[sample], 0.0))
            scale = {"sqrt": np.sqrt(n * d), "mean": n * np.sqrt(d)}[self.reductions[i, j]]
            gradients[i, j] = -added / scale
            if i == j:
                np.fill_diagonal(gradients[i, j], 0.0)
        return gradients


def reference_of(lmap):
    """The matrices and numbers of a layer map, and nothing else of it."""
    weights, margins, reductions = {}, {}, {}
    for edge, module in lmap.edge_items():
        if isinstance(module, FullyConnected | FrozenFullyConnected):
            weights[edge] = np.asarray(module.W, np.float64)
        elif isinstance(module, RecurrentDiscrete):
            weights[edge] = np.asarray(module.J, np.float64)
        if isinstance(module, FullyConnected | RecurrentDiscrete):
            margins[edge] = np.asarray(module.threshold, np.float64)
            reductions[edge] = module.reduction
    return Reference(weights, margins, reductions, max(lmap.rows()))


def buffers_of(state):
    return [np.asarray(buffer, np.float64) for buffer in state.buffers]


def agree(state, buffers, tolerance=0.0):
    for found, expected in zip(buffers_of(state), buffers, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def gradients_agree(found, expected):
    for edge, module in found.lmap.edge_items():
        leaves = {name: np.asarray(leaf) for name, leaf in vars(module).items() if _is_array(leaf)}
        if not leaves:
            continue
        matrix = leaves.pop("W", leaves.pop("J", None))
        np.testing.assert_allclose(matrix, expected[edge], rtol=1e-6, err_msg=str(edge))
        assert not any(leaf.any() for leaf in leaves.values())


def _is_array(leaf):
    return isinstance(leaf, jax.Array)


# One program per wiring and group of senders, whatever the numbers.
@eqx.filter_jit
def one_step(orchestrator, state, senders):
    return orchestrator.step(state, rng=None, senders=senders)[0]


@eqx.filter_jit
def inference(orchestrator, state):
    state, _ = orchestrator.step_inference(state, rng=None)
    return state, orchestrator.predict(state, None)[0]


@eqx.filter_jit
def learning(orchestrator, state, senders=None):
    words = {} if senders is None else {"senders": senders}
    return orchestrator.backward(state, **words)


@pytest.mark.parametrize("senders", SENDERS)
@pytest.mark.parametrize("hidden", [1, 2])
def test_steps(make_network, hidden, senders):
    ties = 0
    for seed in range(6):
        network = make_network(hidden, seed=seed)
        reference = reference_of(network.orchestrator.lmap)
        state = network.clamped
        buffers = buffers_of(state)
        for _ in range(4):
            ties += sum((reference.field(buffers, i, senders) == 0).sum() for i in network.hidden)
            state = one_step(network.orchestrator, state, senders)
            buffers = reference.step(buffers, senders)
            agree(state, buffers)
    assert ties > 0


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "rounded"])
@pytest.mark.parametrize("hidden", [1, 2])
def test_inference_and_the_answer(make_network, hidden, exact):
    for seed in range(6):
        network = make_network(hidden, seed=seed, exact=exact)
        reference = reference_of(network.orchestrator.lmap)
        state = network.clamped
        buffers = buffers_of(state)
        for _ in range(3):
            state, answer = inference(network.orchestrator, state)
            buffers = reference.step(buffers, "forward")
            agree(state, buffers)
            agree(answer, reference.predict(buffers), 0.0 if exact else 1e-5)


@pytest.mark.parametrize("senders", [None, *SENDERS])
@pytest.mark.parametrize("hidden", [1, 2])
def test_pseudo_gradients(make_network, hidden, senders):
    for seed in range(6):
        network = make_network(hidden, seed=seed)
        reference = reference_of(network.orchestrator.lmap)
        state = one_step(network.orchestrator, network.clamped, "all")
        found = learning(network.orchestrator, state, senders)
        # Nobody who does not ask hears from later layers.
        expected = reference.backward(buffers_of(state), senders or "forward")
        gradients_agree(found, expected)
        assert all(np.abs(expected[edge]).max() > 0 for edge in reference.margins)


def test_thresholds_per_unit_and_the_mean(two_hidden, dense, binary):
    def change(_, module):
        margins = np.arange(module.receiver_shape[0]) / 2 if module.receiver_shape else None
        if isinstance(module, FullyConnected):
            return dense(module.W, margins, reduction="mean")
        if isinstance(module, RecurrentDiscrete):
            return binary(module.J, margins, reduction="mean")
        return module

    network = two_hidden.orchestrator
    network = eqx.tree_at(lambda o: o.lmap, network, network.lmap.map_edges(change))
    reference = reference_of(network.lmap)
    assert set(reference.reductions.values()) == {"mean"}
    state = one_step(network, two_hidden.clamped, "all")
    gradients_agree(learning(network, state), reference.backward(buffers_of(state)))


def test_a_whole_training_run(two_hidden):
    # Five rounds of clamped and free steps, each with a step of plain gradient descent. The
    # rate is a power of two and n d is 42, 30 or 36: rounding comes in, ties do not survive.
    network, rate = two_hidden.orchestrator, 0.125
    reference = reference_of(network.lmap)
    for _ in range(5):
        state, buffers = two_hidden.clamped, buffers_of(two_hidden.clamped)
        for senders in ("all", "all", "forward", "forward"):
            state = one_step(network, state, senders)
            buffers = reference.step(buffers, senders)
        agree(state, buffers)
        found = learning(network, state)
        expected = reference.backward(buffers)
        gradients_agree(found, expected)
        network = eqx.apply_updates(network, jax.tree.map(lambda g: -rate * g, found))
        for edge, gradient in expected.items():
            reference.weights[edge] = reference.weights[edge] - rate * gradient
    for edge, W in reference_of(network.lmap).weights.items():
        np.testing.assert_allclose(W, reference.weights[edge], rtol=1e-5, atol=1e-6)
