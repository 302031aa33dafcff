"""The textbook loop in plain JAX, to hold bionet's training step against.

It is written the way one writes it first: a dictionary of weights by (receiver, sender),
a scan over steps in which every row computes every message anew with a key of its own,
a mask beside the couplings for their fixed diagonal, and an optimiser over every float
leaf, the mask and the thresholds included. The whole training step is compiled, once, and
called batch by batch. Its numbers are those of bionet, which the benchmark asserts.

XLA takes part of the waste out by itself: it moves messages that can't change out of the
scan and drops keys that nobody uses. What is measured is what is left after that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

Params = dict[int, dict[int, dict[str, jax.Array]]]


def parameters(network: Any, with_masks: bool = True) -> Params:
    """The float leaves of a bionet network by receiver and sender, masks included."""
    params = {
        i: {
            j: {name: value.copy() for name, value in vars(module).items() if is_float(value)}
            for j, module in row.items()
        }
        for i, row in network.lmap.to_dict().items()
    }
    for row in params.values():
        for leaves in row.values():
            if with_masks and "J" in leaves:
                leaves["mask"] = 1.0 - jnp.eye(len(leaves["J"]))
    return params


def is_float(value: Any) -> bool:
    """Whether a field of a module is an array of floats."""
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)


def message(
    leaves: dict[str, jax.Array], x: jax.Array, key: jax.Array, as_written: bool
) -> jax.Array:
    """What an edge sends; the key is there for modules that would use one."""
    if as_written:  # what hangs on the key can't be moved out of the loop
        x, _ = jax.lax.optimization_barrier((x, key))
    if "J" in leaves:
        return x @ leaves["J"]
    return x @ leaves["W"] if leaves else jnp.zeros_like(x)


def local_field(
    row: dict[int, dict[str, jax.Array]],
    buffers: list[jax.Array],
    senders: list[int],
    key: Any,
    as_written: bool,
) -> tuple[jax.Array, jax.Array]:
    """The sum of the messages of `senders`, each with a key split off."""
    total: Any = 0.0
    for j in senders:
        key, own = jax.random.split(key)
        total = total + message(row[j], buffers[j], own, as_written)
    return total, key


def steps(
    params: Params, buffers: list[jax.Array], number: int, free: bool, key: Any, as_written: bool
) -> Any:
    """So many steps of all rows but the last, each row with the newest buffers."""
    last = max(params)

    def step(carry: Any, _: Any) -> Any:
        buffers, key = carry
        buffers = list(buffers)
        for i, row in params.items():
            if i == last:
                continue
            senders = [j for j in row if j <= i or not free]
            field, key = local_field(row, buffers, senders, key, as_written)
            buffers[i] = jnp.where(field >= 0, 1.0, -1.0)
        return (buffers, key), None

    return jax.lax.scan(step, (buffers, key), None, length=number)[0]


def pseudo_gradient(
    leaves: dict[str, jax.Array], x: jax.Array, y: jax.Array, y_hat: jax.Array, frozen: bool
) -> dict[str, jax.Array]:
    """Minus the margin-perceptron increment of the weights, and zeros for the rest."""
    zeros = {name: jnp.zeros_like(leaf) for name, leaf in leaves.items()}
    if frozen or not leaves:
        return zeros
    n, d = x.shape
    correction = jnp.where(y * y_hat <= leaves["threshold"], y, 0.0)
    added = x.T @ correction / math.sqrt(n * d)
    if "J" in leaves:
        return zeros | {"J": -added * leaves.get("mask", 1.0 - jnp.eye(d))}
    return zeros | {"W": -added}


def make_step(
    network: Any,
    optimizer: optax.GradientTransformation,
    phases: tuple[int, int, int],
    as_written: bool = False,
) -> Callable[..., Any]:
    """`step(params, memory, x, y, key) -> (params, memory, key)`: warm-up, clamped, free, learn."""
    widths = {i: row[i].receiver_shape for i, row in network.lmap.to_dict().items()}
    frozen = {edge for edge, module in network.lmap.edge_items() if not module.trained()}

    def step(params: Params, memory: Any, x: jax.Array, y: jax.Array, key: Any) -> Any:
        hidden = [jnp.zeros((len(x), *widths[i])) for i in list(params)[:-1]]
        buffers = [x, *hidden, y]
        for number, free in zip(phases, (True, False, True), strict=True):
            buffers, key = steps(params, buffers, number, free, key, as_written)
        gradients: Params = {}
        for i, row in params.items():
            field, key = local_field(row, buffers, [j for j in row if j <= i], key, False)
            gradients[i] = {
                j: pseudo_gradient(leaves, buffers[j], buffers[i], field, (i, j) in frozen)
                for j, leaves in row.items()
            }
        updates, memory = optimizer.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory, key

    return step
