"""What real sparsity saves, against dense matrices with masks, and how far it goes.

    python research/benchmarks/sparse.py             all of it, some minutes on two cores
    python research/benchmarks/sparse.py speed       one of: speed, layout, growth

`speed` trains 784-2000-10 with 90 % of the input couplings and 99 % of the recurrent ones
missing, batch 16, 1 + 5 + 5 steps, plain SGD, in three ways: with bionet's sparse modules
through `TwoPhase`; with dense arrays and masks, `x @ (W * mask)`, as one writes it first; and
with dense arrays that are kept at zero where nothing is, so that only what is learned is
masked. All are compiled whole and update their weights in place. They take turns inside one
run, and the numbers are medians. That they learn the same is checked first.

`layout` times the two products of a sparse module, each alone, in the layouts that one might
choose instead. `growth` trains networks with 50 connections per unit and up to 20,000 hidden
units, each in a process of its own, for its peak memory and for how its time per step grows.

A line of JSON per measurement is added to `research/benchmarks/results/sparse.jsonl`.
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bionet import (
    FrozenFullyConnected,
    FullyConnected,
    LayerMap,
    OutputLayer,
    SequentialOrchestrator,
    SequentialState,
    SparseFullyConnected,
    SparseRecurrentDiscrete,
    TwoPhase,
)

PIXELS, CLASSES, BATCH, PHASES = 784, 10, 16, (1, 5, 5)
RATES = {(1, 0): 0.159, (1, 1): 0.058, (2, 1): 0.17}
GROWTH = (2_500, 5_000, 10_000, 20_000)
RESULTS = Path(__file__).parent / "results" / "sparse.jsonl"

Step = Callable[[Any, Any, Any, Any], Any]


def network(hidden: int, of_input: dict, of_hidden: dict) -> SequentialOrchestrator:
    """The published MNIST set-up, with so many connections per hidden unit."""
    k = jax.random.split(jax.random.key(0), 4)
    rows = {
        1: {
            0: SparseFullyConnected(PIXELS, hidden, 5.0, 1.78, k[0], **of_input),
            1: SparseRecurrentDiscrete(hidden, 0.95, 1.78, k[1], **of_hidden),
            2: FrozenFullyConnected(CLASSES, hidden, 1.3, 0.0, k[2]),
        },
        2: {1: FullyConnected(hidden, CLASSES, 5.0, 7.0, k[3]), 2: OutputLayer()},
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


def batches(number: int) -> list[tuple[jax.Array, jax.Array]]:
    """Images with a fifth of the pixels lit, and one label of ten each, as signs."""
    rng = np.random.default_rng(0)
    lit = rng.random((number, BATCH, PIXELS)) * (rng.random((number, BATCH, PIXELS)) < 0.2)
    labels = 2.0 * np.eye(CLASSES)[rng.integers(CLASSES, size=(number, BATCH))] - 1.0
    return [(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)) for x, y in zip(lit, labels)]


# bionet's step, and the same with dense matrices.


def sparse_step(hidden: int) -> tuple[TwoPhase, Step]:
    """The method, and its training step `(train_state, x, y, key) -> train_state`."""
    warmup, clamped, free = PHASES
    method = TwoPhase(
        SequentialState((PIXELS, hidden, CLASSES)),
        optimizer=optax.sgd(1.0),
        warmup=warmup,
        clamped=clamped,
        free=free,
        edge_rates=RATES,
        early_stop=False,  # the other arms take all their steps too
    )
    return method, lambda train_state, x, y, key: method.step(train_state, (x, y), key)[0]


def dense_parameters(model: SequentialOrchestrator) -> dict[str, jax.Array]:
    """The same network as dense matrices, and a mask beside each sparse one."""
    lmap = model.lmap
    W, J = lmap[1, 0].to_dense(), lmap[1, 1].to_dense()
    couplings = J - jnp.diag(jnp.diag(J))
    kept = {"W": W, "W_mask": W != 0, "J": couplings, "J_mask": couplings != 0}
    kept = {name: leaf.astype(jnp.float32) for name, leaf in kept.items()}
    readout = {
        "j_d": lmap[1, 1].j_d.copy(),
        "back": lmap[1, 2].W.copy(),
        "out": lmap[2, 1].W.copy(),
    }
    return kept | readout


def masked_step(masked_products: bool, fan_in: tuple[int, int, int]) -> Step:
    """The textbook step on dense arrays; the masks enter each product, or none of them."""

    def message(p: dict, name: str, x: jax.Array) -> jax.Array:
        return x @ (p[name] * p[f"{name}_mask"] if masked_products else p[name])

    def field(p: dict, x: jax.Array, h: jax.Array) -> jax.Array:
        return message(p, "W", x) + message(p, "J", h) + h * p["j_d"]

    def settled(p: dict, x: jax.Array, h: jax.Array, y: jax.Array) -> jax.Array:
        def body(h: jax.Array, labelled: bool) -> tuple[jax.Array, None]:
            total = field(p, x, h) + (y @ p["back"] if labelled else 0.0)
            return jnp.where(total >= 0, 1.0, -1.0), None

        for steps, labelled in zip(PHASES, (False, True, False), strict=True):
            h, _ = jax.lax.scan(lambda h, _, on=labelled: body(h, on), h, length=steps)
        return h

    def increment(x: jax.Array, y: jax.Array, y_hat: jax.Array, threshold: float, fan_in: int):
        wrong = jnp.where(y * y_hat <= threshold, y, 0.0)
        return x.T @ wrong / math.sqrt(len(x) * fan_in)

    def step(p: dict, x: jax.Array, y: jax.Array, key: jax.Array) -> dict:
        h = settled(p, x, jnp.zeros((len(x), p["J"].shape[0])), y)
        score = field(p, x, h)
        moved = {
            "W": RATES[1, 0] * increment(x, h, score, 1.78, fan_in[0]) * p["W_mask"],
            "J": RATES[1, 1] * increment(h, h, score, 1.78, fan_in[1]) * p["J_mask"],
            "out": RATES[2, 1] * increment(h, y, h @ p["out"], 7.0, fan_in[2]),
        }
        return p | {name: p[name] + change for name, change in moved.items()}

    return step


# Measuring.


def in_place(step: Step, start: Any, data: tuple) -> tuple[Any, dict[str, float]]:
    """The step compiled with its first argument donated, and what compiling and it cost."""
    began = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=0).lower(start, *data, jax.random.key(0)).compile()
    seconds = time.perf_counter() - began
    return compiled, {
        "compile_seconds": seconds,
        "temporary_bytes": compiled.memory_analysis().temp_size_in_bytes,
    }


def alternating(arms: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds per call of each arm, in `rounds` turns after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(rounds + 1):
        for name, call in arms.items():
            began = time.perf_counter()
            jax.block_until_ready(call())
            if turn:
                times[name].append(time.perf_counter() - began)
    return times


def training(compiled: Any, start: Any, data: list, calls: int) -> Callable[[], Any]:
    """A function that trains for `calls` further steps each time it is called."""
    kept, turn, key = [start], itertools.cycle(data), jax.random.key(1)

    def call() -> Any:
        for _ in range(calls):
            kept[0] = compiled(kept[0], *next(turn), key)
        return kept[0]

    return call


def bytes_of(tree: Any) -> int:
    """The memory of all arrays of a tree."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def same_learning(model: SequentialOrchestrator, arms: dict[str, Any], data: tuple) -> float:
    """The share of dense entries in which one step of the arms leads to the same weights."""
    key, (method, step) = jax.random.key(1), sparse_step(model.lmap[1, 1].J.shape[0])
    ours = dense_parameters(jax.jit(step)(method.init(model, key), *data, key).model)
    shares = []
    for one in arms.values():
        theirs = jax.jit(one)(dense_parameters(model), *data, key)
        shares += [
            float(jnp.isclose(theirs[k], ours[k], atol=1e-5).mean()) for k in ("W", "J", "out")
        ]
    return min(shares)


