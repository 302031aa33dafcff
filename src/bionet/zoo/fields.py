"""The numbers of a recipe as one flat table of names, wherever each of them lives.

A recipe's numbers belong to its workload's config, to the options of its method (for a hybrid also
to those of the local method inside) or to its budget. `replace`, `--set`, a study's overrides and
the lines of results know one flat list of names; this file says which name is where. On a clash the
workload comes first, then the budget, then the method.

Recipes from before there were workloads keep the names that their lines were written under:
`line_fields.json` lists them, with the name of today where it is another one.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from bionet.training.checks.values import field_types
from bionet.training.registry import METHODS

INSIDE: Final = ("local_options", "method_options")
"""Options that hold those of another method, which have flat names of their own."""

WORKLOAD, BUDGET, OPTIONS, LOCAL = "workload", "budget", "options", "local"

_KEPT: Final[dict[str, dict[str, str]]] = json.loads(
    Path(__file__).with_name("line_fields.json").read_text("utf-8")
)


@final
@dataclass(frozen=True)
class Budget:
    """The training budget of a recipe."""

    batch_size: int = 32  # examples per step
    epochs: int = 10  # passes over the training examples


class Place(NamedTuple):
    """The place of a recipe's number, and its name there."""

    part: str
    name: str


class Entry(NamedTuple):
    """A name in the flat table."""

    place: Place
    owner: type
    type: Any
    default: Any
    later: bool


@final
class FlatFields(Mapping[str, Entry]):
    """The flat names of a recipe, in order: workload, options, budget.

    Args:
        id: of the recipe.
        config: the type of the workload's config.
        words: of the methods that are the recipe's own; one as a rule.
        local: the word of the local method inside a hybrid, or None.
    """

    def __init__(self, id: str, config: type, words: tuple[str, ...], local: str | None) -> None:
        kept = _KEPT.get(id)
        self._written = None if kept is None else tuple(kept)
        self._names = {} if kept is None else {now: then for then, now in kept.items()}
        self._entries: dict[str, Entry] = {}
        self._add(WORKLOAD, config)
        taken = {field.name for field in dataclasses.fields(Budget)}
        for word in words:
            self._add(OPTIONS, METHODS[word].Options, taken)
        if local is not None:
            self._add(LOCAL, METHODS[local].Options, taken)
        self._add(BUDGET, Budget)

    def __getitem__(self, name: str) -> Entry:
        return self._entries[self.display(name)]

    def display(self, name: str) -> str:
        """The flat name of a number that is named as it is where it lives, or so already."""
        return name if name in self._entries else self._names.get(name, name)

    def __eq__(self, other: object) -> bool:
        """Returns whether it is the same one: there is one for the same arguments."""
        return self is other

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def is_written(self, name: str, *, default: bool) -> bool:
        """Returns whether a field stands in the lines of results.

        Args:
            name: of the field.
            default: whether it has its default; one that was added later is left out then.
        """
        if self._written is None:
            return not (default and self[name].later)
        return name in self._written or not default

    def _add(self, part: str, owner: type, taken: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        types = field_types(owner)
        for field in dataclasses.fields(owner):
            name = self._names.get(field.name, field.name)
            if name in self._entries or field.name in taken or field.name in INSIDE:
                continue
            place = Place(part, field.name)
            is_later = bool(field.metadata.get("later"))
            self._entries[name] = Entry(place, owner, types[field.name], field.default, is_later)


@functools.cache
def flat_fields(id: str, config: type, words: tuple[str, ...], local: str | None) -> FlatFields:
    """The flat names of a recipe; see `FlatFields`."""
    return FlatFields(id, config, words, local)


@functools.cache
def flat_type(fields: FlatFields) -> type:
    """A frozen dataclass with the flat names, which a recipe's `config` is an instance of."""
    named = [(name, entry.type) for name, entry in fields.items()]
    return dataclasses.make_dataclass("Config", named, frozen=True, namespace={"FLAT": fields})
