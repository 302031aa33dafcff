"""A model of which only a part may learn, for any method: the rest stays as it is.

Methods train the leaves that a model names. `Restricted` wraps a model and names the leaves of
one part, so that the readout alone can be trained by evolution, gradients or a hybrid, with the
same method, optimiser and data as the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import equinox as eqx
import jax
from jaxtyping import Array, PRNGKeyArray, PyTree

from bionet.training.problem import Problem


@final
class Restricted(eqx.Module):
    """A model whose trained leaves are those of one part.

    Args:
        model: any model.
        part: a function from the model to the nodes that may learn, as for `eqx.tree_at`.

    Example:
        ```python
        import equinox as eqx
        import jax
        from bionet.modules.trained import partition_trained
        from bionet.training import Restricted

        mlp = eqx.nn.MLP(4, 3, width_size=8, depth=1, key=jax.random.key(0))
        learning, _ = partition_trained(Restricted(mlp, lambda m: m.layers[-1]))
        print([leaf.shape for leaf in jax.tree.leaves(learning)])
        ```
    """

    learning: PyTree
    fixed: PyTree

    def __init__(self, model: PyTree, part: Callable[[PyTree], Any]) -> None:
        nothing = jax.tree.map(lambda _: False, model)
        everything = jax.tree.map(eqx.is_inexact_array, part(model))
        mask = eqx.tree_at(part, nothing, everything)
        self.learning, self.fixed = eqx.partition(model, mask)

    @property
    def whole(self) -> PyTree:
        """The model with what has been learned so far."""
        return eqx.combine(self.learning, self.fixed)

    def trained(self) -> dict[str, bool | Array]:
        """The leaves of the part."""
        return {"learning": True}


def inside(problem: Problem, part: Callable[[PyTree], Any]) -> Problem:
    """The same problem, of whose model only a part may learn.

    Args:
        problem: any problem.
        part: a function from the model to the nodes that may learn.
    """

    def predict(model: Restricted, x: Array, key: PRNGKeyArray) -> Array:
        return problem.predict(model.whole, x, key)

    return replace(problem, model=Restricted(problem.model, part), predict=predict)
