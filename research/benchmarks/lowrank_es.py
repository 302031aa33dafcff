"""What low-rank members save against full ones: generations per second, and peak memory.

    python research/benchmarks/lowrank_es.py            needs 12 GB of free memory for the rival

Both evolve the same `eqx.nn.MLP` 784-256-10 with 4,096 antithetic members on the same batch of 64
images, made at random, by the cross-entropy. The rival is Open_ES of evosax as its users write it:
ask, the loss of each member under `vmap`, tell, all in one compiled call. Ours is `LowRankES`,
several generations per compiled call, with chunks of 256 members and of 64.

Each arm runs in a process of its own, in turns; what is compared are medians over the turns. Peak
memory is that of the whole process, the interpreter and JAX included. A line goes to
`results/lowrank_es.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import optax
from stopwatch import record

from bionet.training import LowRankES, Objective

PIXELS, HIDDEN, CLASSES = 784, 256, 10
POPULATION, BATCH, SIGMA = 4096, 64, 0.02
GENERATIONS = 5  # of ours in a call
CHUNKS = (256, 64)
RIVAL = "Open_ES"


def task() -> tuple[eqx.nn.MLP, tuple[jax.Array, jax.Array], Objective]:
    """The network, the batch and the loss of all arms."""
    keys = jax.random.split(jax.random.key(0), 3)
    model = eqx.nn.MLP(PIXELS, CLASSES, HIDDEN, 1, key=keys[0])
    x = jax.random.uniform(keys[1], (BATCH, PIXELS))
    y = jax.random.randint(keys[2], (BATCH,), 0, CLASSES)
    objective = Objective(
        lambda model, x, key: jax.vmap(model)(x),
        lambda outputs, y: optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean(),
    )
    return model, (x, y), objective


Call = Callable[[jax.Array], jax.Array]


def ours(chunk: int) -> tuple[Call, int]:
    """A call that runs some generations in place, and how many; it returns their losses."""
    model, batch, objective = task()
    method = LowRankES(
        objective, population=POPULATION, sigma=SIGMA, chunk=chunk, optimizer=optax.sgd(0.01)
    )
    arrays, static = eqx.partition(method.init(model, jax.random.key(1)), eqx.is_array)

    def step(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        after, metrics = method.step(eqx.combine(carry, static), batch, key)
        return eqx.filter(after, eqx.is_array), metrics["training_loss"]

    run = jax.jit(
        lambda arrays, key: jax.lax.scan(step, arrays, jax.random.split(key, GENERATIONS)),
        donate_argnums=0,
    )

    def call(key: jax.Array) -> jax.Array:
        nonlocal arrays
        arrays, losses = run(arrays, key)
        return losses

    return call, GENERATIONS


def rival() -> tuple[Call, int]:
    """One generation of evosax, compiled as a whole and in place."""
    from evosax.algorithms import Open_ES

    model, batch, objective = task()
    learning, static = eqx.partition(model, eqx.is_inexact_array)
    strategy = Open_ES(
        POPULATION,
        learning,
        optimizer=optax.sgd(0.01),
        std_schedule=optax.constant_schedule(SIGMA),
    )
    params = strategy.default_params
    state = strategy.init(jax.random.key(1), learning, params)

    def generation(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        asking, telling = jax.random.split(key)
        members, state = strategy.ask(asking, state, params)
        losses = jax.vmap(lambda one: objective(eqx.combine(one, static), batch, key))(members)
        state, _ = strategy.tell(telling, members, losses, state, params)
        return state, losses.mean()

    run = jax.jit(generation, donate_argnums=0)

    def call(key: jax.Array) -> jax.Array:
        nonlocal state
        state, loss = run(state, key)
        return loss[None]

    return call, 1


def alone(arm: str, calls: int) -> None:
    """Runs one arm, and prints what it took, in a process that does nothing else."""
    call, generations = rival() if arm == RIVAL else ours(int(arm))
    seconds, losses = [], []
    for number, key in enumerate(jax.random.split(jax.random.key(2), calls + 1)):
        began = time.perf_counter()
        losses += jax.block_until_ready(call(key)).tolist()
        if number:  # the first call compiles
            seconds.append((time.perf_counter() - began) / generations)
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "first_loss": losses[0]}))


def measured(arm: str, calls: int) -> dict[str, Any]:
    """What a process of its own says of an arm."""
    command = [sys.executable, __file__, "alone", "--arm", arm, "--calls", str(calls)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(rounds: int) -> None:
    """All arms in turns, and a line with their ratios."""
    arms = [RIVAL, *(str(chunk) for chunk in CHUNKS)]
    turns: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for _ in range(rounds):
        for arm in arms:
            turns[arm].append(measured(arm, 2 if arm == RIVAL else 4))
    seconds = {
        arm: statistics.median(s for turn in found for s in turn["seconds"])
        for arm, found in turns.items()
    }
    peaks = {arm: max(turn["peak_mb"] for turn in found) for arm, found in turns.items()}
    row = {
        "sizes": [PIXELS, HIDDEN, CLASSES],
        "population": POPULATION,
        "batch": BATCH,
        "rounds": rounds,
        "seconds_per_generation": seconds,
        "times_as_many_generations": {a: seconds[RIVAL] / seconds[a] for a in arms if a != RIVAL},
        "peak_mb": peaks,
        "share_of_peak": {a: peaks[a] / peaks[RIVAL] for a in arms if a != RIVAL},
        "first_loss": {arm: found[0]["first_loss"] for arm, found in turns.items()},
    }
    record("lowrank_es", row)
    for arm in arms:
        name = arm if arm == RIVAL else f"low rank, chunks of {arm}"
        print(f"{name}: {seconds[arm]:.3f} s a generation, peak memory {peaks[arm]:.0f} MB")
    for arm in arms[1:]:
        faster, less = seconds[RIVAL] / seconds[arm], peaks[RIVAL] / peaks[arm]
        print(f"chunks of {arm}: {faster:.0f} times as fast, in 1/{less:.0f} of the memory")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", default="all", choices=["all", "alone"])
    parser.add_argument("--rounds", type=int, default=3, help="processes of each arm")
    parser.add_argument("--arm", help=f"for alone: {RIVAL}, or the chunk of ours")
    parser.add_argument("--calls", type=int, default=2, help="for alone: calls that are timed")
    options = parser.parse_args()
    if options.what == "alone":
        alone(options.arm, options.calls)
    else:
        compare(options.rounds)


if __name__ == "__main__":
    main()
