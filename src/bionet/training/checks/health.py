"""Weights or losses that are no numbers any more: which edge, and after which step or epoch.

NaN stays in a weight once it is there, so it is enough to look once per epoch, and
the compiled epoch stays free of checks. Only when something is found is the epoch
run again, from its start, with a look after every step.
"""

from __future__ import annotations

import math
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from bionet.layer_maps.sparse import leaf_name
from bionet.modules.trained import partition_trained


@final
class NonFiniteError(ArithmeticError):
    """Weights or losses are NaN or infinite; the sentence says which, and since when."""


def comparable(score: float) -> float:
    """A score to be compared, higher is better: NaN is below every number.

    `max` keeps a NaN that stands first, for nothing is greater than it.
    """
    return -math.inf if math.isnan(score) else score


@eqx.filter_jit
def finite_leaves(model: PyTree) -> Bool[Array, " leaves"]:
    """For each trained leaf of the model, whether all its entries are finite."""
    leaves = jax.tree.leaves(partition_trained(model)[0])
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves] or [jnp.asarray(True)])


def leaf_names(model: PyTree) -> list[str]:
    """The words for each trained leaf, in the order of `finite_leaves`."""
    with_paths = jax.tree_util.tree_leaves_with_path(partition_trained(model)[0])
    return [leaf_name(path) for path, _ in with_paths]


def non_finite(model: PyTree, flags: Any, step: int, kept: str) -> NonFiniteError:
    """The error for the first leaf whose flag is down.

    Args:
        model: gives the names.
        flags: `finite_leaves` after that step.
        step: counted from 1 over the whole run.
        kept: what the user still has, as the last sentence.
    """
    name = leaf_names(model)[[bool(flag) for flag in flags].index(False)]
    return NonFiniteError(
        f"Training stopped: {name}, became NaN or infinite in step {step}. "
        "Lower the learning rate, or sigma where members of a population are drawn, or look at "
        f"the data and the loss. {kept}"
    )


def nothing_evaluated(epoch: int, kept: str) -> NonFiniteError:
    """The error for an epoch in which no evaluation of the loss was a number.

    Args:
        epoch: counted from 1.
        kept: what the user still has, as the last sentence.
    """
    return NonFiniteError(
        f"Training stopped: every evaluation of the loss in epoch {epoch} was NaN or infinite. "
        f"Look at the loss of the model itself, or lower sigma. {kept}"
    )
