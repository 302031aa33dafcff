"""Can evolution alone train a network of 200,000 weights to read handwritten digits?

    BIONET_DATA=DIR python research/studies/lowrank-es-mnist/run.py [--list] [--table] [--only ARM]

An MLP 784-256-10 with 203,530 weights is trained on MNIST by `LowRankES` with members of rank one:
nothing but the losses of its members is ever looked at. One evaluation is one member on one batch
of 64 images. Short runs choose the numbers, one change at a time, on 10,000 images that are held
out of the 60,000; the final runs train on the other 50,000 and look at the test images once, after
their last epoch. Beside it stand the frozen hidden layer of the same width, with a ridge readout
chosen on the held-out images, and backprop on the same batches.

Images are pixels in [0, 1] less the mean training image. A line is appended to results.jsonl
beside this file when a run is finished; runs that have a line are skipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import json
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax

from bionet.datasets import Splits, load
from bionet.training import (
    AbstractMethod,
    ArrayBatches,
    Examples,
    Gradient,
    LinearReadout,
    LowRankES,
    Objective,
    Problem,
    accuracy,
    fit,
    frozen_readout_control,
)

RESULTS = Path(__file__).with_name("results.jsonl")


@dataclass(frozen=True)
class Config:
    """All numbers of a run."""

    method: str = "lowrank-es"  # or backprop, frozen
    hidden: int = 256  # hidden ReLU units
    centred: bool = True  # whether the mean training image is taken off
    images: int = 50_000  # of the training images, the first so many
    batch_size: int = 64  # images per step
    epochs: int = 8  # passes over the images
    population: int = 1024  # members, so evaluations per step
    rank: int = 1  # of a member's perturbation of a matrix
    sigma: float = 0.01  # standard deviation of each perturbed weight
    rate: float = 4e-3  # of Adam at the start; falls to zero along a cosine
    chunk: int = 256  # members that exist at a time


SHORT = Config(epochs=1)
# One change at a time, judged on validation alone, at equal numbers of evaluations.
TUNING: dict[str, dict[str, Any]] = {
    "as it is": {},
    "rate 0.002": {"rate": 2e-3},
    "rate 0.008": {"rate": 8e-3},
    "sigma 0.03": {"sigma": 0.03},
    "rank 4": {"rank": 4},
    "512 members, two epochs": {"population": 512, "epochs": 2},
    "2048 members, half the images": {"population": 2048, "images": 25_000},
    "pixels as they are": {"centred": False},
}
FINAL: dict[str, Config] = {
    "low-rank ES": Config(),
    "backprop": Config(method="backprop", rate=1e-3),
    "frozen hidden layer": Config(method="frozen"),
}


@functools.cache
def images() -> Splits:
    """50,000 images to learn from, 10,000 to choose on, 10,000 to be judged by."""
    return load("mnist", validation=10_000)


def problem(config: Config, seed: int) -> Problem:
    """The images and the untrained network."""
    splits = images()
    mean = splits.train.x.mean(0) if config.centred else np.zeros(784, np.float32)
    train, validation, test = (
        Examples(part.x - mean, np.eye(10, dtype=np.float32)[part.y])
        for part in (splits.train, splits.validation, splits.test)
    )
    train = Examples(train.x[: config.images], train.y[: config.images])
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return Problem(
        model=eqx.nn.MLP(784, 10, config.hidden, depth=1, key=key),
        predict=answers,
        loss=cross_entropy,
        metric=accuracy,
        train=ArrayBatches(train, config.batch_size),
        validation=validation,
        test=test,
    )


def answers(model: eqx.nn.MLP, x: jax.Array, key: jax.Array) -> jax.Array:
    """A score per class for each image."""
    return jax.vmap(model)(x)


def cross_entropy(outputs: jax.Array, y: jax.Array) -> jax.Array:
    """The mean softmax cross-entropy."""
    return optax.softmax_cross_entropy(outputs, y).mean()


READOUT = LinearReadout(
    lambda model, x, key: jax.nn.relu(jax.vmap(model.layers[0])(x)),
    lambda model, W, b: eqx.tree_at(
        lambda m: (m.layers[1].weight, m.layers[1].bias), model, (W.T, b)
    ),
    lambda model: model.layers[1].weight.shape[::-1],
)


def method(config: Config, task: Problem) -> AbstractMethod:
    """What trains the network."""
    steps = task.train.num_batches * config.epochs
    optimizer = optax.adam(optax.cosine_decay_schedule(config.rate, steps))
    if config.method == "backprop":
        return Gradient(Objective.of(task), optimizer)
    return LowRankES(
        Objective.of(task),
        rank=config.rank,
        population=config.population,
        sigma=config.sigma,
        chunk=config.chunk,
        optimizer=optimizer,
    )


def trained(config: Config, seed: int, final: bool) -> dict[str, Any]:
    """Trains and judges one network."""
    task = problem(config, seed)
    if not final:
        task = dataclasses.replace(task, test=None)
    began = time.perf_counter()
    key = jax.random.fold_in(jax.random.key(seed), 1)
    if config.method == "frozen":
        control = frozen_readout_control(task, READOUT, key=key)
        validation, test, history, steps = control.validation, control.test, (), 0
    else:
        fitted = fit(task, method(config, task), epochs=config.epochs, key=key, progress=False)
        validation, test, history = fitted.history[-1], fitted.test, fitted.history
        steps = int(fitted.train_state.step)
    arrays = jax.tree.leaves(eqx.filter(task.model, eqx.is_array))
    each = config.population if config.method == "lowrank-es" else 1
    found = {
        "validation": validation["accuracy"],
        "steps": steps,
        "evaluations": steps * each,
        "weights": sum(leaf.size for leaf in arrays),
        "seconds": round(time.perf_counter() - began, 1),
        "history": history,
        "config": dataclasses.asdict(config),
    }
    return found | ({"test": test["accuracy"]} if final else {})


# What is run, in order.


def runs() -> list[tuple[str, int, Config, bool]]:
    """(arm, seed, config, whether it is final); finished ones are skipped."""
    tuning = [
        (f"tuning: {name}", 0, dataclasses.replace(SHORT, **changed), False)
        for name, changed in TUNING.items()
    ]
    final = [(name, seed, config, True) for name, config in FINAL.items() for seed in range(1)]
    return tuning + final


def lines() -> list[dict[str, Any]]:
    """The finished runs."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines() if line]


