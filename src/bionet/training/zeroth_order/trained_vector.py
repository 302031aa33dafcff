"""The trained numbers of a model as one vector, and a model made of another such vector.

Methods that know nothing of layers move this vector. Leaves of several dtypes meet in JAX's own
precision, and each gets its own back. Entries that a mask holds are in the vector, so that it
does not change its length with a mask's values, but no vector changes them.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from bionet.modules.trained import partition_trained, trained_mask
from bionet.training.method import MethodSpec, unmet


def check_trained(model: PyTree, spec: MethodSpec) -> None:
    """Refuses a model without trained leaves, or with complex ones.

    Raises:
        ValueError: such a model.
    """
    leaves = jax.tree.leaves(partition_trained(model)[0])
    if not leaves:
        raise unmet(spec, "a model with trained leaves", model)
    if any(jnp.iscomplexobj(leaf) for leaf in leaves):
        raise ValueError(
            f"The method {spec.name!r} needs trained leaves of real numbers, got complex ones. "
            "Hold the real and the imaginary part as two leaves."
        )


def trained_vector(model: PyTree) -> Float[Array, " numbers"]:
    """All trained leaves in a row, in JAX's own precision; masked entries are in it too."""
    leaves = jax.tree.leaves(partition_trained(model)[0])
    wide = jnp.result_type(float)
    return jnp.concatenate([leaf.astype(wide).ravel() for leaf in leaves])


def leaf_masks(model: PyTree) -> list[Any]:
    """For each trained leaf True, or a boolean array for the entries of it that learn."""
    return [mask for mask in jax.tree.leaves(trained_mask(model)) if mask is not False]


def trained_entries(model: PyTree) -> Bool[Array, " numbers"] | None:
    """Returns which numbers of `trained_vector` learn; None if all do."""
    masks, leaves = leaf_masks(model), jax.tree.leaves(partition_trained(model)[0])
    if all(mask is True for mask in masks):
        return None
    pairs = zip(masks, leaves, strict=True)
    return jnp.concatenate([jnp.broadcast_to(mask, leaf.shape).ravel() for mask, leaf in pairs])


def with_trained(model: PyTree, vector: Float[Array, " numbers"]) -> PyTree:
    """The model with the trained entries of `vector`, each in the dtype of its leaf.

    Entries that a mask holds keep the model's value.
    """
    learning, rest = partition_trained(model)
    leaves, structure = jax.tree.flatten(learning)
    new, start = [], 0
    for leaf, mask in zip(leaves, leaf_masks(model), strict=True):
        part = vector[start : start + leaf.size].reshape(leaf.shape).astype(leaf.dtype)
        new.append(part if mask is True else jnp.where(mask, part, leaf))
        start += leaf.size
    return eqx.combine(jax.tree.unflatten(structure, new), rest)
