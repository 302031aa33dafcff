"""Everything that a contract binds, and how to build one of it.

A new module, state or orchestrator gets a line here; `test_registered.py` fails until it has.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.ferromagnetic import FerromagneticChain
from bionet.modules.frozen import FrozenAdapter, FrozenLayer, frozen
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.images.pooling import Pooling2D
from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.images.reshaping import Reshaped
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractModule
from bionet.modules.port import Port, Span
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.softmax import SoftmaxReadout
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.modules.tanh import RecurrentTanh
from bionet.modules.through_time.surrogates import Surrogate
from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.first_order.surrogate import SurrogateLayer
from bionet.training.first_order.twin import SmoothLayer

BATCH = 6


class ModuleCase(NamedTuple):
    """How to build a module, and the shapes of the buffers that it stands between."""

    kind: type[AbstractModule]
    make: Callable[..., AbstractModule]
    sender: tuple[int, ...]
    receiver: tuple[int, ...]


def per_unit(dtype):
    return jnp.asarray(np.arange(7) / 2, dtype)


def nested(key, dtype="float32"):
    """A node whose inner buffers have 2, 5 and 3 units, and whose readout is said."""
    k = jax.random.split(key, 4)
    rows = {
        1: {
            0: FullyConnected(2, 5, 1.5, 0.75, k[0], dtype=dtype),
            1: RecurrentDiscrete(5, 0.5, 0.75, k[1], dtype=dtype),
            2: FrozenFullyConnected(3, 5, 1.5, 0.75, k[2], dtype=dtype),
        },
        2: {1: FullyConnected(5, 3, 1.5, 0.75, k[3], dtype=dtype), 2: OutputLayer()},
    }
    inner = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
    return NestedNetwork(inner, (2, 5, 3), steps=2)


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
    "FullyConnected, narrow": ModuleCase(
        FullyConnected,
        lambda key, dtype="float32": FullyConnected(
            5, 7, 1.5, 0.75, key, operands="bfloat16x3", dtype=dtype
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
    "FrozenAdapter": ModuleCase(
        FrozenAdapter,
        lambda key, dtype="float32": frozen(FullyConnected(5, 7, 1.5, 0.75, key, dtype=dtype)),
        (5,),
        (7,),
    ),
    "SmoothLayer": ModuleCase(
        SmoothLayer,
        lambda key, dtype="float32": SmoothLayer(
            RecurrentDiscrete(7, 0.5, 0.75, key, dtype=dtype), jnp.asarray(2.0, dtype)
        ),
        (7,),
        (7,),
    ),
    "SurrogateLayer": ModuleCase(
        SurrogateLayer,
        lambda key, dtype="float32": SurrogateLayer(
            RecurrentDiscrete(7, 0.5, 0.75, key, dtype=dtype), Surrogate("arctan", dtype=dtype)
        ),
        (7,),
        (7,),
    ),
    "FrozenLayer": ModuleCase(
        FrozenLayer,
        lambda key, dtype="float32": frozen(RecurrentDiscrete(7, 0.5, 0.75, key, dtype=dtype)),
        (7,),
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
    "SparseFullyConnected": ModuleCase(
        SparseFullyConnected,
        lambda key, dtype="float32": SparseFullyConnected(
            5, 7, 1.5, 0.75, key, fan_in=3, dtype=dtype
        ),
        (5,),
        (7,),
    ),
    "SparseFullyConnected, per unit": ModuleCase(
        SparseFullyConnected,
        lambda key, dtype="float32": SparseFullyConnected(
            5,
            7,
            per_unit(dtype),
            per_unit(dtype),
            key,
            sparsity=0.5,
            reduction="mean",
            dtype=dtype,
        ),
        (5,),
        (7,),
    ),
    "SparseRecurrentDiscrete": ModuleCase(
        SparseRecurrentDiscrete,
        lambda key, dtype="float32": SparseRecurrentDiscrete(
            7, 0.5, 0.75, key, fan_in=3, dtype=dtype
        ),
        (7,),
        (7,),
    ),
    "SparseRecurrentDiscrete, per unit": ModuleCase(
        SparseRecurrentDiscrete,
        lambda key, dtype="float32": SparseRecurrentDiscrete(
            7, per_unit(dtype), per_unit(dtype), key, sparsity=0.5, reduction="mean", dtype=dtype
        ),
        (7,),
        (7,),
    ),
    "SparseFullyConnected, given wiring": ModuleCase(
        SparseFullyConnected,
        lambda key, dtype="float32": SparseFullyConnected(
            5, 7, 1.5, 0.75, key, indices=np.arange(14).reshape(7, 2) % 5, dtype=dtype
        ),
        (5,),
        (7,),
    ),
    "SoftmaxReadout": ModuleCase(
        SoftmaxReadout,
        lambda key, dtype="float32": SoftmaxReadout(5, 7, 1.5, key, dtype=dtype),
        (5,),
        (7,),
    ),
    "SoftmaxReadout, per unit": ModuleCase(
        SoftmaxReadout,
        lambda key, dtype="float32": SoftmaxReadout(
            5, 7, per_unit(dtype), key, reduction="mean", operands="bfloat16x3", dtype=dtype
        ),
        (5,),
        (7,),
    ),
    "LearnedFeedback": ModuleCase(
        LearnedFeedback,
        lambda key, dtype="float32": LearnedFeedback(5, 7, 1.5, key, dtype=dtype),
        (5,),
        (7,),
    ),
    "LearnedFeedback, per unit": ModuleCase(
        LearnedFeedback,
        lambda key, dtype="float32": LearnedFeedback(
            5, 7, per_unit(dtype), key, reduction="mean", dtype=dtype
        ),
        (5,),
        (7,),
    ),
    "FerromagneticChain": ModuleCase(
        FerromagneticChain,
        lambda key, dtype="float32": FerromagneticChain(7, 0.5, key, density=0.5, dtype=dtype),
        (7,),
        (7,),
    ),
    "RecurrentTanh": ModuleCase(
        RecurrentTanh,
        lambda key, dtype="float32": RecurrentTanh(7, 0.5, 0.25, key, dtype=dtype),
        (7,),
        (7,),
    ),
    "RecurrentTanh, per unit": ModuleCase(
        RecurrentTanh,
        lambda key, dtype="float32": RecurrentTanh(
            7,
            per_unit(dtype),
            per_unit(dtype) / 4,
            key,
            per_unit(dtype) + 1,
            reduction="mean",
            dtype=dtype,
        ),
        (7,),
        (7,),
    ),
    "Convolution2D": ModuleCase(
        Convolution2D,
        lambda key, dtype="float32": Convolution2D((4, 3, 2), 3, 3, 1.5, 0.75, key, dtype=dtype),
        (4, 3, 2),
        (4, 3, 3),
    ),
    "Convolution2D, per channel": ModuleCase(
        Convolution2D,
        lambda key, dtype="float32": Convolution2D(
            (5, 4, 2),
            7,
            (3, 2),
            per_unit(dtype),
            per_unit(dtype),
            key,
            stride=(2, 1),
            padding="VALID",
            reduction="mean",
            dtype=dtype,
        ),
        (5, 4, 2),
        (2, 3, 7),
    ),
    "TransposedConvolution2D": ModuleCase(
        TransposedConvolution2D,
        lambda key, dtype="float32": TransposedConvolution2D(
            (2, 3, 2), 3, 3, 1.5, 0.75, key, dtype=dtype
        ),
        (2, 3, 2),
        (4, 6, 3),
    ),
    "RecurrentDiscrete2D": ModuleCase(
        RecurrentDiscrete2D,
        lambda key, dtype="float32": RecurrentDiscrete2D((3, 4, 2), 3, 0.5, 0.75, key, dtype=dtype),
        (3, 4, 2),
        (3, 4, 2),
    ),
    "Pooling2D, mean": ModuleCase(
        Pooling2D, lambda key, dtype="float32": Pooling2D((4, 5, 3), 2), (4, 5, 3), (2, 2, 3)
    ),
    "Pooling2D, max": ModuleCase(
        Pooling2D,
        lambda key, dtype="float32": Pooling2D((4, 5, 3), (3, 2), 1, "max"),
        (4, 5, 3),
        (2, 4, 3),
    ),
    "Reshaped": ModuleCase(
        Reshaped,
        lambda key, dtype="float32": Reshaped(
            FullyConnected(12, 6, 1.5, 0.75, key, dtype=dtype),
            sender_shape=(2, 3, 2),
            receiver_shape=(1, 2, 3),
        ),
        (2, 3, 2),
        (1, 2, 3),
    ),
    "Reshaped, frozen": ModuleCase(
        Reshaped,
        lambda key, dtype="float32": Reshaped(
            FrozenFullyConnected(5, 6, 1.5, 0.75, key, dtype=dtype), receiver_shape=(1, 2, 3)
        ),
        (5,),
        (1, 2, 3),
    ),
    "Port": ModuleCase(
        Port,
        lambda key, dtype="float32": Port(
            FullyConnected(4, 5, 1.5, 0.75, key, dtype=dtype),
            hears=Span(1, (4,), 6),
            drives=Span(0, (5,), 7),
        ),
        (6,),
        (7,),
    ),
    "Port, a copy": ModuleCase(
        Port, lambda key, dtype="float32": Port(drives=Span(2, (2, 2), 7)), (2, 2), (7,)
    ),
    "NestedNetwork": ModuleCase(NestedNetwork, nested, (10,), (10,)),
    "OutputLayer": ModuleCase(OutputLayer, lambda key, dtype="float32": OutputLayer(), (7,), (7,)),
}


# What these compute, another case computes too, from a number in place of a vector or from other
# indices. Shapes, types and structures are asked of all, compiled numbers of one of each kind.
ALIKE = {
    "FullyConnected, per unit",
    "RecurrentDiscrete, per unit",
    "SparseFullyConnected, per unit",
    "SparseFullyConnected, given wiring",
    "SparseRecurrentDiscrete, per unit",
    "SoftmaxReadout, per unit",
    "LearnedFeedback, per unit",
    "RecurrentTanh, per unit",
    "Reshaped, frozen",
}


def one_by_one_backwards(layers):
    """The rows in descending order, the last one left out: no other orchestrator does that."""
    *rows, _ = layers.rows()
    return GroupedOrchestrator(layers, {f"row {i}": (i,) for i in reversed(rows)})


# Each takes `layers`, a layer map, and stands for every way to run it.
ORCHESTRATORS = {
    SequentialOrchestrator: SequentialOrchestrator,
    SynchronousOrchestrator: SynchronousOrchestrator,
    GroupedOrchestrator: one_by_one_backwards,
    StackedOrchestrator: StackedOrchestrator,
}

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


@functools.cache
def bind(name: str) -> BoundModule:
    """Draws a module once for all tests."""
    case, rng = MODULES[name], np.random.default_rng(0)
    buffers = (
        rng.normal(size=(BATCH, *case.sender)),
        rng.choice([-1.0, 1.0], (BATCH, *case.receiver)),
        rng.normal(size=(BATCH, *case.receiver)),
    )
    module = case.make(jax.random.key(0))
    return BoundModule(case, module, *(jnp.asarray(b, jnp.float32) for b in buffers))


@pytest.fixture(scope="session", params=MODULES)
def bound(request) -> BoundModule:
    """Each module in turn, with a sender's buffer, a target and a score."""
    return bind(request.param)


@pytest.fixture(scope="session", params=[name for name in MODULES if name not in ALIKE])
def computed(request) -> BoundModule:
    """The same for one module of each kind of implementation."""
    return bind(request.param)


@pytest.fixture(scope="session")
def twin(computed) -> AbstractModule:
    """The computed module as another key draws it."""
    return computed.case.make(jax.random.key(1))


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
