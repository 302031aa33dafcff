"""Which simple rule reads the songs of `classification-rsnn-v2` best, judged on validation data?

    python research/studies/recipe-tuning/motif_rules.py [--table]

Tries to break the task of that recipe without a network: means, neighbours, kernels, coincidences
of spikes and time warping, each on both singers and on the first alone, as somebody would who has
been told which neurons to look at. The best rule that is not told stands among the recipe's
baselines. Where a rule is slow, fewer samples are taken; its line says how many. No test split
reaches this file.

A line is appended to motif-rules.jsonl beside this file when a rule is finished; rules that have a
line are skipped. README.md says what came of it.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bionet import zoo
from bionet.datasets import Split, nearest_class_mean
from bionet.datasets.floors import nearest_neighbour
from bionet.datasets.spike_motifs import shifted_neighbours, smooth_in_time

RESULTS = Path(__file__).with_name("motif-rules.jsonl")
ID, SEED, FEW = "classification-rsnn-v2", 100, 3000
PENALTIES = (0.01, 0.1, 1.0, 10.0)  # of kernels with a mean diagonal of 1
Rule = Callable[[Split, np.ndarray], np.ndarray]


def smooth(x: np.ndarray, width: float = 1.5) -> np.ndarray:
    """Every second step of the smoothed raster."""
    return smooth_in_time(x, width)[:, ::2]


narrow, wide = (functools.partial(smooth, width=width) for width in (1.0, 2.0))


def class_mean(train: Split, x: np.ndarray, reach: int) -> np.ndarray:
    """The class whose mean raster fits best where it fits best, all means taken off."""
    means = np.stack([train.x[train.y == label].mean(0) for label in np.unique(train.y)])
    means -= means.mean(0)
    scores = []
    for shift in range(-reach, reach + 1):
        moved = np.roll(x, shift, axis=1)
        scores.append(moved.reshape(len(x), -1) @ means.reshape(len(means), -1).T)
    return np.max(scores, 0).argmax(1)


def vote(likeness: np.ndarray, labels: np.ndarray, neighbours: int) -> np.ndarray:
    """The class of most of the nearest."""
    chosen = labels[np.argsort(-likeness, axis=1)[:, :neighbours]]
    return (chosen[..., None] == np.arange(labels.max() + 1)).sum(1).argmax(1)


def warped_neighbours(train: Split, x: np.ndarray, neighbours: int) -> np.ndarray:
    """Neighbours by dynamic time warping, with the squared distance of two steps as its cost."""
    labels, seen = train.y[:FEW], train.x[:FEW]
    sizes = (seen**2).sum(2)
    return vote(np.stack([-_warped(seen, sizes, one) for one in x]), labels, neighbours)


def _warped(seen: np.ndarray, sizes: np.ndarray, one: np.ndarray) -> np.ndarray:
    time = len(one)
    cost = sizes[:, :, None] + (one**2).sum(1) - 2 * np.matmul(seen, one.T)
    cost = np.ascontiguousarray(cost.transpose(1, 2, 0))
    total = np.full((time + 1, time + 1, len(seen)), np.inf, np.float32)
    total[0, 0] = 0
    for ends in range(2, 2 * time + 1):  # one diagonal after the other
        i = np.arange(max(1, ends - time), min(time, ends - 1) + 1)
        j = ends - i
        before = np.minimum(np.minimum(total[i - 1, j], total[i, j - 1]), total[i - 1, j - 1])
        total[i, j] = cost[i - 1, j - 1] + before
    return total[time, time]


def kernel_ridge(train: Split, x: np.ndarray, kernel: Callable, penalty: float) -> np.ndarray:
    """Ridge regression of the labels in the space of a kernel of the cosine."""
    seen, asked, labels = train.x[:FEW], x, np.eye(train.y.max() + 1)[train.y[:FEW]]
    seen, asked = (part.reshape(len(part), -1) for part in (seen, asked))
    mean = seen.mean(0)
    seen, asked = seen - mean, asked - mean
    seen, asked = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (seen, asked))
    gram = kernel(seen @ seen.T)
    size = np.trace(gram) / len(gram)
    gram = gram / size + penalty * np.eye(len(gram))
    weights = np.linalg.solve(gram.astype(np.float32), (labels - 0.25).astype(np.float32))
    return (kernel(asked @ seen.T) / size @ weights).argmax(1)


def coincidences(x: np.ndarray) -> np.ndarray:
    """How often two neurons spike at a lag of 0, 2, 4 and 8 steps, every second one of them."""
    seen = smooth_in_time(x, 1.0)[:, ::2, ::2]
    lags = [
        np.matmul(seen[:, : seen.shape[1] - lag].swapaxes(1, 2), seen[:, lag:])
        for lag in (0, 1, 2, 4)
    ]
    return np.stack(lags, 1).reshape(len(x), -1)


KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda c: c,
    "quartic": lambda c: (1 + c) ** 4,
    "radial": lambda c: np.exp(5 * (c - 1)),
}


def rules() -> dict[str, tuple[Callable[[np.ndarray], np.ndarray] | None, Rule, int]]:
    """By name: what is made of a raster, the rule, and how many samples it labels."""
    found: dict[str, Any] = {
        "nearest class mean": (None, nearest_class_mean, 1000),
        "class mean, smoothed, shifted": (smooth, functools.partial(class_mean, reach=7), 1000),
        "nearest neighbour": (None, nearest_neighbour, 1000),
    }
    for reach in (0, 2):
        for count in (1, 10, 50, 100):
            rule = functools.partial(shifted_neighbours, neighbours=count, reach=reach)
            found[f"{count} neighbours, smoothed, reach {2 * reach}"] = (smooth, rule, 1000)
    for count in (200, 400):
        rule = functools.partial(shifted_neighbours, neighbours=count, reach=2)
        found[f"{count} neighbours, smoothed, reach 4"] = (smooth, rule, 1000)
    hundred = functools.partial(shifted_neighbours, neighbours=100, reach=2)
    found["100 neighbours, smoothed less, reach 4"] = (narrow, hundred, 1000)
    found["100 neighbours, smoothed more, reach 4"] = (wide, hundred, 1000)
    for count in (1, 25, 100):
        warped = functools.partial(warped_neighbours, neighbours=count)
        found[f"{count} neighbours, smoothed, warped"] = (smooth, warped, 100)
    for made, how in (("smoothed raster", smooth), ("coincidences", coincidences)):
        for name, kernel in KERNELS.items():
            for penalty in PENALTIES:
                rule = functools.partial(kernel_ridge, kernel=kernel, penalty=penalty)
                found[f"ridge on {made}, {name}, penalty {penalty:g}"] = (how, rule, 1000)
    return found


def told(path: Path = RESULTS) -> list[dict[str, Any]]:
    """The finished rules."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    """Runs the rules that have no line, or prints the table."""
    parser = argparse.ArgumentParser(description="Reads motif songs without a network.")
    parser.add_argument("--table", action="store_true", help="print what is there, and stop")
    recipe: Any = zoo.get(ID)
    if not parser.parse_args().table:
        done = {(line["rule"], line["channels"]) for line in told()}
        splits = recipe.splits(SEED)
        for channels in (recipe.config.neurons * recipe.config.singers, recipe.config.neurons):
            parts = [part.x[:, :, :channels] for part in (splits.train, splits.validation)]
            made = functools.lru_cache(2)(lambda how, parts=parts: [how(x) for x in parts])
            for name, (how, rule, count) in rules().items():
                if (name, channels) in done:
                    continue
                x, asked = parts if how is None else made(how)
                answers = rule(Split(x, splits.train.y), asked[:count])
                right = float(np.mean(answers == splits.validation.y[:count]))
                line = {"rule": name, "channels": channels, "seed": SEED, "samples": count}
                with RESULTS.open("a") as file:
                    file.write(json.dumps(line | {"validation": round(right, 4)}) + "\n")
    print("| rule | channels | samples | validation accuracy |\n|---|---|---|---|")
    for line in sorted(told(), key=lambda line: (-line["channels"], -line["validation"])):
        cells = (line["rule"], line["channels"], line["samples"], f"{line['validation']:.1%}")
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
