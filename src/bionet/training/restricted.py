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

from bionet.modules.trained import trained_mask
from bionet.training.method import AbstractMethod
from bionet.training.problem import Predict, Problem


@final
class Restricted(eqx.Module):
    """A model whose trained leaves are those of one part.

    Args:
        model: any model.
        part: a function from the model to the nodes that may learn, as for `eqx.tree_at`. What
            the model does not train there, a threshold for example, still does not learn.

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

    whole: PyTree
    part: Callable[[PyTree], Any] = eqx.field(static=True)

    def __init__(self, model: PyTree, part: Callable[[PyTree], Any]) -> None:
        self.whole, self.part = model, part

    def trained(self) -> dict[str, Any]:
        """Of the leaves that the model would train, those of the part."""
        mask = trained_mask(self.whole)
        nothing = jax.tree.map(lambda _: False, self.whole)
        return {"whole": eqx.tree_at(self.part, nothing, self.part(mask))}


@final
class OnWhole(eqx.Module):
    """`predict` of a `Problem` for a `Restricted` model: it answers as the whole does.

    Args:
        predict: how the whole answers.
    """

    predict: Predict

    def __call__(self, model: Restricted, x: Array, key: PRNGKeyArray) -> Array:
        """What the whole model answers."""
        return self.predict(model.whole, x, key)


def inside(
    problem: Problem, method: AbstractMethod, part: Callable[[PyTree], Any]
) -> tuple[Problem, AbstractMethod]:
    """The same problem and method, for a model of which only a part may learn.

    Args:
        problem: any problem.
        method: a method that holds an `objective`, as all that look at the loss do.
        part: a function from the model to the nodes that may learn.

    Raises:
        ValueError: a method that looks at no loss.
    """
    if not hasattr(method, "objective"):
        raise ValueError(
            f"inside: needs a method that looks at a loss, got {type(method).__name__}. Freeze the "
            "modules of its network instead, see bionet.modules.frozen."
        )
    where = lambda one: one.objective.predict  # noqa: E731
    before = where(method)
    method = eqx.tree_at(where, method, OnWhole(before), is_leaf=lambda node: node is before)
    model = Restricted(problem.model, part)
    return replace(problem, model=model, predict=OnWhole(problem.predict)), method
