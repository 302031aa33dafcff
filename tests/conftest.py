"""Small networks that the tests share: one hidden layer, and two that talk to each other.

Weights of an `exact` network are multiples of a quarter and its inputs are signs, so every
sum is exact in single precision: local fields tie often, and equal means equal in each bit.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import Array, ArrayLike

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.plugins import LOADED
from bionet.training.registry import METHODS

# The first run of a jitted example compiles, so no single time says anything.
settings.register_profile("bionet", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("bionet")

# Most of the time goes into compiling small programs, many of them in several tests, workers and
# processes that tests start. Whoever meets one first leaves it here for the others.
COMPILED = {
    "jax_compilation_cache_dir": str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"),
    "jax_persistent_cache_min_compile_time_secs": 0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_traceback_in_locations_limit": 0,  # which line each operation is from: a twentieth
}
# What is compiled here runs a few times on a few numbers, so optimising it takes longer than it
# saves. The old emitters of fused loops and one unit of code generation compile a graph's program
# in a third of the time of the new ones; whoever sets XLA_FLAGS keeps their own.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
for _name, _value in COMPILED.items():
    if _name.upper() not in os.environ:
        jax.config.update(_name, _value)
        os.environ[_name.upper()] = str(_value)

# Tracing makes many small objects that live long, and Python's collector looks at them each time:
# an eighth of the time.
gc.freeze()
gc.set_threshold(200_000, 50, 100)

# Each compiled program holds some ten maps of memory, of which the kernel gives a process 65,530;
# a worker that has run most of the suite comes close, and XLA then ends it by a segmentation fault.
MAPS = 20_000

INPUT, FIRST, SECOND, LABELS = 5, 7, 6, 3


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs() -> Iterator[None]:
    """Drops what is compiled after a file of tests, once it takes much of what there is."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_bytes().splitlines()) > MAPS:
        eqx.clear_caches()
        jax.clear_caches()
        gc.collect()


@pytest.fixture(autouse=True)
def _words_as_installed() -> Iterator[None]:
    """Takes out the methods that a test has registered, as a new process would begin."""
    words, texts = set(METHODS), set(LOADED)
    yield
    METHODS.forget(set(METHODS) - words)
    for sha256 in set(LOADED) - texts:
        del LOADED[sha256]
        sys.modules.pop(f"bionet_plugin_{sha256[:16]}", None)


class Network(NamedTuple):
    """A network with a blank state that fits it, and a batch."""

    orchestrator: AbstractOrchestrator
    state: SequentialState
    x: Array
    y: Array

    @property
    def clamped(self) -> SequentialState:
        """The state with the batch and its labels."""
        return self.state.init(self.x, self.y)

    @property
    def last(self) -> int:
        """The number of the output buffer."""
        return len(self.state) - 1

    @property
    def hidden(self) -> range:
        """The numbers of the hidden buffers."""
        return range(1, self.last)


def _array(values: ArrayLike, dtype: str) -> Array:
    # NumPy does the casting: JAX would compile a program for it.
    return jax.device_put(np.asarray(values).astype(dtype))


@functools.cache
def _hollow(kind: type, sizes: tuple[int, ...], options: tuple, wide: bool) -> object:
    """A module's structure, asked for once: compiling JAX's own draw takes most of a second a
    shape, and tracing it thirty milliseconds.
    """
    make = functools.partial(kind, *sizes, *_NUMBERS[kind], **dict(options))
    return eqx.filter_eval_shape(make, jax.random.key(0))


_NUMBERS = {
    FullyConnected: (1.0, 0.0),
    FrozenFullyConnected: (1.0, 0.0),
    RecurrentDiscrete: (0.0, 0.0),
}


def _structure(kind: type, sizes: tuple[int, ...], **options: str) -> object:
    # Without double precision "float64" is another structure.
    return _hollow(kind, sizes, tuple(sorted(options.items())), jax.config.jax_enable_x64)


def _dense(
    W: ArrayLike, threshold: ArrayLike | None = 0.0, dtype: str = "float32", **options: str
) -> FullyConnected | FrozenFullyConnected:
    kind = FrozenFullyConnected if threshold is None else FullyConnected
    hollow = _structure(kind, np.shape(W), dtype=dtype, **options)
    values = [_array(v, dtype) for v in (W, 1.0, 0.0 if threshold is None else threshold)]
    return eqx.tree_at(lambda m: (m.W, m.strength, m.threshold), hollow, values)


def _binary(
    J: ArrayLike, threshold: ArrayLike = 0.0, dtype: str = "float32", **options: str
) -> RecurrentDiscrete:
    hollow = _structure(RecurrentDiscrete, (len(J),), dtype=dtype, **options)
    values = [_array(v, dtype) for v in (J, threshold)]
    return eqx.tree_at(lambda m: (m.J, m.threshold), hollow, values)


@pytest.fixture(scope="session")
def dense() -> Callable[..., FullyConnected | FrozenFullyConnected]:
    """`dense(W, threshold=0.0, dtype=...)` is an adapter; frozen if the threshold is None."""
    return _dense


@pytest.fixture(scope="session")
def binary() -> Callable[..., RecurrentDiscrete]:
    """`binary(J, threshold=0.0, dtype=...)` is a layer of binary units with couplings J."""
    return _binary


