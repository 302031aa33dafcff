"""What has been measured, out of the lines that are committed under `research`.

Three kinds of lines are read. Those of `research/evidence` compare each recipe with its frozen
control, its ablation and its baselines. Those of a study (`bionet study`) have one shape for all
studies. A few studies are older than that shape, and `OLDER` says which of their fields count. No
number on a page of the site is written by hand where it can be taken from here.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bionet import zoo
from bionet.studies.report.statistics import LEAST
from bionet.studies.run.status import read_status
from bionet.zoo.catalogue import SPECS

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "research" / "evidence"
STUDIES = ROOT / "research" / "studies"
sys.path.insert(0, str(EVIDENCE))
import lines  # noqa: E402

IDS = {spec.id: spec for spec in SPECS}
BREAKLESS = "\u00a0"  # a space where no line ends
Line = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """What one arm reached on one data set, on held-out data after the last epoch.

    An arm that a study names as a frozen control is no entry of its own; it is the `control` of the
    arms with its recipe and data.

    Attributes:
        recipe: whose model and data it is.
        dataset: which of the recipe's data sets.
        method: how it was trained, the recipe's own method or another one.
        metric: what is counted, a share between 0 and 1.
        values: one for each seed.
        study: "evidence", or the folder under `research/studies`, such as "one-study/a-part".
        arm: the arm's name in a study that has several.
        changed: whether the arm sets fields of the recipe to other values than its own.
        control: the frozen control, one for each seed; empty where there is none.
        ablation: the recipe without what it is about, one for each seed.
        ablated: what that is.
        baselines: trivial rules and optima, by name.
        seconds: of training, one for each seed.
        curves: the loss on validation data after each epoch, one for each seed.
        device: what it ran on, as JAX names it.
    """

    recipe: str
    dataset: str
    method: str
    metric: str
    values: tuple[float, ...]
    study: str
    arm: str = ""
    changed: bool = False
    control: tuple[float, ...] = ()
    ablation: tuple[float, ...] = ()
    ablated: str = ""
    baselines: dict[str, float] = field(default_factory=dict)
    seconds: tuple[float, ...] = ()
    curves: tuple[tuple[float, ...], ...] = ()
    device: str = ""

    @property
    def seeds(self) -> int:
        """How many."""
        return len(self.values)

    @property
    def own(self) -> bool:
        """Whether it is the recipe's own method."""
        return self.method == IDS[self.recipe].method

    @property
    def command(self) -> str:
        """What measures it again."""
        if self.study == "evidence":
            first = IDS[self.recipe].datasets[0]
            other = "" if self.dataset == first else f" --dataset {self.dataset}"
            return f"python research/evidence/run.py {self.recipe}{other}"
        return command_of(self.study)


@dataclass(frozen=True)
class Older:
    """A study whose lines are older than the common shape.

    Attributes:
        study: its folder.
        recipe: whose configuration was run; None if the line says it.
        dataset: on what.
        value: the field of the metric.
        arm: the lines that count, where there are several arms.
        control: the field of the frozen control, or the arm that holds it.
    """

    study: str
    recipe: str | None
    dataset: str
    value: str
    arm: str | None = None
    control: str = ""


OLDER = (
    Older("mnist-local", "classification-local", "mnist", "accuracy", control="control"),
    Older(
        "mnist-local-sparse",
        "classification-local-sparse",
        "mnist",
        "test",
        arm="best",
        control="control: binary, no recurrence",
    ),
    Older("tinyshakespeare", None, "tinyshakespeare", "accuracy"),
)


def command_of(study: str) -> str:
    """What runs a study again."""
    if (STUDIES / study / "run.py").is_file():
        return f"python research/studies/{study}/run.py"
    return f"bionet study run research/studies/{study}"


def told(values: tuple[float, ...]) -> str:
    """The mean in per cent, with its 95 % bootstrap interval if the seeds differ."""
    percents = [100 * value for value in values]
    low, high = lines.interval(percents)
    mean = f"{sum(percents) / len(percents):.1f}{BREAKLESS}%"
    return mean if low == high else f"{mean} [{low:.1f},{BREAKLESS}{high:.1f}]"


def one_run(values: tuple[float, ...]) -> str:
    """Where one new run is expected; a single seed does not say."""
    if len(values) < LEAST:
        return "unknown"
    low, high = lines.one_run(list(values))
    return f"{100 * low:.1f} to {100 * high:.1f}{BREAKLESS}%"


def compared(values: tuple[float, ...], other: float) -> str:
    """A word where something beside a recipe is as good, or better; empty where it is not."""
    word = lines.compared(sum(values) / len(values), other)
    return f" **({word})**" if word else ""


def control_told(each: Measured) -> str:
    """The frozen control, and a word where the recipe does not beat it."""
    if not each.control:
        return "none"
    mean = sum(each.control) / len(each.control)
    return f"{told(each.control)}{compared(each.values, mean)}"


def rule_told(each: Measured) -> str:
    """The strongest one-line rule, and a word where the recipe does not beat it."""
    rules = {name: v for name, v in each.baselines.items() if not lines.is_bound(name)}
    if not rules:
        return "none"
    name = max(rules, key=lambda name: rules[name])
    return f"{name} {100 * rules[name]:.1f}{BREAKLESS}%{compared(each.values, rules[name])}"


