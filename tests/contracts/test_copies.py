"""A copy has the tree structure of what it was copied from, before and after JAX had it in hand.

Equinox writes a mark into an object that goes through `jax.tree.map` or `jit`, if its class has a
field that the object does not hold. The mark is compared by identity, and copies of it are not
it: a network that was trained, saved by pickle and read again was another network to `jit`.
"""

import copy
import importlib
import importlib.util
import pickle
import subprocess
import sys
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from bionet.layer_maps.shared import Shared
from bionet.layer_maps.sparse import LayerMap
from bionet.modules import (
    LIF,
    S5,
    AdaptiveLIF,
    CellChain,
    FullyConnected,
    LeakyIntegrator,
    OutputLayer,
    RecurrentDiscrete,
    RecurrentSpiking,
    Synapses,
)
from bionet.modules.through_time.cells import AbstractCell
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.training.control.restricted import Restricted
from bionet.training.first_order.twin import smooth_twin

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda tree: pickle.loads(pickle.dumps(tree)),
}
if importlib.util.find_spec("cloudpickle"):  # which comes with ray
    cloudpickle = importlib.import_module("cloudpickle")
    COPIES["cloudpickle"] = lambda tree: pickle.loads(cloudpickle.dumps(tree))


def through_jax(tree):
    """The same tree, put together anew by JAX; `jit` does the same."""
    return jax.tree.map(lambda leaf: leaf, tree)


def assert_copies_have_its_structure(tree):
    structure = jax.tree.structure(tree)
    for original in (tree, through_jax(tree)):
        for name, copied in COPIES.items():
            assert jax.tree.structure(copied(original)) == structure, name
            assert jax.tree.structure(through_jax(copied(original))) == structure, name


def test_of_a_module(bound):
    assert_copies_have_its_structure(bound.module)


def test_of_a_network_and_its_state(wired):
    assert_copies_have_its_structure((wired.orchestrator, wired.clamped))


CELLS = {
    LIF: lambda key: LIF(3),
    AdaptiveLIF: lambda key: AdaptiveLIF(3),
    LeakyIntegrator: lambda key: LeakyIntegrator(3),
    Synapses: lambda key: Synapses(2, 3, key),
    RecurrentSpiking: lambda key: RecurrentSpiking(2, 3, LIF(3), key),
    CellChain: lambda key: CellChain(Synapses(2, 3, key), LIF(3)),
    S5: lambda key: S5(3, 4, key),
}


@pytest.mark.parametrize("kind", CELLS, ids=lambda kind: kind.__name__)
def test_of_a_cell(kind):
    assert_copies_have_its_structure(CELLS[kind](jax.random.key(0)))


def test_every_cell_of_the_library_is_among_them():
    def under(base):
        return {base}.union(*map(under, base.__subclasses__()))

    of_the_library = {
        kind
        for kind in under(AbstractCell)
        if kind.__module__.startswith("bionet.modules") and not kind.__name__.startswith("Abstract")
    }
    assert of_the_library == set(CELLS)


def sharing(key):
    """A network in which two rows share their couplings."""
    k = jax.random.split(key, 4)
    return SequentialOrchestrator(
        layers=LayerMap.from_dict(
            {
                1: {0: FullyConnected(2, 3, 1.0, 0.5, k[0]), 1: RecurrentDiscrete(3, 1, 1, k[1])},
                2: {1: FullyConnected(3, 3, 1.0, 0.5, k[2]), 2: Shared(1, 1)},
                3: {2: FullyConnected(3, 2, 1.0, 0.5, k[3]), 3: OutputLayer()},
            }
        )
    )


def first_layer(network):
    return network.lmap[1, 0]


def test_of_a_network_that_shares_is_twinned_or_restricted():
    network = sharing(jax.random.key(0))
    for model in (network, smooth_twin(network), Restricted(network, first_layer)):
        assert_copies_have_its_structure(model)


def test_of_what_jit_returned():
    network = sharing(jax.random.key(0))
    doubled = eqx.filter_jit(lambda n: jax.tree.map(lambda leaf: 2 * leaf, n))(network)
    assert_copies_have_its_structure(doubled)
    assert jax.tree.structure(doubled) == jax.tree.structure(network)


@final
class WithAnAbsentField(eqx.Module):
    """What a user may write: one field with a default that no instance holds."""

    W: jax.Array
    label: str = eqx.field(static=True, default="none", init=False)


def test_of_a_module_of_somebody_else():
    assert_copies_have_its_structure(WithAnAbsentField(jnp.ones(2)))


def test_a_program_is_not_traced_again_for_a_copy():
    traces = []

    @jax.jit
    def message(layer, x):
        traces.append(1)
        return layer(x)

    layer, x = through_jax(OutputLayer()), jnp.ones((1, 2))
    for copied in COPIES.values():
        message(copied(layer), x)
    message(layer, x)
    assert len(traces) == 1


@pytest.mark.slow
def test_another_process_reads_it_back():
    stored = pickle.dumps(through_jax(OutputLayer()))
    program = (
        "import pickle, jax; "
        f"layer = pickle.loads({stored!r}); "
        "again = jax.tree.map(lambda leaf: leaf, type(layer)()); "
        "assert jax.tree.structure(layer) == jax.tree.structure(again)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