class _Drawn:
    """Draws modules whose weights are Gaussian with the norm 1.5, in whole quarters if exact."""

    def __init__(self, seed: int, exact: bool, dtype: str) -> None:
        self.rng, self.exact, self.dtype = np.random.default_rng(seed), exact, dtype

    def weights(self, n_in: int, n_out: int) -> np.ndarray:
        drawn = self.rng.normal(size=(n_in, n_out)) * 1.5 / np.sqrt(n_in)
        return np.round(drawn * 4) / 4 if self.exact else drawn

    def dense(self, n_in: int, n_out: int, threshold: float | None):
        return _dense(self.weights(n_in, n_out), threshold, self.dtype)

    def binary(self, units: int) -> RecurrentDiscrete:
        J = self.weights(units, units)
        np.fill_diagonal(J, 0.5)
        return _binary(J, 0.5, self.dtype)


def _one_hidden(drawn: _Drawn) -> LayerMap:
    return LayerMap.from_dict(
        {
            1: {
                0: drawn.dense(INPUT, FIRST, 0.75),
                1: drawn.binary(FIRST),
                2: drawn.dense(LABELS, FIRST, None),
            },
            2: {1: drawn.dense(FIRST, LABELS, 1.5), 2: OutputLayer()},
        }
    )


def _two_hidden(drawn: _Drawn) -> LayerMap:
    return LayerMap.from_dict(
        {
            1: {
                0: drawn.dense(INPUT, FIRST, 0.75),
                1: drawn.binary(FIRST),
                2: drawn.dense(SECOND, FIRST, 0.25),
                3: drawn.dense(LABELS, FIRST, None),
            },
            2: {
                1: drawn.dense(FIRST, SECOND, 0.5),
                2: drawn.binary(SECOND),
                3: drawn.dense(LABELS, SECOND, None),
            },
            3: {2: drawn.dense(SECOND, LABELS, 1.5), 3: OutputLayer()},
        }
    )


@pytest.fixture(scope="session")
def make_network() -> Callable[..., Network]:
    """Builds a network with one or two hidden layers, and a batch for it."""

    def make(
        hidden: int,
        *,
        seed: int = 0,
        batch: int = 6,
        dtype: str = "float32",
        exact: bool = True,
        orchestrator: Callable[..., AbstractOrchestrator] = SequentialOrchestrator,
    ) -> Network:
        drawn = _Drawn(seed, exact, dtype)
        lmap = {1: _one_hidden, 2: _two_hidden}[hidden](drawn)
        x, y = (
            jnp.asarray(drawn.rng.choice([-1.0, 1.0], (batch, n)), dtype) for n in (INPUT, LABELS)
        )
        state = SequentialState((INPUT, *(FIRST, SECOND)[:hidden], LABELS), dtype=dtype)
        return Network(orchestrator(layers=lmap), state, _array(x, dtype), _array(y, dtype))

    return make


@pytest.fixture(scope="session")
def one_hidden(make_network: Callable[..., Network]) -> Network:
    """An exact network 5-7-3 with recurrence and frozen label feedback."""
    return make_network(1)


@pytest.fixture(scope="session")
def two_hidden(make_network: Callable[..., Network]) -> Network:
    """An exact network 5-7-6-3 in which the second hidden layer and the labels talk back."""
    return make_network(2)


@pytest.fixture(scope="session", params=["one_hidden", "two_hidden"])
def network(request: pytest.FixtureRequest) -> Network:
    """Both networks, one after the other."""
    return request.getfixturevalue(request.param)


@final
class NoisyAdapter(AbstractAdapter):
    """Adds fresh Gaussian noise to what it carries; only the tests have it."""

    W: Array
    sender_shape: tuple[int, ...] = eqx.field(static=True)
    receiver_shape: tuple[int, ...] = eqx.field(static=True)
    needs_key: ClassVar[bool] = True

    def __init__(self, in_features: int, out_features: int) -> None:
        self.W = jnp.zeros((in_features, out_features))
        self.sender_shape, self.receiver_shape = (in_features,), (out_features,)

    def __call__(self, x: Array, rng: Array | None = None) -> Array:
        message = x @ self.W
        return message + jax.random.normal(rng, message.shape, message.dtype)

    def trained(self) -> dict[str, bool | Array]:
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        return {}


@pytest.fixture(scope="session")
def noisy(one_hidden: Network) -> Network:
    """The network with one hidden layer, which hears nothing but noise from its input."""
    rows = one_hidden.orchestrator.lmap.to_dict()
    rows[1][0] = NoisyAdapter(INPUT, FIRST)
    orchestrator = SequentialOrchestrator(layers=LayerMap.from_dict(rows))
    return one_hidden._replace(orchestrator=orchestrator)


@pytest.fixture(scope="session")
def same_bits() -> Callable[[object, object], None]:
    """Asserts that two trees have one structure and that their arrays agree in each bit."""

    def check(found: object, expected: object) -> None:
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert (left.shape, left.dtype) == (right.shape, right.dtype)
            assert np.array_equal(left, right), f"{left}\nis not\n{right}"

    return check


@pytest.fixture(scope="session")
def says() -> Callable[..., object]:
    """`with says(ValueError, "the sentence"):` the block must raise it with these words."""

    def expect(kind: type[Exception], sentence: str) -> object:
        return pytest.raises(kind, match=re.escape(sentence))

    return expect
