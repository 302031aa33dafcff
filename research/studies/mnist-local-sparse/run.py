"""What does the local rule need to reach 98 % on MNIST with sparse binary units?

Trains the recipe `classification-local-sparse` and what stands beside it: the published
set-up, the frozen controls, backprop with as many trained weights, and one change at a time.
README.md says what was fixed before the run, and how each number is made.

    BIONET_DATA=DIR python research/studies/mnist-local-sparse/run.py [--list] [--table]

Every arm trains on the first 50,000 training images; the other 10,000 are for choices (one arm
adds them at the end, where its name says so). Tuning and short arms never look at the test
images, the others once, after their last epoch. A line is appended to
results.jsonl beside this file when a run is finished; runs that have a line are skipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg

from bionet import zoo
from bionet.datasets import Split, Splits
from bionet.kernels.gathers import gather_outer, gather_product
from bionet.orchestrators.settle import settle
from bionet.training import ArrayBatches, Examples, evaluate, fit
from bionet.zoo.recipes.classification_local_sparse import PUBLISHED

RESULTS = Path(__file__).with_name("results.jsonl")
RECIPE = zoo.get("classification-local-sparse").on("mnist")
RIDGES = tuple(10.0**power for power in range(6))
RATES = (3e-4, 1e-3, 3e-3, 1e-2)  # of Adam; the best on validation, seed 0, is taken
MLP_UNITS = 272  # 216,250 trained numbers; the local network has 216,000, and its feedback 20,000
EPOCHS, BATCH = 10, 64

# The local arms: name -> fields of the recipe that differ from its preset for MNIST.
LOCAL: dict[str, dict[str, Any]] = {
    "best": {},
    "published": PUBLISHED,
    "published, no label feedback": {**PUBLISHED, "strength_back": 0.0},
}
# One change at a time, on 20,000 images for 5 epochs, judged on validation alone.
SHORT: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no gate": {"gate": None},
    "feedback stays random": {"rate_back": 0.0},
    "no kick (readout alone learns to any use)": {"strength_back": 0.0},
    "hidden weights do not learn": {"rate_in": 0.0, "rate_recurrent": 0.0},
    "senders from the whole image": {"window": 28},
    "no recurrence": {"rate_recurrent": 0.0},
    "published recurrence (strength 1, j_d 0.95)": {"strength_recurrent": 1.0, "j_d": 0.95},
    "kick twice as hard": {"strength_back": 2.0},
    "raw pixels in [0, 1]": {"dark": 0.0, "gain": 1.0},
    "constant rates": {"schedule": "constant"},
}
CONTROLS = ("binary, no recurrence", "binary, dynamics", "ReLU, same wiring", "ReLU, dense")


# Local arms: the recipe, trained by `fit`.


def local(fields: dict[str, Any], seed: int, *, images: int, epochs: int, test: bool) -> dict:
    """Trains the recipe with other fields, and judges it after the last epoch."""
    recipe = RECIPE.replace(**fields)
    # The rates fall to zero over the steps that are taken, however many images there are.
    recipe = recipe.replace(epochs=epochs, validation=60_000 - images)
    config: Any = recipe.config
    splits = _splits(config)
    problem = recipe.problem(seed, splits)
    told_of = problem.train.examples
    if images > len(told_of):  # a final run learns from the validation images too
        held = problem.validation
        told_of = Examples(
            *(jnp.concatenate(p) for p in ((told_of.x, held.x), (told_of.y, held.y)))
        )
    first = Examples(told_of.x[:images], told_of.y[:images])
    training = replace(
        problem, train=ArrayBatches(first, config.batch_size), validation=None, test=None
    )
    key = jax.random.fold_in(jax.random.key(seed), 1)
    began = time.perf_counter()
    fitted = fit(training, recipe.build_method(), epochs=epochs, key=key, progress=False)
    seconds = time.perf_counter() - began
    told = {
        "training": evaluate(problem, fitted.model, first, key)["accuracy"],
        "images": images,
        "seconds": round(seconds, 1),
        "history": fitted.history,
        "config": dataclasses.asdict(config),
    }
    if images <= 50_000:
        judged = evaluate(problem, fitted.model, problem.validation, key)
        told["validation"] = judged["accuracy"]
    if test:
        told["test"] = evaluate(problem, fitted.model, problem.test, key)["accuracy"]
    return told


def _splits(config: Any) -> Splits:
    """50,000 images to train on and 10,000 to choose on, for every arm."""
    held_out = dataclasses.replace(config, validation=10_000)
    return RECIPE.data(held_out, 0)


# Controls: a frozen hidden layer, and a ridge readout with a bias, chosen on validation.


def control(kind: str, seed: int) -> dict:
    """Test accuracy of the best ridge readout on frozen units."""
    began = time.perf_counter()
    recipe = RECIPE
    if kind == "binary, dynamics":
        recipe = RECIPE.replace(strength_recurrent=1.0, j_d=0.95)
    splits = _splits(recipe.config)
    units = jax.jit(_units(kind, recipe, seed))
    codes = [_coded(units, part) for part in (splits.train, splits.validation, splits.test)]
    train, held, test = codes
    labels = 2.0 * np.eye(10, dtype=np.float32)[splits.train.y] - 1.0
    mean, bias = train.mean(0), labels.mean(0)
    train -= mean
    squares, products = train.T @ train, train.T @ labels

    def judged(ridge: float) -> dict[str, float]:
        weights = scipy.linalg.solve(
            squares + ridge * np.eye(len(squares), dtype=np.float32), products, assume_a="pos"
        )
        return {
            name: float((((code - mean) @ weights + bias).argmax(1) == part.y).mean())
            for name, code, part in (
                ("validation", held, splits.validation),
                ("test", test, splits.test),
            )
        }

    scores = {ridge: judged(ridge) for ridge in RIDGES}
    best = max(RIDGES, key=lambda ridge: scores[ridge]["validation"])
    seconds = round(time.perf_counter() - began, 1)
    return {**scores[best], "ridge": best, "seconds": seconds}


def _units(kind: str, recipe: Any, seed: int) -> Callable:
    """What the readout sees of a batch of images."""
    model = recipe.problem(seed, _tiny()).model
    image, dense = model.lmap[1, 0], jax.random.normal(jax.random.key(seed), (784, 2000)) / 28

    def binary(x: jax.Array) -> jax.Array:
        state, _ = settle(model, recipe.state().init(x), max_steps=5, phase="free")
        return state[1]

    return {
        "binary, no recurrence": lambda x: jnp.where(image(x) >= 0, 1.0, -1.0),
        "binary, dynamics": binary,
        "ReLU, same wiring": lambda x: jnp.maximum(image(x), 0.0),
        "ReLU, dense": lambda x: jnp.maximum(x @ dense, 0.0),
    }[kind]


def _tiny() -> Splits:
    """A placeholder: the network of a seed does not depend on the data."""
    parts = [Split(np.full((64, 784), i, np.float32), np.zeros(64, np.int32)) for i in range(3)]
    return Splits(*parts, name="mnist", num_classes=10)


def _coded(units: Callable, part: Split) -> np.ndarray:
    return np.concatenate(
        [np.array(units(part.x[i : i + 1000])) for i in range(0, len(part), 1000)]
    )


# Backprop: plain Optax on the softmax cross-entropy.


@jax.custom_vjp
def wired(x: jax.Array, indices: jax.Array, W: jax.Array) -> jax.Array:
    """The sparse message, with the gradient of its weights; the input needs none."""
    return gather_product(x, indices, W)


wired.defvjp(
    lambda x, indices, W: (gather_product(x, indices, W), (x, indices)),
    lambda kept, g: (None, None, gather_outer(*kept, g)),
)


def backprop(kind: str, seed: int, rate: float, test: bool) -> dict:
    """Adam with a cosine to zero, on the same images, batches and epochs as the best arm."""
    splits = _splits(RECIPE.config)
    model = RECIPE.problem(seed, _tiny()).model
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 2), 3)
    if kind == "MLP":
        indices, first = None, jax.random.normal(keys[0], (784, MLP_UNITS)) * (2 / 784) ** 0.5
        units = MLP_UNITS
    else:
        edge = model.lmap[1, 0]
        indices, first = edge.indices, edge.W * 2**0.5
        units = RECIPE.config.hidden
    weights = {
        "W": first,
        "b": jnp.zeros(units),
        "V": jax.random.normal(keys[1], (units, 10)) * (1 / units) ** 0.5,
        "c": jnp.zeros(10),
    }

    def scores(p: dict, x: jax.Array) -> jax.Array:
        field = x @ p["W"] if indices is None else wired(x, indices, p["W"])
        return jax.nn.relu(field + p["b"]) @ p["V"] + p["c"]

    def loss(p: dict, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(scores(p, x), y).mean()

    steps = len(splits.train) // BATCH
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps * EPOCHS))
    X, Y = jnp.asarray(splits.train.x), jnp.asarray(splits.train.y)

    @jax.jit
    def epoch(p: dict, memory: Any, order: jax.Array) -> tuple:
        def step(carry: tuple, rows: jax.Array) -> tuple:
            p, memory = carry
            updates, memory = optimizer.update(jax.grad(loss)(p, X[rows], Y[rows]), memory, p)
            return (optax.apply_updates(p, updates), memory), None

        return jax.lax.scan(step, (p, memory), order)[0]

    began, memory = time.perf_counter(), optimizer.init(weights)
    for key in jax.random.split(keys[2], EPOCHS):
        order = jax.random.permutation(key, len(X))[: steps * BATCH].reshape(steps, BATCH)
        weights, memory = epoch(weights, memory, order)
    jax.block_until_ready(weights)
    seconds = round(time.perf_counter() - began, 1)
    answer = jax.jit(partial(scores, weights))

    def accuracy(part: Split) -> float:
        return float((_coded(answer, part).argmax(1) == part.y).mean())

    told = {"validation": accuracy(splits.validation), "rate": rate, "seconds": seconds}
    told["trained"] = sum(leaf.size for leaf in jax.tree.leaves(weights))
    return {**told, "test": accuracy(splits.test)} if test else told


# What is run, in order of priority.


def runs() -> list[tuple[str, int, Callable[[], dict]]]:
    """(arm, seed, how): finished ones are skipped."""
    full = {"images": 50_000, "epochs": EPOCHS, "test": True}
    twenty = {"images": 50_000, "epochs": 20, "test": True}
    listed: list[tuple[str, int, Callable[[], dict]]] = []

    def add(arm: str, seeds: range, make: Callable[[int], dict]) -> None:
        listed.extend((arm, seed, partial(make, seed)) for seed in seeds)

    add("best", range(2), lambda seed: local(LOCAL["best"], seed, **full))
    for rate in RATES:
        add(
            f"tuning: backprop MLP, Adam {rate:g}",
            range(1),
            lambda seed, rate=rate: backprop("MLP", seed, rate, test=False),
        )
    add("backprop MLP", range(5), lambda seed: backprop("MLP", seed, adam_rate(), test=True))
    add("best", range(2, 5), lambda seed: local(LOCAL["best"], seed, **full))
    for kind in CONTROLS:
        add(f"control: {kind}", range(2), lambda seed, kind=kind: control(kind, seed))
    add("backprop sparse", range(2), lambda seed: backprop("sparse", seed, adam_rate(), test=True))
    add("published", range(1), lambda seed: local(LOCAL["published"], seed, **twenty))
    whole = {"images": 60_000, "epochs": EPOCHS, "test": True}
    add("best, 60,000 images", range(1), lambda seed: local(LOCAL["best"], seed, **whole))
    for kind in CONTROLS:
        add(f"control: {kind}", range(2, 5), lambda seed, kind=kind: control(kind, seed))
    add(
        "backprop sparse",
        range(2, 5),
        lambda seed: backprop("sparse", seed, adam_rate(), test=True),
    )
    silent = "published, no label feedback"
    for seed in range(3):
        for name, fields in SHORT.items():
            add(
                f"short: {name}",
                range(seed, seed + 1),
                lambda seed, fields=fields: local(
                    fields, seed, images=20_000, epochs=5, test=False
                ),
            )
    add(silent, range(1), lambda seed: local(LOCAL[silent], seed, **twenty))
    add("published", range(1, 5), lambda seed: local(LOCAL["published"], seed, **twenty))
    add(silent, range(1, 5), lambda seed: local(LOCAL[silent], seed, **twenty))
    return listed


def lines() -> list[dict]:
    """The finished runs."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines() if line]