def table() -> str:
    """A row per run."""
    rows = ["| arm | evaluations | validation | test | seconds |", "|---|---|---|---|---|"]
    for line in lines():
        scores = [f"{100 * line[s]:.2f} %" if s in line else "" for s in ("validation", "test")]
        count = f"{line['evaluations']:,}"
        rows.append(f"| {line['arm']} | {count} | {' | '.join(scores)} | {line['seconds']:.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what has no line yet, and appends a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="ARM", help="arms that begin so")
    parser.add_argument("--list", action="store_true", help="say what is left, and stop")
    parser.add_argument("--table", action="store_true", help="print the results, and stop")
    options = parser.parse_args()
    if options.table:
        print(table())
        return
    finished = {(line["arm"], line["seed"]) for line in lines()}
    for arm, seed, config, final in runs():
        wanted = options.only is None or any(arm.startswith(name) for name in options.only)
        if not wanted or (arm, seed) in finished:
            continue
        if options.list:
            print(arm, seed)
            continue
        line: dict[str, Any] = {"arm": arm, "seed": seed, **trained(config, seed, final)}
        text = json.dumps(line["config"], sort_keys=True)
        line["config_hash"] = hashlib.sha256(text.encode()).hexdigest()[:12]
        line["device"] = str(jax.devices()[0])
        line["versions"] = {name: version(name) for name in ("bionet", "jax", "equinox", "optax")}
        line["versions"]["python"] = platform.python_version()
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        told = {name: line[name] for name in ("validation", "test", "seconds") if name in line}
        print(arm, seed, told, flush=True)


if __name__ == "__main__":
    main()
