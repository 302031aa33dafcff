"""The networks that the benchmarks train, and batches for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from bionet import (
    FrozenFullyConnected,
    FullyConnected,
    LayerMap,
    OutputLayer,
    RecurrentDiscrete,
    SequentialOrchestrator,
)
from bionet.training import AbstractMethod


def dense(inputs: int, hidden: tuple[int, ...], outputs: int) -> SequentialOrchestrator:
    """Hidden layers in a row, each coupled to itself and to both neighbours."""
    keys = iter(jax.random.split(jax.random.key(0), 4 * len(hidden) + 1))
    widths = (inputs, *hidden, outputs)
    rows: dict[int, dict[int, Any]] = {}
    last = len(widths) - 1
    for i in range(1, last):
        back = FrozenFullyConnected if i + 1 == last else FullyConnected
        rows[i] = {
            i - 1: FullyConnected(widths[i - 1], widths[i], 1.0, 0.5, next(keys)),
            i: RecurrentDiscrete(widths[i], 0.5, 0.5, next(keys)),
            i + 1: back(widths[i + 1], widths[i], 1.0, 0.5, next(keys)),
        }
    rows[last] = {
        last - 1: FullyConnected(widths[last - 1], outputs, 1.0, 0.5, next(keys)),
        last: OutputLayer(),
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


def batches(number: int, batch: int, inputs: int, outputs: int) -> tuple[jax.Array, jax.Array]:
    """So many batches of Gaussian inputs and one-of-many labels, stacked."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(number, batch, inputs))
    y = 2.0 * np.eye(outputs)[rng.integers(outputs, size=(number, batch))] - 1.0
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


class Epoch:
    """Training steps of a method over stacked batches, one compiled call, in place as in `fit`."""

    def __init__(self, method: AbstractMethod, model: Any, x: jax.Array, y: jax.Array) -> None:
        self.given = (method, x, y)
        start = method.init(model, jax.random.key(1))
        self.state = jax.tree.map(lambda a: a.copy() if eqx.is_array(a) else a, start)

    def __call__(self) -> Any:
        """One pass over the batches; goes on from where the last one ended."""
        self.state, told = run(self.given, self.state)
        return self.state.step, told

    def compiled(self) -> Any:
        """The program, for its memory."""
        return run.lower(self.given, self.state).compile().compiled


@eqx.filter_jit(donate="all-except-first")
def run(given: tuple[Any, jax.Array, jax.Array], train_state: Any) -> tuple[Any, Any]:
    """Scans a method's step over batches."""
    method, *batches = given
    arrays, static = eqx.partition(train_state, eqx.is_array)

    def step(carry: Any, batch: tuple[jax.Array, jax.Array]) -> tuple[Any, Any]:
        state, told = method.step(eqx.combine(carry, static), batch, jax.random.key(2))
        return eqx.filter(state, eqx.is_array), told

    arrays, told = jax.lax.scan(step, arrays, tuple(batches))
    return eqx.combine(arrays, static), told


def plain_step(network: Any, state: Any, phases: tuple[int, int, int]) -> Callable[..., Any]:
    """The loop of `step` calls that one writes by hand, in Python; without the learning."""
    warmup, clamped, free = phases

    def loop(x: jax.Array, y: jax.Array) -> Any:
        filled, rng = state.init(x, y), None
        for _ in range(warmup):
            filled, rng = network.step_inference(filled, rng=rng)
        for _ in range(clamped):
            filled, rng = network.step(filled, rng=rng)
        for _ in range(free):
            filled, rng = network.step_inference(filled, rng=rng)
        return network.backward(filled, rng)

    return loop