def took(seconds: Iterable[float]) -> str:
    """The median of some seconds."""
    median = statistics.median(seconds)
    return f"{median:,.0f}{BREAKLESS}s" if median >= 100 else f"{median:.3g}{BREAKLESS}s"


def everything() -> list[Measured]:
    """All that has been measured of the recipes as they are now."""
    return [*_evidence(), *_older(), *_studies()]


def _evidence() -> Iterator[Measured]:
    for id, dataset, found in lines.measured():
        if id not in IDS:
            continue  # a plug-in that happens to be installed
        metric = found[0]["metric"]
        beside = {
            name: tuple(line[name][metric] for line in found if line[name])
            for name in ("control", "ablation")
        }
        rules = found[0]["baselines"]
        yield Measured(
            id,
            dataset,
            IDS[id].method,
            metric,
            tuple(line["metrics"][metric] for line in found),
            "evidence",
            **beside,
            ablated=(found[0]["ablation"] or {}).get("without", ""),
            baselines={
                name: sum(line["baselines"][name] for line in found) / len(found) for name in rules
            },
            seconds=tuple(line["seconds"] for line in found),
            curves=tuple(tuple(line["losses"]) for line in found),
            device=found[0]["device"],
        )


def _older() -> Iterator[Measured]:
    for older in OLDER:
        all_lines = read(older.study)
        chosen = [line for line in all_lines if older.arm in (None, line.get("arm"))]
        for id in dict.fromkeys(older.recipe or line["recipe"] for line in chosen):
            found = [line for line in chosen if line.get("recipe", id) == id]
            control = [line[older.control] for line in found if older.control in line] or [
                line[older.value] for line in all_lines if line.get("arm") == older.control
            ]
            yield Measured(
                id,
                older.dataset,
                IDS[id].method,
                zoo.get(id).metric,
                tuple(line[older.value] for line in found),
                older.study,
                control=tuple(control),
                seconds=tuple(line["seconds"] for line in found),
                device=found[0]["device"],
            )


def _studies(folder: Path = STUDIES) -> Iterator[Measured]:
    """The arms of the studies that `bionet study` runs, and of their parts.

    Only what a report would count: lines of the study as it is now, of arms that are tuned to the
    end and have an interval. A study without such lines, or without a page, gives nothing.
    """
    for path in sorted(folder.rglob("results.jsonl")):
        name = path.parent.relative_to(folder)
        page = folder / name.parts[0] / "README.md"
        if page.is_file() and (path.parent / "study.py").is_file():
            yield from _arms(name.as_posix(), path.parent)


def _arms(study: str, folder: Path) -> Iterator[Measured]:
    arms = [
        [line for line in arm.done if line["metrics"].get(line["metric"]) is not None]
        for arm in read_status(folder)[1].arms.values()
        if len(arm.tuning) >= arm.tuning_trials
    ]
    arms = [found for found in arms if len(found) >= LEAST]
    arms = [found for found in arms if found[0]["config"]["recipe"] in IDS]
    frozen = grouped([found for found in arms if _is_control(found)], _place)
    for found in (found for found in arms if not _is_control(found)):
        config = found[0]["config"]
        recipe, dataset = _place(found)
        controls = frozen.get((recipe, dataset), [])
        yield Measured(
            recipe,
            dataset,
            config["method"] or IDS[recipe].method,
            found[0]["metric"],
            _values(found),
            study,
            arm=found[0]["arm"],
            changed=bool(config.get("overrides")),
            control=_values(controls[0]) if len(controls) == 1 else (),
            seconds=tuple(line["seconds"]["run"] for line in found),
            device=found[0]["device"],
        )


def _place(found: list[Line]) -> tuple[str, str]:
    config = found[0]["config"]
    return config["recipe"], config["dataset"] or IDS[config["recipe"]].datasets[0]


def _is_control(found: list[Line]) -> bool:
    config = found[0]["config"]
    return bool(config.get("control")) or config["method"] == "frozen"


def _values(found: list[Line]) -> tuple[float, ...]:
    return tuple(line["metrics"][line["metric"]] for line in found)


def read(study: str, folder: Path = STUDIES) -> list[Line]:
    """The lines of a study, in order."""
    path = folder / study / "results.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def of_recipe(id: str, found: list[Measured]) -> list[Measured]:
    """What has been measured of a recipe under its own method, by data set."""
    order = IDS[id].datasets
    own = [each for each in found if each.recipe == id and each.own and not each.arm]
    return sorted(own, key=lambda each: order.index(each.dataset))


def sets(found: list[Measured], id: str) -> list[list[Measured]]:
    """What has been measured of a recipe: its own results, then the arms of each study.

    The arms that a study trains by one method on one data set stand together.
    """
    here = [each for each in found if each.recipe == id]
    return list(grouped(here, lambda each: (each.study, each.dataset, each.method)).values())


def grouped(found: Iterable[T], key: Callable[[T], Any]) -> dict[Any, list[T]]:
    """Things by a key, in order."""
    groups: dict[Any, list[T]] = {}
    for each in found:
        groups.setdefault(key(each), []).append(each)
    return groups
