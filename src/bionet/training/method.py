"""The contract that every training method keeps.

    method.init(model, key)              -> TrainState
    method.step(train_state, batch, key) -> (TrainState, metrics)
    method.finish(train_state)           -> model

`step` is pure, so it goes under `jit`, `vmap` and `scan`, and `fit` can compile a
whole epoch of it. `finish` hands over the model as the method would leave it now:
for most methods that is `train_state.model`, for a few (a readout that is solved at
the end, averaged weights, the mean of a population) it has to be made first.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, final, get_args

import equinox as eqx
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from bionet._core.names import unknown

Family = Literal["control", "local", "zeroth-order", "first-order", "transfer", "hybrid"]


@final
@dataclass(frozen=True)
class MethodSpec:
    """A method's word, family, needs and sources.

    Attributes:
        name: the word that switches it on, in kebab case.
        family: by the information about the loss that it uses.
        summary: one sentence.
        needs: what a model or problem must offer, in words, such as "a local rule".
        sources: the papers that it follows, as keys of `references.bib`; other packages may name
            theirs as they like.
    """

    name: str
    family: Family
    summary: str
    needs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise ValueError(
                f"MethodSpec {self.name!r}: {unknown('family', self.family, get_args(Family))}"
            )
        for field in ("needs", "sources"):
            object.__setattr__(self, field, _words(self.name, field, getattr(self, field)))

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON-ready data."""
        return asdict(self)


def _words(name: str, field: str, given: Iterable[str]) -> tuple[str, ...]:
    """The words of a field as a tuple, which nobody changes afterwards."""
    words = () if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or not all(isinstance(word, str) for word in words):
        raise TypeError(f"MethodSpec {name!r}: {field} needs a tuple of strings, got {given!r}.")
    return words


@final
class TrainState(eqx.Module):
    """All that training carries from one step to the next.

    Attributes:
        model: the model as it is trained.
        memory: what the method remembers beside it, an optimiser's state for example.
        step: how many steps have been taken.
    """

    model: PyTree
    memory: PyTree
    step: Int[Array, ""]


class AbstractMethod(eqx.Module):
    """A way to train a model, as pure functions on a `TrainState`."""

    spec: eqx.AbstractClassVar[MethodSpec]

    @abc.abstractmethod
    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state before the first step.

        Raises:
            ValueError: the model lacks what the method needs; the sentence names it.
        """

    @abc.abstractmethod
    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step on one batch, and scalars that say how it went."""

    @abc.abstractmethod
    def finish(self, train_state: TrainState) -> PyTree:
        """The model as this method would hand it over now; called outside of `jit`."""


def unmet(spec: MethodSpec, need: str, model: Any) -> ValueError:
    """The error for a model that lacks what a method needs."""
    return ValueError(
        f"The method {spec.name!r} needs {need}, got a model of type "
        f"{type(model).__name__}. Take a model that has it, or another method."
    )
