"""Shuts the way of gradients into what a slot is given, where the slot does not run.

A slot that does not run computes all the same, and what it makes is dropped: its cotangent is 0.
But 0 times a derivative that is infinite is NaN, so on the way in the cotangents are dropped
once more. In a batch whose members disagree on who runs, parameters that all of them share have
one cotangent, the sum over the members. There is nothing to drop in it, and so the members that
do not run are given what one of those that run is given; if none runs, the sum is dropped.

All of this is in the rule for derivatives. Without them a gate is the identity, and costs
nothing: shared parameters stay shared, and one product serves the batch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool

Flag = Bool[Array, ""]
Leaves = list[Array]


@jax.custom_jvp
def gated(run: Flag, seen: Leaves, held: Leaves) -> tuple[Leaves, Leaves]:
    """The leaves as they are; where it does not run, no derivative passes.

    Args:
        run: whether what is given these leaves runs.
        seen: what a step works on, which differs from step to step.
        held: what lasts, such as parameters.
    """
    return [_in_front(leaf) for leaf in seen], held


def _derivatives(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (run, seen, held), (_, seen_dots, held_dots) = primals, tangents
    # What is under custom_vmap may be batched, but cannot be transposed.
    masks = [_mask(run, jax.lax.stop_gradient(leaf)) for leaf in (*seen, *held)]
    dots = [_masked(*pair) for pair in zip(masks, (*seen_dots, *held_dots), strict=True)]
    given = [
        jnp.where(mask, leaf, _of_a_runner(run, jax.lax.stop_gradient(leaf)))
        for mask, leaf in zip(masks, seen, strict=False)
    ]
    return (given, held), (dots[: len(seen)], dots[len(seen) :])


def _masked(mask: Flag, dot: Any) -> Any:
    return dot if isinstance(dot, SymbolicZero) else jnp.where(mask, dot, jnp.zeros_like(dot))


gated.defjvp(_derivatives, symbolic_zeros=True)


@custom_vmap
def _in_front(leaf: Array) -> Array:
    """The leaf. The rule for derivatives has the axis of a batch in front, and so has this."""
    return leaf


@_in_front.def_vmap
def _batch_in_front(size: int, batched: Any, leaf: Any) -> tuple[Array, bool]:
    return _in_front(leaf), batched[0]


@custom_vmap
def _mask(run: Flag, leaf: Array) -> Flag:
    """Returns whether the slot runs, by member if the leaf differs between them, else for any."""
    return run


@_mask.def_vmap
def _mask_of_batch(size: int, batched: Any, run: Any, leaf: Any) -> tuple[Array, bool]:
    # Called on arrays with the batch in front, so that a vmap around this one finds the rule.
    if batched[0] and not batched[1]:
        return _mask(run.any(0), leaf), False
    return _mask(run, leaf), batched[0]


@custom_vmap
def _of_a_runner(run: Flag, leaf: Array) -> Array:
    """The leaf; in a batch, that of the first member that runs."""
    return leaf


@_of_a_runner.def_vmap
def _of_a_runner_in_batch(size: int, batched: Any, run: Any, leaf: Any) -> tuple[Array, bool]:
    if not batched[0]:
        return _of_a_runner(run, leaf), batched[1]
    first = run.argmax(0)
    return _of_a_runner(run[first], leaf[first] if batched[1] else leaf), False
