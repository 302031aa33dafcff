"""A problem: a model, how it answers, how answers are judged, and the data.

A problem knows no method and a method knows no problem, so any of the one can meet
any of the other on the same model, the same split and the same seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from bionet.training.batches import AbstractBatches, Examples

Predict = Callable[[Any, Array, PRNGKeyArray], Array]
Score = Callable[[Array, Array], Float[Array, ""]]

ROW_NAMES: Final = ("epoch", "loss", "seconds")
"""What a row of a history holds beside the metric and what the method tells."""


@final
@dataclass(frozen=True)
class Problem:
    """A task for a model.

    Attributes:
        model: any pytree; the untrained model.
        predict: `(model, x, key) -> outputs`, a row per example.
        loss: `(outputs, y) -> scalar`, a mean over examples; lower is better.
        metric: `(outputs, y) -> scalar`, a mean over examples; higher is better.
        train: the batches to learn from.
        validation: what is looked at while training, for early stopping and tuning.
        test: what is looked at once, at the end.
        metric_name: the word for the metric in tables.
        settings: what it was made with, by name; a checkpoint goes on with the same alone.

    Raises:
        ValueError: a name for the metric that a row of the history has for something else.
    """

    model: PyTree
    predict: Predict
    loss: Score
    metric: Score
    train: AbstractBatches
    validation: Examples | None = None
    test: Examples | None = None
    metric_name: str = "accuracy"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.metric_name in ROW_NAMES:
            raise ValueError(
                f"Problem: metric_name {self.metric_name!r} is the name of another number of each "
                f"epoch ({', '.join(ROW_NAMES)}). Name the metric otherwise."
            )
