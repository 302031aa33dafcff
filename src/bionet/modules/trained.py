"""The trained leaves of any model.

A bionet module names its trained leaves; thresholds, frozen matrices and fixed
diagonals are not among them. Optimising the named leaves alone is what makes
`adamw` safe: what does not learn gets no weight decay and costs no optimiser
memory. So may any other Equinox module, by a method `trained()` that answers in the same way
(`NamesTrained`). A model that names nothing has all its inexact arrays taken.

A mask has the model's structure. A leaf of it is True (learns), False (does not),
or a boolean array (these entries do, the others stay as they are).
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree


@runtime_checkable
class NamesTrained(Protocol):
    """A module that says which of its leaves learn, by name.

    True is all that the leaf itself would train; an array says which of its entries, and for a
    leaf that is a tree, a tree of both says it of each of its leaves.
    """

    def trained(self) -> dict[str, Any]: ...


def trained_mask(model: PyTree) -> PyTree[bool | Array]:
    """A tree like `model` that says of each leaf whether, or which entries of it, learn."""
    return jax.tree.map(_mask, model, is_leaf=_is_module)


def partition_trained(model: PyTree) -> tuple[PyTree, PyTree]:
    """Splits a model into its trained leaves and the rest; `eqx.combine` joins them again."""
    learns = jax.tree.map(lambda mask: mask is not False, trained_mask(model))
    return eqx.partition(model, learns)


def common_trained(one: PyTree, other: PyTree) -> bool:
    """Returns whether both models train one array, of which each would go on with a copy."""
    arrays = [{id(leaf) for leaf in jax.tree.leaves(model)} for model in (one, other)]
    if not arrays[0] & arrays[1]:  # Asking which of them learn takes a moment.
        return False
    learning = [
        {id(leaf) for leaf in jax.tree.leaves(partition_trained(model)[0])}
        for model in (one, other)
    ]
    return bool(learning[0] & learning[1])


def apply_trained(model: PyTree, updates: PyTree) -> PyTree:
    """Adds `updates` to the trained entries of `model`, and to nothing else.

    Args:
        model: any model.
        updates: what an Optax optimiser returns for the model's trained leaves; None,
            or zeros, for the others.
    """

    def masked(mask: bool | Array, update: Array | None) -> Array | None:
        if update is None or mask is False:
            return None
        return update if mask is True else jnp.where(mask, update, jnp.zeros_like(update))

    kept = jax.tree.map(masked, trained_mask(model), updates, is_leaf=lambda leaf: leaf is None)
    return eqx.apply_updates(model, kept)


def _is_module(node: Any) -> bool:
    return isinstance(node, eqx.Module) and isinstance(node, NamesTrained)


def _mask(node: Any) -> Any:
    if not _is_module(node):
        return eqx.is_inexact_array(node)
    named = node.trained()
    nothing = jax.tree.map(lambda _: False, node)
    if not named:
        return nothing
    plain = {name: jax.tree.map(_plain, mask) for name, mask in named.items()}
    masks = [
        trained_mask(getattr(node, name)) if mask is True else mask for name, mask in plain.items()
    ]
    return eqx.tree_at(lambda m: [getattr(m, name) for name in named], nothing, masks)


def _plain(mask: Any) -> Any:
    """NumPy's True and False as Python's: `is True` and `is False` are asked of them."""
    return bool(mask) if isinstance(mask, np.bool_) else mask
