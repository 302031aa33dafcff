"""Ranks of losses that tie: what each member weighs, and a generation that says nothing.

Many strategies weigh their members by rank, with weights that are made to add up: those of CMA-ES
above zero to 1. Members that tie share the weights of the ranks that they take up, so that the
sums stay and equal members count alike. evosax 0.3.2 gives each of them the weight at their mean
rank, rounded down; with the two best of eight tied, the weights of CMA-ES above zero then add up
to 1.24, the mean oversteps, and the covariance ends in NaN.

Where all members tie no rank means anything, and the strategy stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

CLIPPED = ("CMA_ES", "CR_FM_NES")
"""Strategies that add up the weights above zero and those below by themselves."""
COUNTS = ("best_solution", "best_fitness", "generation_counter")
"""What a strategy keeps for the record, and does not search with."""


def shared_weights(
    losses: Float[Array, " members"], weights: Float[Array, " members"], *, by_sign: bool = False
) -> Float[Array, " members"]:
    """The weight of each member, in which members that tie share those of their ranks.

    Without ties it is `weights` in the order of the losses, bit by bit.

    Args:
        losses: finite; low is good.
        weights: by rank, the best first.
        by_sign: the weights above zero and those below are added up apart. Members that tie
            across zero then take their ranks in the order that they have: no equal shares
            leave both sums as they are.
    """
    order = jnp.argsort(losses, stable=True)
    ranked = losses[order]
    starts = jnp.concatenate([jnp.zeros(1, bool), ranked[1:] != ranked[:-1]])
    tie, members = jnp.cumsum(starts), losses.size
    count = jax.ops.segment_sum(jnp.ones_like(weights), tie, members)
    share = jax.ops.segment_sum(weights, tie, members) / jnp.maximum(count, 1)
    own = count == 1
    if by_sign:
        most, least = (
            find(weights, tie, members) for find in (jax.ops.segment_max, jax.ops.segment_min)
        )
        own |= (most > 0) & (least < 0)
    by_rank = jnp.where(own[tie], weights, share[tie])
    return jnp.zeros_like(by_rank).at[order].set(by_rank)


def weighing(strategy: str) -> Callable[..., Float[Array, " members"]]:
    """Returns what evosax calls a fitness shaping function, for a strategy that weighs by rank."""
    return _weigh_by_sign if strategy in CLIPPED else _weigh


def is_undecided(losses: Float[Array, " members"]) -> Bool[Array, ""]:
    """Returns whether no member is better than another."""
    return losses.max() == losses.min()


def hold_state(nothing: Bool[Array, ""], told: Any, asked: Any) -> Any:
    """The state of a strategy after a generation: the one before, if that said nothing.

    Args:
        nothing: whether the generation was undecided.
        told: the state after it.
        asked: the state that its members were drawn from.
    """
    stays = jax.tree.map(lambda new, old: jnp.where(nothing, old, new), told, asked)
    return stays.replace(**{name: getattr(told, name) for name in COUNTS})


def _weigh(population: Array, fitness: Array, state: Any, params: Any) -> Array:
    return shared_weights(fitness, params.weights)


def _weigh_by_sign(population: Array, fitness: Array, state: Any, params: Any) -> Array:
    return shared_weights(fitness, params.weights, by_sign=True)
