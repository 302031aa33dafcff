"""Between a pseudo-gradient, which is a tree, and the vector of all trained numbers.

Lengths, angles and projections are those of the whole vector, not leaf by leaf. Entries that do
not learn are zero in it.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from bionet.modules.trained import partition_trained, trained_mask


def check_learns(owner: str, model: PyTree) -> None:
    """Refuses a model of which nothing can be perturbed.

    Raises:
        TypeError: trained leaves of complex numbers.
        ValueError: no trained leaves.
    """
    leaves = jax.tree.leaves(partition_trained(model)[0])
    if not leaves:
        raise ValueError(
            f"{owner}: needs a model with trained leaves, got a model of type "
            f"{type(model).__name__}, which has none."
        )
    if any(jnp.iscomplexobj(leaf) for leaf in leaves):
        raise TypeError(
            f"{owner}: needs trained leaves of real numbers, got complex ones. Hold the "
            "real and the imaginary part as two leaves."
        )


def as_vector(owner: str, model: PyTree, direction: PyTree) -> Float[Array, " numbers"]:
    """The vector of a pseudo-gradient, in the order of `trained_vector`.

    Args:
        owner: who asks, for the messages.
        model: says what learns.
        direction: in the model's structure; None stands for a leaf without a direction.

    Raises:
        ValueError: another structure, or a leaf of another shape.
    """
    wide = jnp.result_type(float)

    def picked(mask: Any, leaf: Any, part: Any) -> Array | None:
        if mask is None or mask is False:
            return None
        if part is None:
            return jnp.zeros(leaf.size, wide)
        if jnp.shape(part) != leaf.shape:
            raise ValueError(
                f"{owner}: bulk returned a leaf of shape {jnp.shape(part)} for one of shape "
                f"{leaf.shape}; it needs to return a pseudo-gradient with the model's structure."
            )
        kept = part if mask is True else jnp.where(mask, part, jnp.zeros_like(part))
        return jnp.ravel(kept).astype(wide)

    _check_structure(owner, model, direction)
    parts = jax.tree.map(picked, trained_mask(model), model, direction, is_leaf=_is_none)
    return jnp.concatenate(jax.tree.leaves(parts))


def as_learning(model: PyTree, vector: Float[Array, " numbers"]) -> PyTree:
    """The vector as a tree of the model's trained leaves, each in its own dtype."""
    leaves, structure = jax.tree.flatten(partition_trained(model)[0])
    parts, start = [], 0
    for leaf in leaves:
        part = vector[start : start + leaf.size]
        parts.append(part.reshape(leaf.shape).astype(leaf.dtype))
        start += leaf.size
    return jax.tree.unflatten(structure, parts)


def as_gradient(model: PyTree, vector: Float[Array, " numbers"]) -> PyTree:
    """The vector as `eqx.filter_grad` would return it: zeros where a leaf does not learn."""
    _, rest = partition_trained(model)
    zeros = jax.tree.map(jnp.zeros_like, eqx.filter(rest, eqx.is_inexact_array))
    return eqx.combine(as_learning(model, vector), zeros)


def _check_structure(owner: str, model: PyTree, direction: PyTree) -> None:
    expected, found = (jax.tree.structure(t, is_leaf=_is_none) for t in (model, direction))
    if expected != found:
        raise ValueError(
            f"{owner}: bulk needs to return a pseudo-gradient with the model's structure, "
            f"{_kind(model)}, got {_kind(direction)}."
        )


def _kind(tree: PyTree) -> str:
    leaves = len(jax.tree.leaves(tree, is_leaf=_is_none))
    return f"a {type(tree).__name__} of {leaves} leaves"


def _is_none(leaf: object) -> bool:
    return leaf is None
