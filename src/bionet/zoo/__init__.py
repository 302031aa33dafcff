"""The zoo: recipes that run, found by what they are for and how they train.

`zoo.list_recipes(application="prototypes")` says what there is, `zoo.get(id).demo()` runs it,
and `zoo.cite(id)` gives the papers. Importing this package loads neither JAX nor any recipe;
`zoo.Recipe`, `zoo.Budget` and `zoo.Result` are imported when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bionet._core.lazy_names import lazy_names
from bionet.zoo.lookup import cite, get, list_recipes, matrix, names, register
from bionet.zoo.registry import REGISTRY, Registry, UnknownRecipeError
from bionet.zoo.spec import Band, Cost, Margin, RecipeSpec, Reference

if TYPE_CHECKING:
    from bionet.zoo.fields import Budget
    from bionet.zoo.recipe import Recipe
    from bionet.zoo.result import Result

__all__ = [
    "REGISTRY",
    "Band",
    "Budget",
    "Cost",
    "Margin",
    "Recipe",
    "RecipeSpec",
    "Reference",
    "Registry",
    "Result",
    "UnknownRecipeError",
    "cite",
    "get",
    "list_recipes",
    "matrix",
    "names",
    "register",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Budget": "bionet.zoo.fields",
        "Recipe": "bionet.zoo.recipe",
        "Result": "bionet.zoo.result",
    },
)
