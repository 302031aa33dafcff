"""A sparse network as dense matrices with masks, to hold bionet's sparse modules against.

It is the textbook way: every weight matrix is dense, (senders, receivers), and has a mask of
its shape beside it, which enters each product, `x @ (W * mask)`, and each increment. Weights,
masks and thresholds are one tree of float leaves, which the optimiser is given as it is.

Compiled whole, XLA takes part of the waste out: it multiplies by the masks once per phase, and
moves the message of the input out of the loops. `as_written=True` keeps it from that, so that
each step computes what the text says, as it does where each step is a compiled call.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

Edge = tuple[int, int]
Params = dict[Edge, dict[str, jax.Array]]
INPUT, OWN, BACK, OUT = (1, 0), (1, 1), (1, 2), (2, 1)


def parameters(network: Any) -> Params:
    """The dense matrices of a network with one sparse hidden layer, their masks, thresholds."""
    params: Params = {}
    for edge in (INPUT, OWN, BACK, OUT):
        module = network.lmap[edge]
        weights = module.to_dense() if hasattr(module, "to_dense") else module.W
        params[edge] = {
            "weights": jnp.array(weights),
            "mask": (weights != 0).astype(weights.dtype),
            "threshold": jnp.array(module.threshold),
        }
    return params


def fan_in(network: Any) -> dict[Edge, int]:
    """The number of connections per unit, of the edges that learn."""
    learning = (INPUT, OWN, OUT)
    return {
        e: getattr(network.lmap[e], "fan_in", network.lmap[e].sender_shape[0]) for e in learning
    }


def make_step(
    fans: dict[Edge, int],
    rates: dict[Edge, float],
    optimizer: optax.GradientTransformation,
    phases: tuple[int, int, int],
    as_written: bool,
) -> Callable[..., Any]:
    """`step(params, memory, x, y, key) -> (params, memory)`: warm-up, clamped, free, learn."""

    def message(leaves: dict[str, jax.Array], x: jax.Array, key: jax.Array) -> jax.Array:
        weights, mask = leaves["weights"], leaves["mask"]
        if as_written:  # what hangs on the key can't be moved out of the loop
            x, weights, mask, _ = jax.lax.optimization_barrier((x, weights, mask, key))
        return x @ (weights * mask)

    def field(params: Params, sent: dict[Edge, jax.Array], key: jax.Array) -> jax.Array:
        keys = jax.random.split(key, len(sent))
        messages = (message(params[e], sent[e], k) for e, k in zip(sent, keys, strict=True))
        return functools.reduce(operator.add, messages)

    def settled(params: Params, x: jax.Array, y: jax.Array, key: jax.Array) -> jax.Array:
        h = jnp.zeros((len(x), params[OWN]["weights"].shape[0]))
        for number, labelled in zip(phases, (False, True, False), strict=True):

            def one(carry: Any, _: Any, labelled: bool = labelled) -> Any:
                h, key = carry
                key, own = jax.random.split(key)
                sent = {INPUT: x, OWN: h} | ({BACK: y} if labelled else {})
                return (jnp.where(field(params, sent, own) >= 0, 1.0, -1.0), key), None

            (h, key), _ = jax.lax.scan(one, (h, key), None, length=number)
        return h

    def gradient(edge: Edge, leaves: dict, x: jax.Array, y: jax.Array, score: jax.Array) -> dict:
        correction = jnp.where(y * score <= leaves["threshold"], y, 0.0)
        added = x.T @ correction / math.sqrt(len(x) * fans[edge])
        if edge == OWN:  # the self-coupling is in the mask, and does not learn
            added = added * (1.0 - jnp.eye(len(added)))
        zeros = jax.tree.map(jnp.zeros_like, leaves)
        return zeros | {"weights": -rates[edge] * added * leaves["mask"]}

    def step(params: Params, memory: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> Any:
        h = settled(params, x, y, key)
        hidden, answer = field(params, {INPUT: x, OWN: h}, key), field(params, {OUT: h}, key)
        ends = {INPUT: (x, h, hidden), OWN: (h, h, hidden), OUT: (h, y, answer)}
        gradients = {e: gradient(e, params[e], *ends[e]) for e in ends}
        gradients[BACK] = jax.tree.map(jnp.zeros_like, params[BACK])
        updates, memory = optimizer.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory

    return step


class Epoch:
    """Training steps over stacked batches in one compiled call that works in place."""

    def __init__(self, step: Callable[..., Any], params: Params, memory: Any, x: Any, y: Any):
        def scanned(state: Any, x: jax.Array, y: jax.Array) -> Any:
            key = jax.random.key(2)
            return jax.lax.scan(lambda s, b: (step(*s, *b, key), None), state, (x, y))[0]

        self.state, self.given = (params, memory), (x, y)
        self.program = jax.jit(scanned, donate_argnums=0).lower(self.state, x, y).compile()

    def __call__(self) -> Any:
        """One pass over the batches; goes on from where the last one ended."""
        self.state = self.program(self.state, *self.given)
        return self.state

    def compiled(self) -> Any:
        """The program, for its memory."""
        return self.program
