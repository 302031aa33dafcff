"""The setup of a run as plain data, for the command, for resume and for studies alike.

A `Setup` names a recipe, its data set, the numbers that were changed, and the method with its
options if that is not the recipe's own. It goes to JSON and back, and its hash names a run. The
JSON also holds every number of the recipe, so that a line says all that its numbers depend on, and
so that another default gives another hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from bionet._core.ownership import own_fields

if TYPE_CHECKING:
    from bionet.zoo.recipe import Recipe

Json = dict[str, Any]


@final
@dataclass(frozen=True)
class Setup:
    """A recipe as it is set up for a run.

    Args:
        recipe: its id.
        dataset: the name of the data set; None is the recipe's own.
        overrides: the numbers in which it differs from the recipe, by their flat names.
        method: the word of the method; None is the recipe's own.
        options: of that method; the rest has its defaults.
        budget: for how long it trains, where that is not the recipe's own; not read by `build`.
        seed: of the run, where the description is of one run.
    """

    recipe: str
    dataset: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        own_fields(self, "overrides", "options", "budget")

    def build(self) -> Recipe[Any]:
        """The recipe, set up; nothing is loaded and no network is built.

        Raises:
            UnknownRecipeError: no such recipe; the message names the nearest.
            ValueError: a data set that the recipe does not take, or an unknown number, method or
                option, with the nearest.
        """
        from bionet import zoo

        recipe = zoo.get(self.recipe).on(self.dataset).replace(**self.overrides)
        return recipe if self.method is None else recipe.switch(self.method, self.options)

    def to_dict(self) -> Json:
        """All that the numbers of a run depend on, as plain JSON."""
        from bionet.training.options import write_options

        recipe = self.build()
        described = {
            "recipe": recipe.id,
            "dataset": recipe.config.dataset,
            "method": self.method,
            "options": {} if recipe.switched is None else write_options(recipe.switched.options),
            "overrides": dict(self.overrides),
            "config": recipe.written(),
            **_origin(self.method),
            **({} if self.budget is None else {"budget": dict(self.budget)}),
            **({} if self.seed is None else {"seed": self.seed}),
        }
        return json.loads(json.dumps(described, default=repr))

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Setup:
        """The setup that `to_dict` has described; what else the mapping holds is not looked at."""
        known = [each.name for each in dataclasses.fields(cls)]
        named = {name: described[name] for name in known if name in described}
        return cls(**{name: _tuples(value) for name, value in named.items()})

    @property
    def hash(self) -> str:
        """16 digits of the sha256 of its JSON."""
        return short_hash(self.to_dict())


def _origin(method: str | None) -> dict[str, str]:
    """The sha256 of the user's file that a method came from, if it came from one."""
    from bionet.training.registry import METHODS

    sha256 = None if method is None else METHODS.origin(method)
    return {} if sha256 is None else {"plugin": sha256}


def short_hash(value: Any) -> str:
    """16 hexadecimal digits of the sha256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tuples(value: Any) -> Any:
    """Lists as tuples, as configs have them: JSON knows lists alone."""
    if isinstance(value, list):
        return tuple(_tuples(each) for each in value)
    return {k: _tuples(v) for k, v in value.items()} if isinstance(value, dict) else value
