"""Optax optimisers and what their update asks for beside the gradient: nothing, or the loss.

Most transformations look at gradients alone. Some take the value of the loss (`polyak_sgd`,
`reduce_on_plateau`), and a line search takes the loss as a function, which no method here has to
give. Optax keeps no list of that, so the update is tried on shapes, once when a method starts
and once when its step is traced. An optimiser that asks for nothing is called as ever.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from equinox import filter_eval_shape
from jaxtyping import Array, ArrayLike, Float, PyTree

LOSS = ("value", "grad")
"""What a method with a loss can give: the value of the loss, and what is descended."""


def start_optimizer(
    owner: str,
    optimizer: optax.GradientTransformation,
    learning: PyTree,
    *,
    gives: tuple[str, ...] = LOSS,
) -> PyTree:
    """The memory of an optimiser that has been found to fit the method.

    Args:
        owner: the method, for the messages.
        optimizer: any Optax transformation.
        learning: the trained leaves of the model.
        gives: what the method can give to its update beside the gradient.

    Raises:
        ValueError: an optimiser that needs what the method does not give; it is named.
    """
    list_needs(owner, optimizer, learning, gives)
    return optimizer.init(learning)


def update_with_loss(
    owner: str,
    optimizer: optax.GradientTransformation,
    gradient: PyTree,
    memory: PyTree,
    learning: PyTree,
    value: ArrayLike,
) -> tuple[PyTree, PyTree]:
    """The updates of an optimiser and its next memory, in a method that knows its loss.

    Args:
        owner: the method, for the messages.
        optimizer: any Optax transformation that `start_optimizer` takes.
        gradient: what is to be descended.
        memory: of the optimiser.
        learning: the trained leaves of the model.
        value: the loss of this step.
    """
    given = {"value": value, "grad": gradient}
    names = list_needs(owner, optimizer, learning)
    extra: dict[str, Any] = {name: given[name] for name in names}
    return optimizer.update(gradient, memory, learning, **extra)


def list_needs(
    owner: str,
    optimizer: optax.GradientTransformation,
    learning: PyTree,
    gives: tuple[str, ...] = LOSS,
) -> tuple[str, ...]:
    """The names of what the optimiser's update cannot do without, beside the gradient.

    Raises:
        ValueError: it needs what the method does not give; it is named.
    """
    leaves, structure = jax.tree.flatten(learning)
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
    refusals = _cache(_refusals, optimizer)(optimizer, structure, shapes)
    if len(refusals) <= len(gives):
        return LOSS[: len(refusals)]
    raise _unmet(owner, refusals, gives)


class Noted(NamedTuple):
    """An optimiser's memory, with the loss that its next update is to see."""

    inner: PyTree
    value: Float[Array, ""]


def noting(
    owner: str, optimizer: optax.GradientTransformation, learning: PyTree
) -> optax.GradientTransformation:
    """The optimiser for a caller that hands on no loss: it finds the loss in its memory.

    One that needs no loss comes back as it is. The loss is put there by `note`.
    """
    if not list_needs(owner, optimizer, learning):
        return optimizer
    return _cache(_noting, optimizer)(optimizer, owner)


def note(memory: PyTree, value: Array) -> PyTree:
    """The memory of an optimiser that `noting` made, with a loss in it; others are unchanged."""
    if not isinstance(memory, Noted):
        return memory
    return memory._replace(value=jnp.asarray(value, memory.value.dtype))


@functools.lru_cache(maxsize=32)
def _noting(optimizer: optax.GradientTransformation, owner: str) -> optax.GradientTransformation:
    """One object for each optimiser, because new functions are compiled anew."""

    def init(params: PyTree) -> Noted:
        return Noted(optimizer.init(params), jnp.zeros(()))

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, Noted]:
        found, inner = update_with_loss(owner, optimizer, updates, state.inner, params, state.value)
        return found, state._replace(inner=inner)

    return optax.GradientTransformation(init, update)


def _cache(function: Any, optimizer: optax.GradientTransformation) -> Any:
    """A function that remembers its answers, or not, for an optimiser that has no hash."""
    try:
        hash(optimizer)
    except TypeError:  # its functions are modules that hold arrays
        return function.__wrapped__
    return function


@functools.lru_cache(maxsize=128)
def _refusals(
    optimizer: optax.GradientTransformation,
    structure: Any,
    shapes: tuple[jax.ShapeDtypeStruct, ...],
) -> list[TypeError]:
    """The optimiser's errors if it is given nothing, then one thing more, until there is none."""
    learning = jax.tree.unflatten(structure, shapes)
    refusals = []
    for count in range(len(LOSS) + 1):
        refusal = _refusal(optimizer, learning, LOSS[:count])
        if refusal is None:
            break
        refusals.append(refusal.with_traceback(None))
    return refusals


def _refusal(
    optimizer: optax.GradientTransformation, learning: PyTree, names: tuple[str, ...]
) -> TypeError | None:
    """The error of the optimiser's update if it is given these alone; None if it has none."""

    def update(learning: PyTree) -> PyTree:
        given = {"value": jnp.zeros(()), "grad": learning}
        extra: dict[str, Any] = {name: given[name] for name in names}
        return optimizer.update(learning, optimizer.init(learning), learning, **extra)

    try:
        filter_eval_shape(update, learning)
    except TypeError as refusal:
        return refusal
    return None


def _unmet(owner: str, refusals: list[TypeError], gives: tuple[str, ...]) -> Exception:
    """The error for an optimiser that asks for too much, or its own if it means another thing."""
    missing = re.findall(r"'(\w+)'", str(refusals[-1]) if "required" in str(refusals[-1]) else "")
    if not missing:
        return refusals[0]
    needs = " and ".join(f"`{name}`" for name in missing)
    if not gives and missing == ["value"]:
        return ValueError(
            f"`{owner}`: its optimiser needs {needs}, the loss of each step, but a method with "
            "local rules looks at no loss. Take an optimiser that looks at gradients alone, such "
            "as optax.adam."
        )
    return ValueError(
        f"`{owner}`: its optimiser needs {needs} beside the gradient, as a line search does, but "
        f"the method gives {' and '.join(f'`{name}`' for name in gives) or 'nothing'}. Take an "
        "optimiser without one, such as optax.adam or optax.lbfgs(linesearch=None)."
    )
