"""The page of a recipe: its question, what was measured of it, how to run it, all its numbers.

Everything on it comes from the recipe's file, its spec and the committed lines, so a page says
nothing that they do not say.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from zoo_results import (
    STUDIES,
    Measured,
    compared,
    control_told,
    one_run,
    rule_told,
    told,
    took,
)
from zoo_tables import count, origin, reached, table

from bionet import zoo
from bionet.cli.settings import fields_of
from bionet.zoo.spec import Band, RecipeSpec, Reference

INTERVALS = "../how-to/reproduce-a-number.md#intervals"
BANDS = "../how-to/reproduce-a-number.md#bands"


def page(spec: RecipeSpec, found: list[Measured], compared: Sequence[list[Measured]] = ()) -> str:
    """The page.

    Args:
        spec: of the recipe.
        found: what has been measured of it under its own method.
        compared: the arms that studies have made of it, those of one method together.
    """
    parts = [
        *_head(spec),
        *_measured(spec, found),
        *_compared(spec, compared),
        *_cost(spec, found),
        *_run(spec),
        *_config(spec),
        *_sources(spec),
    ]
    return "\n\n".join(parts) + "\n"


def title_of_curve(spec: RecipeSpec, each: Measured) -> str:
    """What the picture shows, in words."""
    first, last = (sum(seed[i] for seed in each.curves) / each.seeds for i in (0, -1))
    return (
        f"Validation loss of {spec.id} on {each.dataset} after each {spec.step_unit}: "
        f"from {first:.3g} to {last:.3g}, mean of {count(each.seeds, 'seed')}"
    )


def curve_file(each: Measured) -> str:
    """The file of a picture, beside the pages."""
    return f"curves/{each.recipe}.{each.dataset}.svg"


def _head(spec: RecipeSpec) -> Iterator[str]:
    module = spec.entry_point.partition(":")[0]
    spec.load()
    question, _, story = inspect.cleandoc(sys.modules[module].__doc__ or "").partition("\n\n")
    yield f"# {spec.id}"
    yield f"**{' '.join(question.split())}**"
    yield spec.summary
    axes = {name: getattr(spec, name) for name in ("application", "method", "architecture")}
    axes["family"] = f"[{spec.family}](../explanation/training-methods.md#{spec.family})"
    yield table(axes, [axes.values()])
    yield (
        f"Data: {', '.join(spec.datasets)}. "
        f"Code: [`{spec.entry_point}`](../reference/recipes.md#{module})."
    )
    yield story


def _measured(spec: RecipeSpec, found: list[Measured]) -> Iterator[str]:
    yield "## What was measured"
    if not found:
        yield "Nothing yet: no committed line fits the recipe as it is now."
    else:
        yield (
            "Held-out data, after the last epoch and never the best one: the mean over the seeds, "
            f"with its [95 % interval]({INTERVALS}) in brackets where the seeds differ. The "
            "[frozen control](../explanation/frozen-control.md) is the same network with its "
            "hidden layer left at its random start."
        )
        yield table(
            [
                *("data", "metric", "reached", "one run", "frozen control", "without"),
                *("strongest rule", "seeds", "study"),
            ],
            [_row(each) for each in found],
        )
        yield "Measured again by:"
        yield "\n".join(["```sh", *dict.fromkeys(each.command for each in found), "```"])
    for each in found:
        if each.baselines:
            rules = ", ".join(_rule(each, name) for name in each.baselines)
            yield f"Beside it on {each.dataset}, means over the same seeds: {rules}."
    yield from _curves(spec, found)
    yield from _bands(spec.expected)


def _row(each: Measured) -> list[str]:
    without = f"{told(each.ablation)}, without {each.ablated}" if each.ablation else "no ablation"
    beside = [one_run(each.values), control_told(each), without, rule_told(each)]
    values = [told(each.values), *beside, str(each.seeds), origin(each, "../")]
    return [each.dataset, each.metric, *values]


def _rule(each: Measured, name: str) -> str:
    """A baseline with its mean, and a word if it reaches the recipe."""
    value = each.baselines[name]
    return f"{name} {100 * value:.1f} %{compared(each.values, value)}"


def _curves(spec: RecipeSpec, found: list[Measured]) -> Iterator[str]:
    for each in found:
        if each.curves:
            words = title_of_curve(spec, each)
            yield f"![{words}]({curve_file(each)})"
            yield f"*{words}. Thin lines are single seeds.*"


def _bands(bands: tuple[Band, ...]) -> Iterator[str]:
    if bands:
        yield (
            "The mean over as many other seeds should come to lie in the first range, and one new "
            f"run in the second, which is wider ([how they are made]({BANDS})):"
        )
        yield table(
            ["data", "metric", "mean over seeds", "one run", "seeds", "study"],
            [
                [
                    band.dataset,
                    band.metric,
                    _range(band.low, band.high),
                    _range(band.run_low, band.run_high),
                    str(band.seeds),
                    _study_of(band),
                ]
                for band in bands
            ],
        )


def _range(low: float | None, high: float | None) -> str:
    return "unknown" if low is None or high is None else f"{100 * low:g} to {100 * high:g} %"


def _study_of(band: Band) -> str:
    name = band.study.rpartition("/")[2]
    if (STUDIES / name / "README.md").is_file():
        return f"[{name}](../studies/{name}/index.md)"
    return f"[{name}](../how-to/reproduce-a-number.md#the-evidence)" if name == "evidence" else name


def _compared(spec: RecipeSpec, compared: Sequence[list[Measured]]) -> Iterator[str]:
    named = list(_studies(spec))
    if compared or named:
        yield "## In studies"
    if compared:
        yield (
            "The same recipe beside others, by several methods or with other settings; its "
            "study's page says which, at what cost, and how to run it again."
        )
        head = ["data", "method", "reached", "frozen control", "seeds", "settings", "study"]
        yield table(head, [_arm_row(arms) for arms in compared])
    yield from named


def _arm_row(arms: list[Measured]) -> list[str]:
    each = arms[0]
    control = told(each.control) if each.control else "none"
    settings = "others" if any(arm.changed for arm in arms) else "its own"
    values = [reached(arms), control, str(each.seeds), settings, origin(each, "../")]
    return [each.dataset, f"`{each.method}`", *values]


def _studies(spec: RecipeSpec) -> Iterator[str]:
    """The studies whose words name the recipe."""
    named = [
        path.parent.name
        for path in sorted(STUDIES.glob("*/README.md"))
        if f"`{spec.id}`" in path.read_text("utf-8")
    ]
    if named:
        links = ", ".join(f"[{name}](../studies/{name}/index.md)" for name in named)
        yield f"Studies whose pages name it: {links}."


def _cost(spec: RecipeSpec, found: list[Measured]) -> Iterator[str]:
    yield "## What it costs"
    rows = []
    if spec.cost is not None:
        again = f"`python research/evidence/costs.py {spec.id}`"
        one = ["1 run", spec.cost.device, again]
        rows.append(["`demo()`, warm", f"{spec.cost.demo_seconds:g} s", *one])
        if spec.cost.cold_seconds is not None:
            rows.append(["the first `demo()` of a process", f"{spec.cost.cold_seconds:g} s", *one])
        if spec.cost.peak_memory_mib is not None:
            rows.append(["peak memory", f"{spec.cost.peak_memory_mib:g} MiB", *one])
    for each in found:
        if each.seconds:
            runs = [count(each.seeds, "run"), f"`{each.device}`, shared with other work"]
            what = [f"training on {each.dataset}, median", took(each.seconds)]
            rows.append([*what, *runs, f"`{each.command}`"])
    if rows:
        yield table(["what", "measured", "runs", "on", "command"], rows)
    else:
        yield "Nobody has measured it yet."


def _run(spec: RecipeSpec) -> Iterator[str]:
    yield "## How to run it"
    others = [f"bionet run {spec.id} --data {name} --seed 0" for name in spec.datasets]
    yield "\n".join(["```sh", f"bionet demo {spec.id}", *others, "```"])
    lines = ["from bionet import zoo", "", f'result = zoo.get("{spec.id}").demo()']
    yield "\n".join(["```python", *lines, "```"])


def _config(spec: RecipeSpec) -> Iterator[str]:
    yield "## Its numbers"
    recipe: Any = zoo.get(spec.id)
    yield "Each can be set by `--set FIELD=VALUE`, or by `zoo.get(...).replace(field=value)`."
    yield table(
        ["field", "default", "type", "what it is"],
        [
            [
                f"`{field.name}`",
                f"`{field.default!r}`",
                f"`{_bar(field.type)}`",
                _bar(field.comment),
            ]
            for field in fields_of(recipe.config)
        ],
    )
    for dataset in spec.datasets:
        if fields := recipe.preset(dataset):
            changed = ", ".join(f"`{name}={value!r}`" for name, value in fields.items())
            yield f"On **{dataset}** it takes {changed}."
    if recipe.ablation:
        changed = ", ".join(f"`{name}={value!r}`" for name, value in recipe.ablation.items())
        yield f"Its ablation, without {recipe.ablated}: {changed}."
    if recipe.brief:
        changed = ", ".join(f"`{name}={value!r}`" for name, value in recipe.brief.items())
        yield f"Its demo is shorter: {changed}."


def _bar(text: str) -> str:
    """`text` for a cell of a table, where a bar would end it."""
    return text.replace("|", "\\|")


def _sources(spec: RecipeSpec) -> Iterator[str]:
    yield "## Sources"
    if not spec.papers:
        yield "It follows no paper."
        return
    yield "\n".join(f"- {_reference(paper)}" for paper in spec.papers)
    yield "To cite what it follows:"
    yield f"```bibtex\n{zoo.cite(spec.id)}\n```"


def _reference(paper: Reference) -> str:
    where = f"{paper.venue}, {paper.year}" if paper.venue else str(paper.year)
    title = f"[{paper.title}]({paper.url})" if paper.url else f"*{paper.title}*"
    return f"{', '.join(paper.authors)}. {title}. {where}."
