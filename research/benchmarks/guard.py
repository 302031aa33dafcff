"""Fails where a ratio of speeds has fallen below its floor: what a change must not make slower.

    python research/benchmarks/guard.py            a minute on two cores
    python research/benchmarks/guard.py --print    the ratios alone; fails never

Each ratio is of medians inside this run, in turns, so that a shared or a slow machine changes it
little. The floors are in `floors.toml`, each well below what was measured, with that number beside
it. Whoever makes something faster raises its floor.
"""

from __future__ import annotations

import functools
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import networks
import optax
from stopwatch import in_turns, medians
from training_step import Textbook

from bionet import SequentialState, zoo
from bionet.training import TwoPhase

FLOORS = Path(__file__).with_name("floors.toml")
ROUNDS = 15


def step_against_textbook() -> float:
    """Returns the time of a textbook's compiled step over that of ours, on a small network."""
    sizes, phases, optimizer = (100, 100, 10), (0, 10, 10), optax.adam(5e-3)
    x, y = networks.batches(40, 16, sizes[0], sizes[2])
    model = networks.dense(sizes[0], (sizes[1],), sizes[2])
    method = TwoPhase(
        SequentialState(sizes), optimizer=optimizer, clamped=10, free=10, early_stop=False
    )
    ours = networks.Epoch(method, model, x, y)
    other = Textbook(model, optimizer, phases, x, y)
    found = medians(in_turns({"ours": ours, "textbook": other}, ROUNDS))
    return found["textbook"] / found["ours"]


def early_stop() -> float:
    """Returns the time of a step without the early stop over that with it, on a trained network."""
    recipe = zoo.get("prototypes-local")
    problem, method = recipe.problem(seed=0), recipe.build_method()
    order = problem.train.plan(jax.random.key(0))
    drawn = [problem.train.batch(order, i) for i in range(60)]
    x, y = (jnp.stack(part) for part in zip(*drawn, strict=True))
    arms: dict[str, Any] = {}
    for early in (True, False):
        timed = TwoPhase(
            method.state,
            optimizer=method.optimizer,
            warmup=method.warmup,
            clamped=method.clamped,
            free=method.free,
            edge_rates=method.scales.rates,
            early_stop=early,
        )
        arms[str(early)] = networks.Epoch(timed, problem.model, x, y)
        for _ in range(5):
            arms[str(early)]()
    found = medians(in_turns(arms, ROUNDS))
    return found["False"] / found["True"]


def low_rank_noise() -> float:
    """Returns the time of a generation with full noise over that with noise of rank one."""
    recipe = zoo.get("classification-lowrank-es").on("mnist").replace(population=32)
    batch, key, arms = recipe.synthetic_batch(), jax.random.key(1), {}
    for name, chosen in {"low": recipe, "full": recipe.switch("es", {"population": 32})}.items():
        method = chosen.build_method()
        state = method.init(chosen.build(), key)
        step = eqx.filter_jit(method.step)
        arms[name] = functools.partial(lambda step, state: step(state, batch, key)[1], step, state)
    found = medians(in_turns(arms, ROUNDS))
    return found["full"] / found["low"]


RATIOS: dict[str, Callable[[], float]] = {
    "step_against_textbook": step_against_textbook,
    "early_stop": early_stop,
    "low_rank_noise": low_rank_noise,
}


def main(words: list[str]) -> int:
    """Prints the ratios, and returns how many lie below their floors."""
    floors = tomllib.loads(FLOORS.read_text("utf-8"))
    fallen = 0
    for name, measure in RATIOS.items():
        ratio, floor = measure(), floors[name]
        slow = ratio < floor
        fallen += slow
        print(f"{name}: {ratio:.2f}, floor {floor}{': BELOW IT' if slow else ''}", flush=True)
    return 0 if "--print" in words else fallen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
