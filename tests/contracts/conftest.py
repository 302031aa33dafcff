"""Everything that a contract binds, and how to build one of it.

A new module, state or orchestrator gets a line here; `test_registered.py` fails until it has.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractModule
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState

BATCH = 6


class ModuleCase(NamedTuple):
    """How to build a module, and the shapes of the buffers that it stands between."""

    kind: type[AbstractModule]
    make: Callable[..., AbstractModule]
    sender: tuple[int, ...]
    receiver: tuple[int, ...]


def per_unit(dtype):
    return jnp.asarray(np.arange(7) / 2, dtype)


MODULES = {
    "FullyConnected": ModuleCase(
        FullyConnected,
        lambda key, dtype="float32": FullyConnected(5, 7, 1.5, 0.75, key, dtype=dtype),
        (5,),
        (7,),
    ),
    "FullyConnected, per unit": ModuleCase(
        FullyConnected,
        lambda key, dtype="float32": FullyConnected(
            5, 7, per_unit(dtype), per_unit(dtype), key, reduction="mean", dtype=dtype
        ),
        (5,),
        (7,),
    ),
    "FrozenFullyConnected": ModuleCase(
        FrozenFullyConnected,
        lambda key, dtype="float32": FrozenFullyConnected(5, 7, 1.5, 0.75, key, dtype=dtype),
        (5,),
        (7,),
    ),
    "RecurrentDiscrete": ModuleCase(
        RecurrentDiscrete,
        lambda key, dtype="float32": RecurrentDiscrete(7, 0.5, 0.75, key, dtype=dtype),
        (7,),
        (7,),
    ),
    "RecurrentDiscrete, per unit": ModuleCase(
        RecurrentDiscrete,
        lambda key, dtype="float32": RecurrentDiscrete(
            7, per_unit(dtype), per_unit(dtype), key, reduction="mean", dtype=dtype
        ),
        (7,),
        (7,),
    ),
    "OutputLayer": ModuleCase(OutputLayer, lambda key, dtype="float32": OutputLayer(), (7,), (7,)),
}

# Each takes `layers`, a layer map, and stands for every way to run it.
ORCHESTRATORS = {SequentialOrchestrator: SequentialOrchestrator}

# Each takes the sizes of three buffers.
STATES = {SequentialState: SequentialState}


@pytest.fixture(scope="session")
def tables() -> tuple[set[type], set[type], set[type]]:
    """The classes that have a line above: modules, orchestrators, states."""
    return {case.kind for case in MODULES.values()}, set(ORCHESTRATORS), set(STATES)


class BoundModule(NamedTuple):
    """A module, how to make another one, and buffers for it."""

    case: ModuleCase
    module: AbstractModule
    x: Array
    y: Array
    y_hat: Array


@pytest.fixture(scope="session", params=MODULES)
def bound(request) -> BoundModule:
    """Each module in turn, with a sender's buffer, a target and a score."""
    case, rng = MODULES[request.param], np.random.default_rng(0)
    buffers = (
        rng.normal(size=(BATCH, *case.sender)),
        rng.choice([-1.0, 1.0], (BATCH, *case.receiver)),
        rng.normal(size=(BATCH, *case.receiver)),
    )
    module = case.make(jax.random.key(0))
    return BoundModule(case, module, *(jnp.asarray(b, jnp.float32) for b in buffers))


@pytest.fixture(scope="session", params=ORCHESTRATORS, ids=lambda kind: kind.__name__)
def orchestrator_kind(request):
    """Each orchestrator's builder in turn."""
    return ORCHESTRATORS[request.param]


@pytest.fixture(scope="session", params=[1, 2], ids=["one hidden layer", "two hidden layers"])
def wired(request, orchestrator_kind, make_network):
    """Each orchestrator with each of the two networks, and a batch."""
    return make_network(request.param, orchestrator=orchestrator_kind)


@pytest.fixture(scope="session", params=STATES, ids=lambda kind: kind.__name__)
def blank(request):
    """Each state in turn, with buffers of 5, 7 and 3."""
    return STATES[request.param]((5, 7, 3))


@pytest.fixture(scope="session")
def close() -> Callable[[object, object], None]:
    """Asserts that two trees agree up to what a compiler may do to the order of a sum."""

    def check(found: object, expected: object) -> None:
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert (left.shape, left.dtype) == (right.shape, right.dtype)
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)

    return check


@pytest.fixture(scope="session")
def stacked() -> Callable[..., object]:
    """Stacks trees of one structure, leaf by leaf."""

    def stack(*trees: object) -> object:
        return jax.tree.map(lambda *leaves: jax.device_put(np.stack(leaves)), *trees)

    return stack
