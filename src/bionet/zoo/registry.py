"""The zoo's table of recipes, and the questions that can be put to it.

`REGISTRY` maps ids to specs. It holds the catalogue of this package, and, from the first
question on, the recipes of other installed packages: each entry point of the group
`bionet.recipes` is a `RecipeSpec`, several of them, or a function without arguments that
returns them. A plug-in that fails is left out and its failure kept, for `bionet doctor`.
A name that nobody has is an error with the nearest names, never an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bionet._core.names import unknown
from bionet.zoo.catalogue import SPECS
from bionet.zoo.spec import RecipeSpec

ENTRY_POINT_GROUP = "bionet.recipes"
AXES = ("application", "method", "architecture", "family")
"""The tags by which recipes are filtered and tabulated."""


class UnknownRecipeError(LookupError):
    """No recipe has this id; the message names the nearest ids."""


class Registry(Mapping[str, RecipeSpec]):
    """Recipe ids mapped to their specs, in the order in which they were registered.

    Args:
        specs: the specs to begin with.
        group: the entry-point group to read on first use; None reads no plug-ins.

    Raises:
        ValueError: two specs have one id.
    """

    def __init__(self, specs: Iterable[RecipeSpec] = (), *, group: str | None = None) -> None:
        self._specs: dict[str, RecipeSpec] = {}
        self._failures: dict[str, str] = {}
        self._group = group
        for spec in specs:
            self._add(spec)

    @property
    def failures(self) -> Mapping[str, str]:
        """The errors of plug-ins that could not be read, by name."""
        self._read_plugins()
        return dict(self._failures)

    def __getitem__(self, id: str) -> RecipeSpec:
        self._read_plugins()
        try:
            return self._specs[id]
        except (KeyError, TypeError):
            raise UnknownRecipeError(unknown("recipe", id, self._specs)) from None

    def __iter__(self) -> Iterator[str]:
        self._read_plugins()
        return iter(self._specs)

    def __len__(self) -> int:
        self._read_plugins()
        return len(self._specs)

    def __contains__(self, id: object) -> bool:
        self._read_plugins()
        return id in self._specs

    def get(self, id: str, default: Any = None) -> Any:
        """The spec, or `default` where no recipe has this id."""
        self._read_plugins()
        return self._specs.get(id, default)

    def register(self, spec: RecipeSpec) -> RecipeSpec:
        """Adds a spec and returns it.

        Raises:
            TypeError: it is no RecipeSpec.
            ValueError: its id is taken.
        """
        self._read_plugins()
        return self._add(spec)

    def select(self, **wanted: str | None) -> list[RecipeSpec]:
        """The specs whose tags have the wanted values; None asks for nothing.

        Raises:
            ValueError: no recipe at all has one of the values.
        """
        asked = {axis: value for axis, value in wanted.items() if value is not None}
        for axis, value in asked.items():
            known = {getattr(spec, axis) for spec in self.values()}
            if value not in known:
                raise ValueError(f"No recipe has the {axis} {value!r}. {suggest(value, known)}")
        return [
            spec
            for spec in self.values()
            if all(getattr(spec, axis) == value for axis, value in asked.items())
        ]

    def _add(self, spec: RecipeSpec) -> RecipeSpec:
        if not isinstance(spec, RecipeSpec):
            raise TypeError(f"Only a RecipeSpec can be registered, got a {type(spec).__name__}.")
        if spec.id in self._specs:
            raise ValueError(
                f"A recipe named {spec.id!r} is already registered, at "
                f"{self._specs[spec.id].entry_point!r}. Choose another id, such as '{spec.id}-v2'."
            )
        self._specs[spec.id] = spec
        return spec

    def _read_plugins(self) -> None:
        if self._group is None:
            return
        # Cleared first: a plug-in may itself ask the registry while it is imported.
        group, self._group = self._group, None
        from importlib.metadata import entry_points

        for point in entry_points(group=group):
            try:
                for spec in _specs_of(point.load()):
                    self._add(spec)
            except Exception as error:
                self._failures[point.name] = f"{point.value}: {type(error).__name__}: {error}"


def _specs_of(found: Any) -> Iterable[RecipeSpec]:
    if callable(found):
        found = found()
    return (found,) if isinstance(found, RecipeSpec) else found


def suggest(name: str, known: Iterable[str]) -> str:
    """The second sentence of `unknown`: what was meant, or what there is."""
    return unknown("value", name, known).removeprefix(f"No value is named {name!r}. ")


REGISTRY = Registry(SPECS, group=ENTRY_POINT_GROUP)
