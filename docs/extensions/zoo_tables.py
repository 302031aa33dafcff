"""Tables that are made out of the registry and the measurements: matrices, families, recipes.

Each function returns Markdown. A cell holds a measured value with its interval and a link to the
page of its recipe, or says that there is none yet.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo_results import (
    IDS,
    STUDIES,
    Measured,
    control_told,
    of_recipe,
    rule_told,
    sets,
    told,
    took,
)

import bionet.experimental.hybrid
import bionet.training  # noqa: F401  (both define the methods that `methods` looks for)
from bionet.training.method import AbstractMethod, MethodSpec
from bionet.training.registry import METHODS
from bionet.zoo.catalogue import SPECS
from bionet.zoo.spec import FAMILIES, RecipeSpec

USUAL_SEEDS = 5
FEW_ARMS = 3
RECIPES = (
    "Recipe,Application,Data,Method,Architecture,Family,Reached,Frozen control,Strongest rule,"
    "Study,Training,Demo"
)
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


def origin(each: Measured, up: str) -> str:
    """A link to the study behind a measurement: to its page, or to the report of a part of it."""
    if each.study == "evidence":
        return f"[evidence]({up}how-to/reproduce-a-number.md#the-evidence)"
    slug, _, part = each.study.partition("/")
    if not part:
        return f"[{slug}]({up}studies/{slug}/index.md)"
    reported = (STUDIES / each.study / "report.md").is_file()
    target = f"{each.study}/report.md" if reported else f"{slug}/index.md"
    return f"[{slug}: {part}]({up}studies/{target})"


def reached(arms: list[Measured]) -> str:
    """The values of few arms; of many the range of their means, and no bare best."""
    metric = "" if arms[0].metric == "accuracy" else f" {arms[0].metric}"
    if len(arms) == 1:
        return told(arms[0].values) + metric
    if len(arms) <= FEW_ARMS:
        return ", ".join(f"{told(arm.values)}{metric} ({arm.arm})" for arm in arms)
    means = [100 * sum(arm.values) / arm.seeds for arm in arms]
    return f"{min(means):.1f} to {max(means):.1f} %{metric}, {len(arms)} arms"


def matrix(found: list[Measured], axis: str, up: str) -> str:
    """Methods by the values of another tag; under each value stand its control and strongest rule.

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
        here = [arms for arms in sets(found, spec.id) if arms[0].method == method]
        if here or spec.method == method:
            link = f"[{spec.id}]({up}zoo/{spec.id}.md)"
            told_of = [_entry(arms, up) for arms in here] or [NONE]
            entries += [f"{link}<br>{told_of[0]}", *told_of[1:]]
    return " ".join(f'<span class="entry">{entry}</span>' for entry in entries) or NONE


def _entry(arms: list[Measured], up: str) -> str:
    """What arms of one study reached on one data set, and their frozen control."""
    each = arms[0]
    told_of = [f"{reached(arms)} on {each.dataset}"]
    if each.seeds != USUAL_SEEDS:
        told_of.append(count(each.seeds, "seed"))
    if any(arm.changed for arm in arms):
        told_of.append("other settings")
    study = "" if each.study == "evidence" else f" ({origin(each, up)})"
    entry = f"{', '.join(told_of)}{study}"
    if each.control:
        entry += f'<br><span class="frozen">frozen {told(each.control)}</span>'
    if each.baselines:
        entry += f'<br><span class="frozen">{rule_told(each)}</span>'
    return entry


def family(found: list[Measured], name: str, up: str) -> str:
    """The methods of a family, and what each has reached: in its recipes, or else in studies."""
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
                "<br>".join(reached or _elsewhere(found, spec.name, up)) or NONE,
            ]
        )
    return (
        table(["method", "in Python", "idea", "needs", "measured"], rows)
        if rows
        else "No method yet."
    )


def _elsewhere(found: list[Measured], method: str, up: str) -> list[str]:
    """What a method without a recipe of its own has reached on those of others, in studies."""
    return [
        f"[{id}]({up}zoo/{id}.md) {_entry(arms, up)}"
        for id in IDS
        for arms in sets(found, id)
        if arms[0].method == method
    ]


def cost(spec: RecipeSpec) -> str:
    """Seconds of a warm demo, or that nobody has measured it."""
    return NONE if spec.cost is None else took([spec.cost.demo_seconds])


def recipes(found: list[Measured]) -> str:
    """Every recipe on every data set that it was measured on: the table that can be filtered."""
    rows = []
    for spec in SPECS:
        link = f"[{spec.id}]({spec.id}.md)"
        if not of_recipe(spec.id, found):
            tags = [spec.datasets[0], spec.method, spec.architecture, spec.family]
            rows.append([link, spec.application, *tags, *[NONE] * 5, cost(spec)])
        for arms in sets(found, spec.id):
            each = arms[0]
            tags = [each.dataset, each.method, spec.architecture, _rows()[each.method]]
            seeds = count(each.seeds, "seed")
            seeds += ", other settings" if any(arm.changed for arm in arms) else ""
            beside = [control_told(each), rule_told(each)]
            study = f"<span>{origin(each, '../')}, {seeds}</span>"  # one piece of a card
            seconds = [one for arm in arms for one in arm.seconds]
            demo = not each.arm and each.dataset == spec.datasets[0]
            times = [took(seconds) if seconds else NONE, cost(spec) if demo else "none"]
            rows.append([link, spec.application, *tags, reached(arms), *beside, study, *times])
    return table(RECIPES.split(","), rows)


def unmeasured(found: list[Measured]) -> list[str]:
    """The recipes of which nothing has been measured."""
    return [id for id in IDS if not of_recipe(id, found)]
