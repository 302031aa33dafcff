"""Cheap directions, and how they and the loss are called.

A direction is any function `bulk(model, *batch, key=key)` that returns a pseudo-gradient with
the model's structure: what an optimiser is to descend. It may be biased; it need not be the
gradient of anything. A loss is called in the same way. A function that takes no `key` is called
without one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from bionet.modules.trained import partition_trained
from bionet.training.local.local_method import AbstractLocalMethod

Loss = Callable[..., Float[Array, ""]]
Direction = Callable[..., PyTree]


@final
class LocalDirection(eqx.Module):
    """The pseudo-gradient of a local method; see `local_direction`."""

    method: AbstractLocalMethod

    def __call__(self, model: PyTree, *batch: Array, key: PRNGKeyArray) -> PyTree:
        """Returns the pseudo-gradient that the modules' rules ask for."""
        return self.method.pseudo_gradient(model, batch, key)[0]


@final
class SurrogateDirection(eqx.Module):
    """The gradient of a loss that stands in for the true one; see `surrogate_direction`."""

    loss: Loss

    def __call__(self, model: PyTree, *batch: Array, key: PRNGKeyArray) -> PyTree:
        """The gradient for the trained leaves."""
        learning, rest = partition_trained(model)

        def value(learning: PyTree) -> Array:
            whole = eqx.combine(learning, rest)
            return one_number("surrogate_direction", self.loss, whole, batch, key)

        return jax.grad(value)(learning)


def local_direction(method: AbstractLocalMethod) -> LocalDirection:
    """A cheap direction out of a local method: settle by its phases, and ask every edge's rule.

    Rates and decays by edge are no part of it, nor is the optimiser: they act on the update that
    is made of the corrected direction.

    Args:
        method: such as `TwoPhase`, `Contrastive` or `ErrorPhase`.

    Raises:
        TypeError: another kind of method.

    Example:
        ```python
        import jax
        from bionet import TwoPhase, zoo
        from bionet.experimental.hybrid import hybrid_gradient, local_direction

        recipe = zoo.get("prototypes-local")
        bulk = local_direction(TwoPhase(recipe.state(), clamped=5, free=5))
        network, batch = recipe.build(), recipe.synthetic_batch(batch_size=16)
        gradient = hybrid_gradient(network, bulk, recipe.loss, jax.random.key(0), batch=batch)
        print(gradient.lmap[1, 0].W.shape)
        ```
    """
    if not isinstance(method, AbstractLocalMethod):
        raise TypeError(
            "local_direction: needs a method with local rules, such as TwoPhase, got "
            f"{type(method).__name__}. Where there is a gradient, take surrogate_direction."
        )
    return LocalDirection(method)


def surrogate_direction(loss: Loss) -> SurrogateDirection:
    """A cheap direction out of a differentiable loss that stands in for the true one.

    Args:
        loss: `loss(model, *batch, key=key)`, one number; where the model spikes, its surrogate
            derivatives are what this differentiates.

    Example:
        ```python
        import equinox as eqx
        import jax
        import jax.numpy as jnp
        from bionet.experimental.hybrid import hybrid_gradient, surrogate_direction


        def smooth(model, x, y):
            return ((jax.vmap(model)(x) - y) ** 2).mean()


        def errors(model, x, y):
            return (jnp.sign(jax.vmap(model)(x)) != y).mean()


        model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
        x = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        batch, bulk = (x, x[:, :1] * x[:, 1:]), surrogate_direction(smooth)
        gradient = hybrid_gradient(model, bulk, errors, jax.random.key(1), batch=batch, sigma=0.3)
        print(gradient.layers[0].weight.shape)
        ```
    """
    return SurrogateDirection(loss)


def call_with_key(
    function: Callable[..., Any], model: PyTree, batch: tuple[Any, ...], key: PRNGKeyArray
) -> Any:
    """`function(model, *batch, key=key)`, without the key where it takes none."""
    return function(model, *batch, key=key) if _takes_key(function) else function(model, *batch)


def one_number(
    owner: str, loss: Loss, model: PyTree, batch: tuple[Any, ...], key: PRNGKeyArray
) -> Float[Array, ""]:
    """The loss of a model.

    Raises:
        TypeError: no real number came.
        ValueError: more numbers than one came.
    """
    value = call_with_key(loss, model, batch, key)
    if not eqx.is_array_like(value) or jnp.iscomplexobj(value):
        raise TypeError(
            f"{owner}: the loss needs to return one real number, got {type(value).__name__}."
        )
    if jnp.shape(value) != ():
        raise ValueError(
            f"{owner}: the loss needs to return one number, got shape {jnp.shape(value)}. "
            "Take the mean over the examples."
        )
    return jnp.asarray(value)


def _takes_key(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin tells nothing of itself
        return True
    return any(p.name == "key" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
