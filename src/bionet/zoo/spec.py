"""The spec of a recipe: all that the zoo knows before it imports it.

A `RecipeSpec` is frozen data: an id, four tags (application, method, architecture,
family), one sentence, the place of the code as "module:attribute", the papers, the
numbers to expect and what they cost. Everything is checked when it is made, so that a
slip in the catalogue or in a plug-in is told at once and by name. This file needs the
standard library alone: listing the zoo loads no JAX.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from bionet._core.bibliography import Reference, reference
from bionet._core.names import closest

FAMILIES = ("control", "local", "zeroth-order", "first-order", "transfer", "hybrid")
"""The families of training methods, ordered by how much of the loss they see."""

_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ENTRY_POINT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Band:
    """The range in which the mean of a held-out metric over seeds is expected to fall.

    One run spreads more than a mean of five: its own range is `run_low` to `run_high`.

    Args:
        metric: the name of the metric, such as "accuracy".
        low: the lower end, in the metric's own unit (accuracy from 0 to 1).
        high: the upper end.
        seeds: over how many seeds the range was measured.
        study: the script or the study that measured it.
        dataset: the data set that it holds for.
        run_low: the lower end for one new run; None where nobody has worked it out.
        run_high: the upper end for one new run.

    Raises:
        ValueError: the ends are not finite or not in order, one end of a run is given without the
            other, or there is no seed.
    """

    metric: str
    low: float
    high: float
    seeds: int
    study: str = ""
    dataset: str = ""
    run_low: float | None = None
    run_high: float | None = None

    def __post_init__(self) -> None:
        _need_ends(f"The band of {self.metric!r}", self.low, self.high)
        if (self.run_low, self.run_high) != (None, None):
            _need_ends(f"The band of {self.metric!r} for one run", self.run_low, self.run_high)
        if self.seeds < 1:
            raise ValueError(
                f"The band of {self.metric!r} needs at least one seed, got {self.seeds}."
            )


@dataclass(frozen=True)
class Margin:
    """By how much the mean of a held-out metric is expected to lie above that of something else.

    Args:
        over: "frozen control", "ablation", or the name of a baseline.
        least: the least difference, in the metric's own unit. Below 0 it says by how much the
            recipe may stay behind: a measured optimum, or an ablation that is on a par with it.
        dataset: the data set that it holds for.

    Raises:
        ValueError: no name, or a number that is not finite.
    """

    over: str
    least: float
    dataset: str = ""

    def __post_init__(self) -> None:
        if not self.over or not math.isfinite(self.least):
            raise ValueError(
                f"A margin needs the name of what it is over and a finite number, got "
                f"{self.over!r} and {self.least}."
            )


@dataclass(frozen=True)
class Cost:
    """The measured cost of a recipe.

    Args:
        demo_seconds: seconds of `demo()`, warm.
        device: the machine it was measured on, such as "2 CPU cores".
        cold_seconds: seconds from the start of the process to the end of its first `demo()`,
            with nothing compiled before.
        peak_memory_mib: the largest memory of the process, in MiB.

    Raises:
        ValueError: a number is negative or not finite.
    """

    demo_seconds: float
    device: str
    cold_seconds: float | None = None
    peak_memory_mib: float | None = None

    def __post_init__(self) -> None:
        for name in ("demo_seconds", "cold_seconds", "peak_memory_mib"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Cost {name} needs a finite number >= 0, got {value}.")


@dataclass(frozen=True)
class RecipeSpec:
    """A recipe's entry in the zoo.

    Args:
        id: the name, in kebab case, `application-variant`.
        application: what the network is for, in kebab case.
        method: how it is trained, in kebab case.
        architecture: what is trained, in kebab case.
        family: one of `FAMILIES`.
        summary: one line on what a reader gets.
        entry_point: where the recipe is, as "module:attribute"; imported on first use.
        references: the papers that it follows, each as a key of `references.bib` or, from another
            package, as a `Reference`; the spec holds the papers themselves.
        datasets: the names of the data sets that `fit` takes, the default first.
        expected: the measured bands, one per metric and data set.
        margins: the measured differences to its baselines, its control and its ablation.
        cost: the measured cost, or None where nothing was measured yet.
        step_unit: what `demo(steps=...)` counts, in the singular.

    Raises:
        TypeError: a field that holds many is no tuple of the right things.
        ValueError: an id or a tag is not in kebab case, the family is unknown, the summary
            is not one line, or the entry point is not "module:attribute".

    Example:
        >>> spec = RecipeSpec(
        ...     id="prototypes-hebb",
        ...     application="prototypes",
        ...     method="hebb",
        ...     architecture="binary-mlp",
        ...     family="local",
        ...     summary="Noisy prototypes, learned by Hebb's rule.",
        ...     entry_point="my_package.hebb:RECIPE",
        ... )
        >>> spec.to_dict()["family"]
        'local'
    """

    id: str
    application: str
    method: str
    architecture: str
    family: str
    summary: str
    entry_point: str
    references: tuple[Reference | str, ...] = ()
    datasets: tuple[str, ...] = ()
    expected: tuple[Band, ...] = ()
    margins: tuple[Margin, ...] = ()
    cost: Cost | None = None
    step_unit: str = "epoch"

    def __post_init__(self) -> None:
        where = f"Recipe {self.id!r}"
        for name in ("id", "application", "method", "architecture"):
            _need_kebab(where, name, getattr(self, name))
        if self.family not in FAMILIES:
            near = closest(self.family, FAMILIES, count=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{where} needs a family out of {', '.join(FAMILIES)}, got {self.family!r}.{hint}"
            )
        if not self.summary.strip() or "\n" in self.summary:
            raise ValueError(f"{where} needs a summary of one line, got {self.summary!r}.")
        if not _ENTRY_POINT.fullmatch(self.entry_point):
            raise ValueError(
                f"{where} needs an entry point of the form 'module:attribute', got "
                f"{self.entry_point!r}."
            )
        _need_strings(where, "datasets", self.datasets)
        object.__setattr__(self, "references", _look_up(where, self.references))
        _need_tuple(where, "references", self.references, Reference)
        _need_tuple(where, "expected", self.expected, Band)
        _need_tuple(where, "margins", self.margins, Margin)

    @property
    def papers(self) -> tuple[Reference, ...]:
        """The papers that it follows."""
        return tuple(each for each in self.references if isinstance(each, Reference))

    def load(self) -> Any:
        """Imports the recipe.

        Returns:
            The object that the entry point names, a `bionet.zoo.Recipe`.

        Raises:
            ImportError: the module does not import, or has no such attribute.
        """
        module_name, _, attribute = self.entry_point.partition(":")
        where = f"Recipe {self.id!r} cannot be loaded from {self.entry_point!r}"
        try:
            found = importlib.import_module(module_name)
        except ImportError as error:
            raise ImportError(f"{where}: {error}. Install what is missing.") from error
        try:
            for name in attribute.split("."):
                found = getattr(found, name)
        except AttributeError as error:
            raise ImportError(
                f"{where}: {error}. Correct the entry point of its RecipeSpec."
            ) from error
        return found

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain dictionaries, lists, strings and numbers, ready for JSON."""
        return json.loads(self.to_json())

    def to_json(self) -> str:
        """The spec as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False)


def _look_up(where: str, given: object) -> object:
    """Papers in place of their keys.

    Raises:
        ValueError: a key that no paper has, with the nearest.
    """
    if not isinstance(given, tuple):
        return given
    try:
        return tuple(reference(each) if isinstance(each, str) else each for each in given)
    except ValueError as error:
        raise ValueError(f"{where}, references: {error}") from None


def _need_ends(where: str, low: float | None, high: float | None) -> None:
    if low is None or high is None or not -math.inf < low <= high < math.inf:
        raise ValueError(f"{where} needs two finite ends with low <= high, got {low} and {high}.")


def _need_kebab(where: str, name: str, value: str) -> None:
    if not isinstance(value, str) or not _KEBAB.fullmatch(value):
        raise ValueError(
            f"{where} needs its {name} in kebab case (small letters and digits, "
            f"joined by hyphens, as in 'prototypes-local'), got {value!r}."
        )


def _need_strings(where: str, name: str, value: object) -> None:
    _need_tuple(where, name, value, str)


def _need_tuple(where: str, name: str, value: object, kind: type) -> None:
    if not isinstance(value, tuple) or not all(isinstance(item, kind) for item in value):
        raise TypeError(f"{where} needs its {name} as a tuple of {kind.__name__}, got {value!r}.")
