"""The objective as one function: how a model answers, and how answers are judged.

Methods that look at the loss (evolution, gradients, hybrids) hold one of these. The local
methods hold none: what they use is at the synapse. A whole batch has one key, so whoever
compares several models on a batch can give all of them the same randomness.
"""

from __future__ import annotations

from typing import Any, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.training.problem import Predict, Problem, Score


@final
class Objective(eqx.Module):
    """The loss of a model on a batch; lower is better.

    Args:
        predict: `(model, x, key) -> outputs`.
        loss: `(outputs, y) -> scalar`, a mean over examples.

    Example:
        ```python
        import jax
        from bionet import zoo
        from bionet.training import Objective

        recipe = zoo.get("prototypes-local")
        objective = Objective.of(recipe.problem(seed=0))
        print(objective(recipe.build(), recipe.synthetic_batch(), jax.random.key(0)))
        ```
    """

    predict: Predict
    loss: Score

    @classmethod
    def of(cls, problem: Problem) -> Objective:
        """The objective of a problem."""
        return cls(problem.predict, problem.loss)

    def __call__(self, model: Any, batch: tuple[Array, ...], key: PRNGKeyArray) -> Float[Array, ""]:
        """The loss of `model` on `batch`, which is `(x, y)`.

        Raises:
            TypeError: the loss is no real number.
            ValueError: the loss is no scalar.
        """
        x, y = batch
        return self.judged(self.predict(model, x, key), y)

    def judged(self, outputs: Array, y: Array) -> Float[Array, ""]:
        """The loss of outputs that are there already.

        Raises:
            TypeError: the loss is no real number.
            ValueError: the loss is no scalar.
        """
        value = self.loss(outputs, y)
        if not eqx.is_array_like(value) or jnp.iscomplexobj(value):
            came = value.dtype if eqx.is_array(value) else type(value).__name__
            raise TypeError(f"Objective: the loss needs to be one real number, got {came}.")
        if jnp.shape(value) != ():
            raise ValueError(
                "Objective: the loss needs to be one number per batch, got shape "
                f"{jnp.shape(value)}. Take the mean over the examples."
            )
        return jnp.asarray(value)
