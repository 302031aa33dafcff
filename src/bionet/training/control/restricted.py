"""A model of which only a part may learn, for any method: the rest stays as it is.

Methods train the leaves that a model names. `Restricted` wraps a model and names the leaves of
one part, so that the readout alone can be trained by evolution, gradients or a hybrid, with the
same method, optimiser and data as the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, final

import equinox as eqx
import jax
from jaxtyping import Array, PRNGKeyArray, PyTree

from bionet.modules.trained import trained_mask
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
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
        """Returns the answer of the whole model."""
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
    model = Restricted(problem.model, part)
    return replace(problem, model=model, predict=OnWhole(problem.predict)), on_whole(method)


def on_whole(method: AbstractMethod) -> AbstractMethod:
    """The method for a `Restricted` model: its loss is of what the whole answers.

    Raises:
        ValueError: a method that looks at no loss.
    """
    if not hasattr(method, "objective"):
        raise ValueError(
            f"Restricted: needs a method that looks at a loss, got {type(method).__name__}. Freeze "
            "the modules of its network instead, see bionet.modules.frozen."
        )
    where = lambda one: one.objective.predict  # noqa: E731
    before = where(method)
    return eqx.tree_at(where, method, OnWhole(before), is_leaf=lambda node: node is before)


@final
class TrainedReadout(AbstractMethod):
    """Leaves a model at its random start but for one part, which another method trains.

    It is the frozen control where no readout can be solved, since nothing says what it should
    answer (a policy).

    Args:
        method: trains the part; it has to hold an `objective`, as all that look at a loss do.
        part: a function from the model to the nodes that may learn, the readout as a rule.

    Raises:
        ValueError: a method that looks at no loss; at `init`, a model without that part.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="frozen-trained",
        family="control",
        summary="Leave the model at its random start and train its readout by another method.",
        needs=("a model with the part that may be trained",),
    )

    method: AbstractMethod
    part: Callable[[PyTree], Any] = eqx.field(static=True)

    def __init__(self, method: AbstractMethod, part: Callable[[PyTree], Any]) -> None:
        self.method, self.part = on_whole(method), part

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, and what the other method remembers of its part."""
        try:
            self.part(model)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise unmet(self.spec, self.spec.needs[0], model) from None
        return _of_whole(self.method.init(Restricted(model, self.part), key))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """A step of the other method."""
        after, metrics = self.method.step(self._restrict(train_state), batch, key)
        return _of_whole(after), metrics

    def finish(self, train_state: TrainState) -> PyTree:
        """The whole model, with the part as it is trained."""
        return self.method.finish(self._restrict(train_state)).whole

    def _restrict(self, train_state: TrainState) -> TrainState:
        model = Restricted(train_state.model, self.part)
        return TrainState(model, train_state.memory, train_state.step)


def _of_whole(train_state: TrainState) -> TrainState:
    return TrainState(train_state.model.whole, train_state.memory, train_state.step)
