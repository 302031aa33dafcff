"""Tables that are made out of the registry and the measurements: matrices, families, recipes.

Each function returns Markdown. A cell holds a measured value with its interval and a link to the
page of its recipe, or says that there is none yet.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo_results import IDS, Measured, grouped, of_recipe, told

import bionet.experimental.hybrid
import bionet.training  # noqa: F401  (both define the methods that `methods` looks for)
from bionet.training.method import AbstractMethod, MethodSpec
from bionet.zoo.catalogue import SPECS
from bionet.zoo.methods import METHODS
from bionet.zoo.spec import FAMILIES, RecipeSpec

USUAL_SEEDS = 5
NONE = '<span class="none">none yet</span>'


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def methods() -> dict[str, type[AbstractMethod]]:
    """Every method of the package by its name, families in their order."""
    found, left = {}, [AbstractMethod]
    while left:
        for kind in type.__subclasses__(left.pop()):
            left.append(kind)
            spec = kind.__dict__.get("spec")
            if isinstance(spec, MethodSpec) and kind.__module__.startswith("bionet."):
                found[spec.name] = kind
    order = sorted(found, key=lambda name: (FAMILIES.index(found[name].spec.family), name))
    return {name: found[name] for name in order}


def value(each: Measured) -> str:
    """A mean with its interval, what it counts, on what, and the seeds where they are unusual."""
    metric = "" if each.metric == "accuracy" else f" {each.metric}"
    seeds = "" if each.seeds == USUAL_SEEDS else f", {count(each.seeds, 'seed')}"
    return f"{told(each.values)}{metric} on {each.dataset}{seeds}"


def count(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def matrix(found: list[Measured], axis: str, up: str) -> str:
    """Methods by the values of another tag; under each value stands its frozen control.

    Args:
        found: what has been measured.
        axis: "application" or "architecture".
        up: the way from the page to the top of the site, such as "../".
    """
    columns = sorted({getattr(spec, axis) for spec in SPECS})
    rows = []
    for method, family in _rows().items():
        cells = [f"`{method}`<br>{family}"]
        for column in columns:
            here = [spec for spec in SPECS if getattr(spec, axis) == column]
            cells.append(_cell(found, method, here, up))
        rows.append(cells)
    return table([f"method \\ {axis}", *columns], rows)


def _rows() -> dict[str, str]:
    """The methods that a recipe has or that can be switched on, with their families."""
    known = methods()
    families = {name: known[name].spec.family for name in METHODS if name in known}
    families |= {spec.method: spec.family for spec in SPECS}
    families = {name: family for name, family in families.items() if family != "control"}
    return dict(sorted(families.items(), key=lambda item: (FAMILIES.index(item[1]), item[0])))


def _cell(found: list[Measured], method: str, specs: list[RecipeSpec], up: str) -> str:
    entries = []
    for spec in specs:
        link = f"[{spec.id}]({up}zoo/{spec.id}.md)"
        here = [each for each in found if (each.recipe, each.method) == (spec.id, method)]
        for (study, _), arms in grouped(here, lambda each: (each.study, each.dataset)).items():
            entries.append(f"{link}<br>{_arms(study, arms, up)}")
        if not here and spec.method == method:
            entries.append(f"{link}<br>{NONE}")
    return "<br>".join(entries) or NONE


def _arms(study: str, arms: list[Measured], up: str) -> str:
    """The value of a single arm; of several the range of their means, and no bare best."""
    origin = "" if study == "evidence" else f" ([{study}]({up}studies/{study}/index.md))"
    if len(arms) > 1:
        means = [100 * sum(arm.values) / arm.seeds for arm in arms]
        ends = f"{min(means):.1f} to {max(means):.1f} %"
        return f"{ends} on {arms[0].dataset}, {len(arms)} arms{origin}"
    control = arms[0].control
    frozen = f'<br><span class="frozen">frozen {told(control)}</span>' if control else ""
    return f"{value(arms[0])}{origin}{frozen}"


def family(found: list[Measured], name: str, up: str) -> str:
    """The methods of a family, and what the recipes of each have reached."""
    rows = []
    for kind in (kind for kind in methods().values() if kind.spec.family == name):
        spec = kind.spec
        recipes = [each for each in SPECS if each.method == spec.name]
        reached = [
            f"[{recipe.id}]({up}zoo/{recipe.id}.md) {value(each)}"
            for recipe in recipes
            for each in of_recipe(recipe.id, found)
        ]
        rows.append(
            [
                f"`{spec.name}`",
                f"[`{kind.__name__}`][{kind.__module__}.{kind.__name__}]",
                spec.summary,
                ", ".join(spec.needs) or "nothing",
                "<br>".join(reached) or NONE,
            ]
        )
    return (
        table(["method", "in Python", "idea", "needs", "measured"], rows)
        if rows
        else "No method yet."
    )


def cost(spec: RecipeSpec) -> str:
    """Seconds of a warm demo, or that nobody has measured it."""
    return NONE if spec.cost is None else f"{spec.cost.demo_seconds:g} s"


def recipes(found: list[Measured]) -> str:
    """Every recipe on every data set that it was measured on: the table that can be filtered."""
    rows = []
    for spec in SPECS:
        tags = (spec.method, spec.architecture, spec.family)
        measured = of_recipe(spec.id, found)
        link = f"[{spec.id}]({spec.id}.md)"
        for each in measured:
            metric = "" if each.metric == "accuracy" else f" {each.metric}"
            control = told(each.control) if each.control else "none"
            reached = told(each.values) + metric
            seeds = str(each.seeds)
            rows.append(
                [link, spec.application, each.dataset, *tags, reached, control, seeds, cost(spec)]
            )
        if not measured:
            data = spec.datasets[0]
            rows.append([link, spec.application, data, *tags, NONE, NONE, "0", cost(spec)])
    head = "Recipe,Application,Data,Method,Architecture,Family,Reached,Frozen control,Seeds,Demo"
    return table(head.split(","), rows)


def unmeasured(found: list[Measured]) -> list[str]:
    """The recipes of which nothing has been measured."""
    return [id for id in IDS if not of_recipe(id, found)]
