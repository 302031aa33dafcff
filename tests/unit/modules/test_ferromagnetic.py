"""The ferromagnetic chain: one positive coupling per unit, which holds layers together."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.layer_maps.shared import Shared
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.ferromagnetic import FerromagneticChain
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import apply_trained, partition_trained
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import settle
from bionet.states.sequential import SequentialState

KEY = jax.random.key(0)
X = jnp.array([[1.0, -2.0, 3.0], [-1.0, 0.0, 0.5]])


def test_unit_by_unit():
    assert np.array_equal(FerromagneticChain(3, 0.5)(X), 0.5 * np.asarray(X))
    graded = FerromagneticChain(3, [0.5, 1.0, 2.0])
    assert np.array_equal(graded(X), np.asarray(X) * [0.5, 1.0, 2.0])
    assert np.array_equal(graded(X, KEY), graded(X))
    assert np.array_equal(graded.matrix, np.diag([0.5, 1.0, 2.0]))


def test_it_is_never_a_matrix():
    chain = eqx.filter_eval_shape(FerromagneticChain, 10_000, 0.5)
    assert sum(leaf.size for leaf in jax.tree.leaves(chain)) == 10_000


@pytest.mark.parametrize(("density", "coupled"), [(1.0, 40), (0.5, 20), (0.26, 10), (0.025, 1)])
def test_a_share_of_the_units_is_coupled(density, coupled):
    chain = FerromagneticChain(40, np.linspace(1, 2, 40), KEY, density=density)
    strength = np.asarray(chain.strength)
    assert (strength > 0).sum() == coupled
    assert np.array_equal(
        strength[strength > 0], np.linspace(1, 2, 40, dtype=np.float32)[strength > 0]
    )
    silent = np.asarray(chain(jnp.ones((1, 40))))[0][strength == 0]
    assert not silent.any()


def test_which_ones_is_drawn_by_the_key():
    one, same, other = (
        np.asarray(FerromagneticChain(40, 1.0, jax.random.key(seed), density=0.5).strength)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_no_optimiser_moves_it():
    chain, ones = FerromagneticChain(3, 0.5), jnp.ones((2, 3))
    gradient, optimizer = chain.backward(X, ones, -ones), optax.adamw(0.1, weight_decay=5.0)
    assert not gradient.strength.any()
    assert jax.tree.leaves(partition_trained(chain)[0]) == []
    updates, _ = optimizer.update(gradient, optimizer.init(chain), chain)
    assert np.array_equal(apply_trained(chain, updates).strength, chain.strength)


def three_layers(strength):
    """5 - 12 - 12 - 2, with a chain both ways between the hidden layers."""
    k, link = jax.random.split(KEY, 4), FerromagneticChain(12, strength)
    rows = {
        1: {
            0: FullyConnected(5, 12, 1.0, 0.5, k[0]),
            1: RecurrentDiscrete(12, 0.5, 0.5, k[1]),
            2: link,
        },
        2: {1: Shared(1, 2), 2: RecurrentDiscrete(12, 0.5, 0.5, k[2])},
        3: {2: FullyConnected(12, 2, 1.0, 0.5, k[3]), 3: OutputLayer()},
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


@pytest.mark.slow
def test_a_strong_chain_makes_neighbours_agree_and_a_weak_one_does_not():
    x = jnp.asarray(np.random.default_rng(0).choice([-1.0, 1.0], (8, 5)), jnp.float32)
    state = SequentialState((5, 12, 12, 2)).init(x)
    agreement = []
    for strength in (0.01, 20.0):
        network = three_layers(strength)
        after, result = settle(network, state, max_steps=20, senders="unsupervised")
        agreement.append(float((after[1] == after[2]).mean()))
    assert agreement[0] < 0.8
    assert agreement[1] == 1
    assert result.settled


@pytest.mark.parametrize("bad", [0.0, -0.5, [1.0, 1.0, 0.0]])
def test_a_coupling_that_does_not_excite_is_refused(bad, says):
    with says(ValueError, "FerromagneticChain: strength needs to be above 0 and finite, got "):
        FerromagneticChain(3, bad)
    with says(ValueError, "FerromagneticChain: strength needs finite numbers, got inf."):
        FerromagneticChain(3, np.inf)


def test_one_that_is_only_known_when_it_runs_as_well(says):
    make = eqx.filter_jit(lambda strength: FerromagneticChain(3, strength).strength)
    assert np.array_equal(make(jnp.array(2.0)), [2, 2, 2])
    with says(RuntimeError, "FerromagneticChain: strength needs to be above 0 and finite."):
        make(jnp.array(-2.0))


@pytest.mark.parametrize("shape", [(1,), (2,), (3, 3), (3, 1)])
def test_a_strength_per_unit_needs_one_for_each_unit(shape, says):
    sentence = "strength needs a scalar or one value per output unit, shape (3,), got shape"
    with says(ValueError, f"FerromagneticChain: {sentence} {shape}."):
        FerromagneticChain(3, np.ones(shape))


@pytest.mark.parametrize("bad", [0, -2, 2.0, "4", None])
def test_the_number_of_units_is_a_positive_int(bad, says):
    with says(ValueError, f"FerromagneticChain: features needs a positive int, got {bad!r}."):
        FerromagneticChain(bad, 0.5)


def test_a_density_is_a_share_that_couples_somebody(says):
    for bad in (0.0, -0.1, 1.1, np.nan):
        sentence = f"FerromagneticChain: density needs 0 < density <= 1, got {bad}."
        with says(ValueError, sentence):
            FerromagneticChain(3, 0.5, KEY, density=bad)
    with says(ValueError, "density 0.1 of 4 units couples none of them; give 0.25 or more"):
        FerromagneticChain(4, 0.5, KEY, density=0.1)
    with says(ValueError, "a density below 1 draws the coupled units and needs a key."):
        FerromagneticChain(4, 0.5, density=0.5)


@pytest.mark.parametrize("shape", [(2, 1), (2, 4), (3,), (2, 3, 3)])
def test_a_sender_of_another_width_does_not_broadcast_in_silence(shape, says):
    sentence = f"FerromagneticChain: x needs shape (batch, 3), got {shape}."
    with says(ValueError, sentence):
        FerromagneticChain(3, 0.5)(jnp.ones(shape))