def speed(rounds: int) -> Iterable[dict]:
    """Time per training step and memory of the sparse modules and of dense masks."""
    model = network(2000, {"sparsity": 0.9}, {"sparsity": 0.99})
    data, dense = batches(8), dense_parameters(model)
    fan_in = model.lmap[1, 0].fan_in, model.lmap[1, 1].fan_in, 2000
    reference = {
        "masks in products": masked_step(True, fan_in),
        "masks in learning": masked_step(False, fan_in),
    }
    agreement = same_learning(model, reference, data[0])
    if agreement < 0.999:
        raise RuntimeError(f"The arms do not learn the same: only {agreement:.4f} of the weights.")
    method, step = sparse_step(2000)
    starts = {"sparse": method.init(model, jax.random.key(0))} | {
        name: jax.tree.map(jnp.copy, dense) for name in reference
    }
    memory = {name: bytes_of(start) for name, start in starts.items()}
    programs = {
        name: in_place(one, starts[name], data[0])
        for name, one in ({"sparse": step} | reference).items()
    }
    arms = {
        name: training(programs[name][0], starts[name], data, 25 if name == "sparse" else 3)
        for name in starts
    }
    times = alternating(arms, rounds)
    for name, seconds in times.items():
        calls = 25 if name == "sparse" else 3
        yield {
            "measured": "speed",
            "arm": name,
            "seconds_per_step": statistics.median(seconds) / calls,
            "fastest_seconds_per_step": min(seconds) / calls,
            "times_as_fast": ratio(seconds, times["sparse"], calls / 25),
            "weight_bytes": memory[name],
            "sparse_share_of_weights": memory["sparse"] / memory[name],
            "agreement": agreement,
            **programs[name][1],
        }


def ratio(seconds: list[float], ours: list[float], share: float) -> float:
    """The median over turns of their time per step by ours."""
    return statistics.median(a / b for a, b in zip(seconds, ours, strict=True)) / share


if __name__ == "__main__":
    for row in speed(int(sys.argv[1])):
        print({k: (round(v, 6) if isinstance(v, float) else v) for k, v in row.items()})
