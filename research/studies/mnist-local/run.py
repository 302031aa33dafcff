"""How far does classification-local get on MNIST, beside its frozen control?

Trains the recipe `classification-local` on all 60,000 images of MNIST, measures it on the
10,000 test images after the last epoch, and puts beside it the frozen control at equal width
and 2,000 frozen random ReLU units with a ridge readout. What the two controls have to choose
(a ridge penalty, with or without recurrence) they choose on the last 10,000 training images,
and are then solved on all 60,000. The recipe's own numbers were chosen on those images too.

    BIONET_DATA=DIR python research/studies/mnist-local/run.py [--seeds 0] [--set hidden=1000]

Appends one line per seed to results.jsonl beside this file. MNIST is looked for as
`bionet doctor` says, and downloaded otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import scipy.linalg

from bionet import datasets, zoo
from bionet.cli.settings import read_settings
from bionet.training import fit, frozen_control

RESULTS = Path(__file__).with_name("results.jsonl")
RECIPE = "classification-local"
RELU_UNITS = 2000
RIDGES = tuple(10.0**power for power in range(-1, 5))


def measure(recipe, seed: int) -> dict:
    """One line of the results: the network and its control, with a common seed."""
    chosen_on = recipe.problem(seed)  # 50,000 to train on, 10,000 to choose on
    final = recipe.replace(validation=0)
    problem = final.problem(seed)
    training = jax.random.fold_in(jax.random.key(seed), 1)
    began = time.perf_counter()
    network = fit(problem, final.build_method(), epochs=final.config.epochs, key=training)
    seconds = time.perf_counter() - began
    control = frozen_control(
        chosen_on, recipe.state(), steps=recipe.config.free, key=training, refit=problem.train
    )
    return {
        "seed": seed,
        "accuracy": network.test["accuracy"],
        "seconds": round(seconds, 1),
        "control": control.test["accuracy"],
        "control_hidden": control.hidden,
        "control_ridge": control.ridge,
        "random_relu": random_relu_ridge(seed),
        "history": [{k: v for k, v in row.items() if k != "loss"} for row in network.history],
    }


def random_relu_ridge(seed: int) -> float:
    """Test accuracy of frozen random ReLU units and a ridge readout on plain pixels."""
    splits = datasets.load("mnist")
    weights = np.random.default_rng(seed).normal(size=(784, RELU_UNITS)) / np.sqrt(784)

    def units(x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.maximum(x @ weights, 0.0), np.ones((len(x), 1))], axis=1)

    def sums(split: datasets.Split) -> tuple[np.ndarray, np.ndarray]:
        seen = units(split.x)
        return seen.T @ seen, seen.T @ datasets.one_vs_all(split.y, 10)

    def accuracy(readout: np.ndarray, split: datasets.Split) -> float:
        return float(np.mean((units(split.x) @ readout).argmax(1) == split.y))

    def solved(parts: tuple[np.ndarray, np.ndarray], ridge: float) -> np.ndarray:
        return scipy.linalg.solve(parts[0] + ridge * np.eye(len(parts[0])), parts[1])

    train, held_out = sums(splits.train), sums(splits.validation)
    ridge = max(RIDGES, key=lambda r: accuracy(solved(train, r), splits.validation))
    both = (train[0] + held_out[0], train[1] + held_out[1])
    return accuracy(solved(both, ridge), splits.test)


def main() -> None:
    """Reads the command line, measures each seed, and appends its line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    options = parser.parse_args()
    recipe = zoo.get(RECIPE).on("mnist")
    recipe = recipe.replace(**read_settings(recipe.config, options.set, RECIPE))
    config = recipe.written()
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]
    for seed in options.seeds:
        line = measure(recipe, seed)
        told = ("accuracy", "control", "random_relu", "seconds")
        print("  ".join(f"{name} {line[name]}" for name in ("seed", *told)), flush=True)
        line |= {"config": config, "config_hash": digest, "device": str(jax.devices()[0])}
        line["versions"] = {name: version(name) for name in ("bionet", "jax", "equinox", "optax")}
        line["versions"]["python"] = platform.python_version()
        with RESULTS.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
