"""Finds recipes: by id, by tags, by pattern, as a matrix. Nothing but `get` imports a recipe."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from bionet._core.names import unknown
from bionet.zoo.registry import AXES, REGISTRY, suggest
from bionet.zoo.spec import RecipeSpec

if TYPE_CHECKING:
    from bionet.zoo.recipe import Recipe


def get(id: str) -> Recipe[Any]:
    """The recipe of this id, imported now.

    Raises:
        UnknownRecipeError: no recipe has this id; the message names the nearest.
        ImportError: the recipe needs a package that is not installed.

    Example:
        >>> from bionet import zoo
        >>> recipe = zoo.get("prototypes-local")  # doctest: +SKIP
        >>> recipe.demo()  # doctest: +SKIP
    """
    return REGISTRY[id].load()


def list_recipes(
    *,
    application: str | None = None,
    method: str | None = None,
    architecture: str | None = None,
    family: str | None = None,
) -> list[RecipeSpec]:
    """The specs that have all the tags asked for, in the order of registration.

    No recipe is imported. Tags that exist, but on no recipe together, give an empty list.

    Raises:
        ValueError: no recipe has a tag that was asked for; the message names the nearest.

    Example:
        >>> from bionet import zoo
        >>> [spec.id for spec in zoo.list_recipes(application="prototypes", family="local")]
        ['prototypes-local', 'prototypes-async-local']
    """
    return REGISTRY.select(
        application=application, method=method, architecture=architecture, family=family
    )


def names(pattern: str = "*") -> list[str]:
    """The ids that fit a shell pattern (`*`, `?`, `[...]`; case does not count).

    Raises:
        ValueError: no id fits.

    Example:
        >>> from bionet import zoo
        >>> zoo.names("proto*local")
        ['prototypes-local', 'prototypes-async-local']
    """
    found = [id for id in REGISTRY if fnmatchcase(id, pattern.casefold())]
    if not found:
        hint = suggest(pattern.strip("*"), REGISTRY)
        raise ValueError(f"No recipe has an id that fits {pattern!r}. {hint}")
    return found


def register(spec: RecipeSpec) -> RecipeSpec:
    """Adds a recipe to the zoo of this process, and returns its spec.

    A package that should always be found declares the entry point `bionet.recipes` instead.

    Raises:
        TypeError: it is no RecipeSpec.
        ValueError: a recipe of this id exists already.
    """
    return REGISTRY.register(spec)


def matrix(
    rows: str = "method", columns: str = "application"
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Returns the recipes of each pair of tags.

    Args:
        rows: the tag of the outer keys, one of `AXES`.
        columns: the tag of the inner keys, another one.

    Returns:
        For each row value, for each column value, the ids; a cell without a recipe is empty.

    Raises:
        ValueError: an axis does not exist, or both are the same.

    Example:
        >>> from bionet import zoo
        >>> zoo.matrix(rows="family")["local"]["prototypes"]
        ('prototypes-local', 'prototypes-async-local')
    """
    for axis in (rows, columns):
        if axis not in AXES:
            raise ValueError(unknown("axis", axis, AXES))
    if rows == columns:
        raise ValueError(f"A matrix needs two different axes, got {rows!r} twice.")
    specs = list(REGISTRY.values())
    table: dict[str, dict[str, tuple[str, ...]]] = {
        row: dict.fromkeys(sorted({getattr(spec, columns) for spec in specs}), ())
        for row in sorted({getattr(spec, rows) for spec in specs})
    }
    for spec in specs:
        table[getattr(spec, rows)][getattr(spec, columns)] += (spec.id,)
    return table


def cite(id: str) -> str:
    """The BibTeX entries of the papers that a recipe follows, one after the other.

    Raises:
        UnknownRecipeError: no recipe has this id.

    Example:
        >>> from bionet import zoo
        >>> print(zoo.cite("prototypes-local").splitlines()[0])
        @article{badalotti2025dynamical,
    """
    return "\n\n".join(reference.bibtex() for reference in REGISTRY[id].papers)
