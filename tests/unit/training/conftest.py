"""A small task for a binary network, and methods that count what `fit` does with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from bionet.training.batches import ArrayBatches, Examples
from bionet.training.local.readout import FreeReadout, ReadoutHinge, accuracy
from bionet.training.local.two_phase import TwoPhase
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.problem import Problem

TRAIN, BATCH, VALIDATION, TEST = 40, 8, 13, 11


@final
class Sgd(AbstractMethod):
    """Gradient descent on the squared error of any model that maps one sample to one answer.

    Methods of one name share their compiled code; `traces[name]` counts how often Python ran
    through `step`.
    """

    rate: Array
    name: str = eqx.field(static=True)
    spec: ClassVar[MethodSpec] = MethodSpec("sgd", "first-order", "Descend the squared error.")
    traces: ClassVar[Counter[str]] = Counter()

    def __init__(self, rate: float, name: str = "shared") -> None:
        self.rate, self.name = jnp.asarray(rate, jnp.float32), name

    def init(self, model, key):
        return TrainState(model, None, jnp.asarray(0, jnp.int32))

    def step(self, train_state, batch, key):
        self.traces[self.name] += 1
        x, y = batch

        @eqx.filter_value_and_grad
        def error(model):
            return jnp.mean((jax.vmap(model)(x) - y) ** 2)

        value, gradient = error(train_state.model)
        updates = jax.tree.map(lambda leaf: -self.rate * leaf, gradient)
        model = eqx.apply_updates(train_state.model, updates)
        return TrainState(model, None, train_state.step + 1), {"error": value}

    def finish(self, train_state):
        return train_state.model


@final
class Tally(AbstractMethod):
    """Learns nothing: counts how often each example came (they are their own numbers)."""

    spec: ClassVar[MethodSpec] = MethodSpec("tally", "control", "Count the examples.")

    def init(self, model, key):
        return TrainState(model, None, jnp.asarray(0, jnp.int32))

    def step(self, train_state, batch, key):
        seen, (numbers, _) = train_state.model, batch
        model = {"seen": seen["seen"].at[numbers].add(1), "steps": seen["steps"] + 1}
        return TrainState(model, None, train_state.step + 1), {"mean number": numbers.mean()}

    def finish(self, train_state):
        return train_state.model | {"finished": jnp.asarray(True)}


@pytest.fixture(scope="session")
def sgd() -> type[Sgd]:
    return Sgd


@pytest.fixture(scope="session")
def tally() -> Tally:
    return Tally()


def _steps(model, x, key):
    return jnp.full(len(x), model["steps"])


@pytest.fixture(scope="session")
def counted() -> Callable[..., Problem]:
    """`counted(n, batch_size)`: n examples to be counted, and validation scores from a list."""

    def make(n: int = 10, batch_size: int = 4, scores: tuple[float, ...] = (), **options):
        table = jnp.asarray(scores or (0.0,), jnp.float32)
        held_out = Examples(jnp.zeros(3), jnp.zeros(3)) if scores else None
        return Problem(
            model={"seen": jnp.zeros(n, jnp.int32), "steps": jnp.asarray(0, jnp.int32)},
            predict=_steps,
            loss=lambda outputs, y: -table[outputs[0]],
            metric=lambda outputs, y: table[outputs[0]],
            train=ArrayBatches(Examples(jnp.arange(n), jnp.zeros(n)), batch_size, **options),
            validation=held_out,
        )

    return make


def _answers(model, x, key):
    return jax.vmap(model)(x)


def _squares(outputs, y):
    return jnp.mean((outputs - y) ** 2)


def _right_signs(outputs, y):
    return jnp.mean(jnp.sign(outputs) == y)


@pytest.fixture(scope="session")
def mlp_problem() -> Callable[..., Problem]:
    """The sign of a product of two numbers, for a perceptron with one hidden layer."""

    def make(seed: int = 0, n: int = 64) -> Problem:
        rng = np.random.default_rng(seed)
        x = rng.uniform(0.2, 1.0, (n + 40, 2)) * rng.choice([-1, 1], (n + 40, 2))
        x, y = jnp.asarray(x, jnp.float32), jnp.asarray(np.sign(x[:, :1] * x[:, 1:]), jnp.float32)
        return Problem(
            model=eqx.nn.MLP(2, 1, 16, 1, key=jax.random.key(seed)),
            predict=_answers,
            loss=_squares,
            metric=_right_signs,
            train=ArrayBatches(Examples(x[:n], y[:n]), 16),
            validation=Examples(x[n:-20], y[n:-20]),
            test=Examples(x[-20:], y[-20:]),
        )

    return make


@pytest.fixture(scope="session")
def labelled() -> Callable[..., tuple[Array, Array]]:
    """`labelled(n, seed)`: signs of five inputs, and the class of three that fits them best."""

    def make(n: int, seed: int = 0) -> tuple[Array, Array]:
        rng = np.random.default_rng(seed)
        teacher = np.random.default_rng(1).normal(size=(5, 3))
        x = rng.choice([-1.0, 1.0], (n, 5))
        y = 2.0 * np.eye(3)[(x @ teacher).argmax(1)] - 1.0
        return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)

    return make


@pytest.fixture(scope="session")
def task(make_network, labelled) -> Callable[..., Problem]:
    """`task(hidden=1)`: a classification for the small binary networks of the tests."""
    loss = ReadoutHinge(1.5)

    def make(hidden: int = 1, seed: int = 0, steps: int = 3) -> Problem:
        network = make_network(hidden, seed=seed)
        splits = (labelled(n, seed + k) for k, n in enumerate((TRAIN, VALIDATION, TEST)))
        train, validation, test = (Examples(*split) for split in splits)
        return Problem(
            model=network.orchestrator,
            predict=FreeReadout(network.state, steps),
            loss=loss,
            metric=accuracy,
            train=ArrayBatches(train, BATCH),
            validation=validation,
            test=test,
        )

    return make


@pytest.fixture(scope="session")
def two_phase(one_hidden) -> TwoPhase:
    """Two-phase dynamics with Adam for the network with one hidden layer; compiled once."""
    return TwoPhase(one_hidden.state, optimizer=optax.adam(0.05), clamped=3, free=3)


@pytest.fixture(scope="session")
def without_seconds() -> Callable[..., list[dict[str, float]]]:
    """The rows of a history without the one number that no two runs share."""

    def strip(history) -> list[dict[str, float]]:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in history]

    return strip


def _bits(tree):
    def plain(leaf):
        return (
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )

    arrays = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
    return [(str(a.dtype), a.shape, np.asarray(plain(a)).tobytes()) for a in arrays]


@pytest.fixture(scope="session")
def bits() -> Callable[[object], list[tuple]]:
    """Each array of a tree as its dtype, its shape and its bytes."""
    return _bits


@pytest.fixture(scope="session")
def on_disk() -> Callable[[str | Path], list[str]]:
    """The names in a directory."""
    return lambda directory: sorted(path.name for path in Path(directory).iterdir())