def finished() -> set[tuple[str, int]]:
    """The runs that have a line."""
    return {(line["arm"], line["seed"]) for line in lines()}


def adam_rate() -> float:
    """The rate of the MLP that was best on validation; the sparse network takes it as it is."""
    tried = [line for line in lines() if line["arm"].startswith("tuning: backprop MLP")]
    return max(tried, key=lambda line: line["validation"])["rate"]


def table() -> str:
    """Means over seeds with 95 % bootstrap intervals, an arm per row."""
    rows = ["| arm | seeds | validation | test | seconds |", "|---|---|---|---|---|"]
    for arm in dict.fromkeys(line["arm"] for line in lines()):
        runs = [line for line in lines() if line["arm"] == arm]
        scores = [_interval([r[s] for r in runs if s in r]) for s in ("validation", "test")]
        seconds = np.median([run["seconds"] for run in runs])
        rows.append(f"| {arm} | {len(runs)} | {scores[0]} | {scores[1]} | {seconds:.0f} |")
    return "\n".join(rows)


def _interval(values: list[float]) -> str:
    if not values:
        return ""
    drawn = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    between = f" [{100 * low:.2f}, {100 * high:.2f}]" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.2f} %{between}"


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
    for arm, seed, make in runs():
        wanted = options.only is None or any(arm.startswith(name) for name in options.only)
        if not wanted or (arm, seed) in finished():
            continue
        if options.list:
            print(arm, seed)
            continue
        line: dict[str, Any] = {"arm": arm, "seed": seed, **make()}
        if "config" in line:
            text = json.dumps(line["config"], sort_keys=True)
            line["config_hash"] = hashlib.sha256(text.encode()).hexdigest()[:12]
        line["device"] = str(jax.devices()[0])
        line["versions"] = {name: version(name) for name in ("bionet", "jax", "equinox", "optax")}
        line["versions"]["python"] = platform.python_version()
        with RESULTS.open("a") as file:
            file.write(json.dumps(line) + "\n")
        told = {name: line[name] for name in ("validation", "test", "seconds") if name in line}
        print(arm, seed, told, flush=True)


if __name__ == "__main__":
    main()
