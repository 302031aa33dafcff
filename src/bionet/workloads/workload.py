"""A workload: data, network, loss and metric, what they are held against, and no method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final

from jaxtyping import Array, PRNGKeyArray

from bionet._core.names import unknown
from bionet._core.ownership import own_fields
from bionet.datasets import Parts, Splits
from bionet.states.sequential import SequentialState
from bionet.training.control.control import Control
from bionet.training.objective import Objective

if TYPE_CHECKING:  # the graphs are slow to import
    from bionet.training.local.timing import Timing

C = TypeVar("C")

PARTS: Final = ("control", "baselines", "ablation")
"""What stands beside a recipe in its evidence, each with a revision of its own."""


def _absent(config: Any) -> None:
    """None, for a network that has no such thing."""


@final
@dataclass(frozen=True, eq=False)
class Workload(Generic[C]):
    """An application on an architecture; methods train it, recipes say which.

    Attributes:
        id: its name, in kebab case.
        application: what the network is for, in kebab case.
        architecture: what is trained, in kebab case.
        datasets: the names of the data sets that it takes, the default first.
        config: the numbers of data and network: a frozen dataclass with a field `dataset`, each
            field with its default and a comment.
        data: `(config, seed) -> Splits`, or `Parts` where the targets are no classes.
        build: `(config, key) -> model`, untrained.
        objective: `config -> Objective`, how the network answers and the loss of an answer.
        metric: `(outputs, y) -> scalar`, higher is better.
        synthetic: `(config, key, batch_size) -> (x, y)`, like the data, made without files.
        baselines: `(config, splits) -> {name: metric on the test split}` of rules of one line.
        examples: `config -> n`, the training examples, for schedules of learning rates.
        control: how it is measured with its hidden layers frozen; None where no layer is hidden.
        state: `config -> SequentialState`, the sizes of the buffers of an orchestrator, or None.
        settling_steps: `config -> n`, the most steps in which an answer settles, or None.
        timing: `config -> Timing` of a network without a clock, or None.
        metric_name: the word for the metric in tables.
        presets: by data set, the fields in which its config differs from the defaults.
        revisions: how often "control" or "baselines" was changed, counted from 1; raising one has
            that part of all its recipes measured again.

    Raises:
        ValueError: a default data set that is not the first, presets of fields or data sets that
            are not there, a revision of something else, or one that is no whole number from 1 on.
    """

    id: str
    application: str
    architecture: str
    datasets: tuple[str, ...]
    config: C
    data: Callable[[C, int], Splits | Parts]
    build: Callable[[C, PRNGKeyArray], Any]
    objective: Callable[[C], Objective]
    metric: Callable[[Array, Array], Array]
    synthetic: Callable[[C, PRNGKeyArray, int], tuple[Array, Array]]
    baselines: Callable[[C, Any], Mapping[str, float]]
    examples: Callable[[C], int]
    control: Control | None = None
    state: Callable[[C], SequentialState | None] = _absent
    settling_steps: Callable[[C], int | None] = _absent
    timing: Callable[[C], Timing | None] = _absent
    metric_name: str = "accuracy"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own_fields(self, "presets", "revisions")
        where, config = f"Workload {self.id!r}", self.config
        if getattr(config, "dataset", None) != self.datasets[0]:
            raise ValueError(
                f"{where}: `dataset` of its config must be the first of its data sets, "
                f"{self.datasets[0]!r}, got {getattr(config, 'dataset', None)!r}."
            )
        known = self.field_names
        for dataset, fields in self.presets.items():
            if dataset not in self.datasets:
                raise ValueError(f"{where}, presets: {unknown('data set', dataset, self.datasets)}")
            for name in fields:
                if name not in known:
                    raise ValueError(f"{where}, presets: {unknown('field', name, known)}")
        check_revisions(where, self.revisions)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of the fields of its config."""
        config: Any = self.config
        return tuple(each.name for each in dataclasses.fields(config))

    def __copy__(self) -> Workload[C]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Workload[C]:
        """Itself: it is immutable, and methods are kept by it."""
        return self


def check_revisions(where: str, revisions: Mapping[str, int]) -> None:
    """Refuses revisions of what has none, and those that are no counts.

    Raises:
        ValueError: such a revision.
    """
    for part, revision in revisions.items():
        if part not in PARTS:
            raise ValueError(f"{where}, revisions: {unknown('part', part, PARTS)}")
        if not isinstance(revision, int) or isinstance(revision, bool) or revision < 1:
            raise ValueError(
                f"{where}: the revision of {part!r} must be a whole number >= 1, got {revision!r}. "
                "Count one up with each change of that part."
            )
