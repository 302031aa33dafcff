"""Weights between cells, and cells in a chain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.through_time.cells import CellChain, Synapses, batch_axes
from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.spiking import LIF, LeakyIntegrator
from bionet.modules.trained import partition_trained, trained_mask

KEYS = jax.random.split(jax.random.key(0), 4)


@pytest.fixture(scope="module")
def chain():
    return CellChain(
        Synapses(3, 5, KEYS[0], strength=4.0), LIF(5), Synapses(5, 2, KEYS[1]), LeakyIntegrator(2)
    )


@pytest.mark.slow
def test_synapses_are_an_affine_map_of_any_batch():
    made = Synapses(3, 2, KEYS[0])
    x = jax.random.normal(KEYS[1], (4, 6, 3))
    out, state = made(x, made.initial((4, 6)))
    assert state == ()
    np.testing.assert_allclose(out, np.asarray(x) @ np.asarray(made.W), rtol=1e-5, atol=1e-6)
    assert np.array_equal(made.bias, [0, 0])
    assert Synapses(3, 2, KEYS[0], bias=False).bias is None


def test_their_scale_is_the_strength():
    W = Synapses(400, 100, KEYS[0], strength=3.0).W
    np.testing.assert_allclose(jnp.std(W), 3.0 / 20, rtol=0.02)


@pytest.mark.parametrize(("bias", "count"), [(True, 2), (False, 1)])
def test_weights_and_bias_learn(bias, count):
    made = Synapses(3, 2, KEYS[0], bias=bias)
    assert len(jax.tree.leaves(partition_trained(made)[0])) == count


@pytest.mark.slow
def test_a_chain_over_time_is_its_steps(chain):
    xs = jax.random.normal(KEYS[2], (6, 4, 3))
    stepped, state = [], chain.initial((4,))
    for x in xs:
        out, state = chain(x, state)
        stepped.append(out)
    whole, last = over_time(chain, xs)
    np.testing.assert_allclose(whole, np.stack(stepped), rtol=1e-5, atol=1e-6)
    assert jax.tree.structure(last) == jax.tree.structure(state)
    for left, right in zip(jax.tree.leaves(last), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)
    assert whole.any()


def test_a_chain_is_as_wide_as_its_ends(chain):
    assert (chain.in_features, chain.features) == (3, 2)


LIVELY = LIF(2)


def test_what_learns_in_the_cells_learns_in_the_chain(chain):
    masks = jax.tree_util.tree_leaves_with_path(trained_mask(chain))
    names = {path[-1].name: mask for path, mask in masks}
    assert names == {"W": True, "bias": True, "raw": True, "threshold": False, "slope": False}


@pytest.mark.parametrize(
    ("cells", "kind", "sentence"),
    [
        ((), ValueError, "CellChain: needs one cell at least, got none."),
        ((LIF(2), jnp.tanh), TypeError, "CellChain: cell 1 needs to be an AbstractCell, got"),
        (
            (LIF(2), LIF(3)),
            ValueError,
            "CellChain: cell 1, a LIF, expects 3 units, but cell 0, a LIF, has 2.",
        ),
        (
            (Synapses(2, 2, KEYS[0]), LIVELY, Synapses(2, 2, KEYS[1]), LIVELY),
            ValueError,
            "CellChain: cell 3 learns in the very arrays of cell 1, and as two copies they would "
            "part as they learn; make a cell of its own there.",
        ),
    ],
)
def test_what_makes_no_chain_is_told(cells, kind, sentence, says):
    with says(kind, sentence):
        CellChain(*cells)


@pytest.mark.parametrize("name", ["in_features", "features"])
def test_widths_are_positive(name, says):
    with says(ValueError, f"Synapses: {name} needs a positive int, got -1."):
        Synapses(**{"in_features": 2, "features": 2, name: -1}, key=KEYS[0])


def test_an_int_is_a_single_axis():
    assert (batch_axes(3), batch_axes(()), batch_axes((2, 4))) == ((3,), (), (2, 4))
