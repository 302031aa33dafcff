"""The products of the sparse modules, in the layouts that one might choose instead.

    python research/benchmarks/sparse_layouts.py        some minutes on two cores

A unit has `fan_in` senders. The message sums, over them, weight times activity; the increment
sums, over the batch, correction times activity, once per connection. Both are timed many times
over inside one compiled program, all layouts in turns, as multiples of bionet's time: blocks of
units, each of which gathers the rows of the transposed activity that it needs. Lines go to
`results/sparse_layouts.jsonl`.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse
from stopwatch import Arm, in_turns, medians, record

from bionet.kernels.gathers import gather_outer, gather_product
from bionet.modules.fan_in import draw_senders

# Senders, units, connections per unit, batch; the first two are of the published MNIST set-up.
SIZES = ((784, 2000, 78, 16), (2000, 2000, 20, 16), (20_000, 20_000, 50, 16))
SIZES += ((20_000, 20_000, 50, 128),)
OURS, DENSE = "blocks of units", "dense, no mask"
LARGEST_DENSE = 4_000_000

Product = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def scanned(x: jax.Array, at: jax.Array, W: jax.Array) -> jax.Array:
    """Over the connections of a unit, one gather for all units each."""

    def add(sums: jax.Array, one: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        return sums + one[1][:, None] * x.T[one[0]], None

    return jax.lax.scan(add, jnp.zeros((len(W), len(x))), (at.T, W.T))[0].T


def coordinates(x: jax.Array, at: jax.Array, W: jax.Array) -> jax.Array:
    """As coordinates of the entries, JAX's BCOO."""
    rows = jnp.repeat(jnp.arange(len(W), dtype=at.dtype), W.shape[1])
    pairs = jnp.stack([rows, at.reshape(-1)], axis=1)
    matrix = sparse.BCOO((W.reshape(-1), pairs), shape=(len(W), x.shape[1]))
    return (matrix @ x.T).T


def compressed(x: jax.Array, at: jax.Array, W: jax.Array) -> jax.Array:
    """As compressed rows, JAX's BCSR, which is a library call on a CPU."""
    starts = jnp.arange(len(W) + 1, dtype=at.dtype) * W.shape[1]
    matrix = sparse.BCSR((W.reshape(-1), at.reshape(-1), starts), shape=(len(W), x.shape[1]))
    return (matrix @ x.T).T


PRODUCTS: dict[str, Product] = {
    OURS: gather_product,
    "all units at once": lambda x, at, W: jnp.einsum("ke,ken->nk", W, x.T[at]),
    "all units, product and sum": lambda x, at, W: (x.T[at] * W[..., None]).sum(1).T,
    "batch first": lambda x, at, W: (x[:, at] * W).sum(-1),
    "connections in a scan": scanned,
    "coordinates (BCOO)": coordinates,
    "compressed rows (BCSR)": compressed,
    DENSE: lambda x, at, W: x @ W,
}
INCREMENTS: dict[str, Product] = {
    OURS: gather_outer,
    "all units at once": lambda x, at, y: jnp.einsum("ken,kn->ke", x.T[at], y.T),
    "all units, product and sum": lambda x, at, y: (x.T[at] * y.T[:, None]).sum(2),
    "batch first": lambda x, at, y: (x[:, at] * y[..., None]).sum(0),
    "connections in a scan": lambda x, at, y: jax.lax.map(lambda j: (x.T[j] * y.T).sum(-1), at.T).T,
    DENSE: lambda x, at, y: x.T @ y,
}


def arms(d: int, k: int, fan_in: int, n: int, repeats: int) -> dict[str, dict[str, Arm]]:
    """What is timed, by kind of product and by layout: `repeats` products in one program."""
    rng = np.random.default_rng(0)
    at = draw_senders(jax.random.key(0), k, d, fan_in)
    x = jnp.asarray(rng.choice([-1.0, 1.0], (repeats, n, d)), jnp.float32)
    y = jnp.asarray(rng.choice([-1.0, 0.0, 1.0], (repeats, n, k)), jnp.float32)
    W = jnp.asarray(rng.normal(size=(k, fan_in)), jnp.float32)
    dense = jnp.zeros((d, k)) if d * k <= LARGEST_DENSE else None

    def products(f: Product, x: jax.Array, at: jax.Array, W: jax.Array) -> jax.Array:
        return jax.lax.map(lambda one: f(one, at, W), x)

    def increments(f: Product, x: jax.Array, at: jax.Array, y: jax.Array) -> jax.Array:
        # Added up, as weights would be, since a stack of them is all that would be timed.
        start = f(x[0], at, y[0])
        add = lambda total, one: (total + f(one[0], at, one[1]), None)  # noqa: E731
        return jax.lax.scan(add, start, (x[1:], y[1:]))[0]

    found: dict[str, dict[str, Arm]] = {"product": {}, "increment": {}}
    for name, f in PRODUCTS.items():
        if name != DENSE or dense is not None:
            run = jax.jit(functools.partial(products, f))
            found["product"][name] = functools.partial(run, x, at, dense if name == DENSE else W)
    for name, f in INCREMENTS.items():
        if name != DENSE or dense is not None:
            run = jax.jit(functools.partial(increments, f))
            found["increment"][name] = functools.partial(run, x, at, y)
    return found


def main() -> None:
    """Measures all sizes, or the one whose number is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=int, choices=range(len(SIZES)), help="one of the sizes")
    parser.add_argument("--rounds", type=int, default=9, help="turns that are counted")
    options = parser.parse_args()
    for d, k, fan_in, n in SIZES if options.only is None else [SIZES[options.only]]:
        repeats = max(2, 20_000_000 // (k * fan_in * n))
        row: dict[str, Any] = {"senders": d, "units": k, "fan_in": fan_in, "batch": n}
        for kind, timed in arms(d, k, fan_in, n, repeats).items():
            found = medians(in_turns(timed, options.rounds, warm_up=1))
            row[kind] = {name: value / found[OURS] for name, value in found.items()}
            row[f"{kind}_us"] = 1e6 * found[OURS] / repeats
            told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in row[kind].items())
            print(f"({d}, {k}), fan-in {fan_in}, batch {n}, {kind}: {told}", flush=True)
        record("sparse_layouts", row)


if __name__ == "__main__":
    main()
