"""How far estimates by evolution point from the gradient, as weights and pairs grow.

    python research/studies/es-variance/run.py          runs what has no line yet
    python research/studies/es-variance/run.py --table  the table of the README, from the lines

An MLP 64-h-10 on one batch of 250 digits, softmax cross-entropy, so that the gradient is known. For
each width h and each number K of antithetic pairs, five seeds draw weights and noise, and the line
says the cosine between the estimate and the gradient, and how many times longer the estimate is.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from scipy.stats import bootstrap

import bionet
from bionet.datasets import load
from bionet.experimental.hybrid import es_gradient

HERE = Path(__file__).parent
WIDTHS = (4, 64, 1024)
PAIRS = (8, 64, 512)
SEEDS = range(5)
SIGMA = 0.01
IMAGES = 250


def loss(model: eqx.nn.MLP, x: jax.Array, y: jax.Array) -> jax.Array:
    """The mean softmax cross-entropy."""
    return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()


def run(width: int, pairs: int, seed: int) -> dict[str, object]:
    """The line of one estimate."""
    weights, noise = jax.random.split(jax.random.key(seed))
    model = eqx.nn.MLP(64, 10, width, 1, key=weights)
    images = load("digits").train
    x, y = jnp.asarray(images.x[:IMAGES]), jnp.asarray(images.y[:IMAGES])
    began = time.perf_counter()
    estimate = es_gradient(
        model, loss, noise, batch=(x, y), num_samples=pairs, sigma=SIGMA, chunk=16
    )
    found = ravel_pytree(eqx.filter(estimate, eqx.is_inexact_array))[0]
    true = ravel_pytree(eqx.filter_grad(loss)(model, x, y))[0]
    lengths = jnp.linalg.norm(found), jnp.linalg.norm(true)
    return {
        "width": width,
        "weights": true.size,
        "pairs": pairs,
        "seed": seed,
        "cosine": float(found @ true / (lengths[0] * lengths[1])),
        "length": float(lengths[0] / lengths[1]),
        "seconds": round(time.perf_counter() - began, 2),
        "config": {"sigma": SIGMA, "images": IMAGES, "dataset": "digits"},
        "versions": {"bionet": bionet.__version__, "jax": jax.__version__},
        "device": str(jax.devices()[0]),
    }


def lines() -> list[dict]:
    """The lines that are there."""
    path = HERE / "results.jsonl"
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def told(values: list[float], digits: int) -> str:
    """The mean with its 95 % bootstrap interval over seeds."""
    ends = bootstrap((values,), np.mean, rng=0, method="percentile").confidence_interval
    return f"{np.mean(values):.{digits}f} [{ends.low:.{digits}f}, {ends.high:.{digits}f}]"


def table() -> str:
    """The results in Markdown, beside what the law says."""
    rows = [
        "| weights d | pairs K | cosine with the gradient | law | length | law |",
        "|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[int, int], list[dict]] = {}
    for line in lines():
        groups.setdefault((line["weights"], line["pairs"]), []).append(line)
    for (d, pairs), found in sorted(groups.items()):
        cosine, length = ([line[name] for line in found] for name in ("cosine", "length"))
        law = math.sqrt(pairs / (pairs + d + 1))
        cells = [f"{d:,}", str(pairs), told(cosine, 3), f"{law:.3f}"]
        rows.append(f"| {' | '.join([*cells, told(length, 1), f'{1 / law:.1f}'])} |")
    return "\n".join(rows)


def main() -> None:
    """Runs what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="print what is there")
    if not parser.parse_args().table:
        done = {(line["width"], line["pairs"], line["seed"]) for line in lines()}
        every = [(w, k, s) for w in WIDTHS for k in PAIRS for s in SEEDS]
        for each in every:
            if each not in done:
                with (HERE / "results.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run(*each)) + "\n")
    print(table())


if __name__ == "__main__":
    main()
