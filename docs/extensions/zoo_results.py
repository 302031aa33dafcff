"""What has been measured, out of the lines that are committed under `research`.

Three kinds of lines are read. Those of `research/evidence` compare each recipe with its frozen
control, its ablation and its baselines. Those of a study (`bionet study`) have one shape for all
studies. A few studies are older than that shape, and `OLDER` says which of their fields count. No
number on a page of the site is written by hand where it can be taken from here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bionet import zoo
from bionet.zoo.catalogue import SPECS

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "research" / "evidence"
STUDIES = ROOT / "research" / "studies"
sys.path.insert(0, str(EVIDENCE))
import lines  # noqa: E402

IDS = {spec.id: spec for spec in SPECS}
Line = dict[str, Any]


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
        study: "evidence", or the folder under `research/studies`.
        arm: the arm's name in a study that has several.
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
    mean = f"{sum(percents) / len(percents):.1f} %"
    return mean if low == high else f"{mean} [{low:.1f}, {high:.1f}]"


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
    for path in sorted(folder.glob("*/results.jsonl")):
        arms: dict[tuple[str, ...], list[Line]] = {}
        controls: dict[tuple[str, ...], list[float]] = {}
        for line in read(path.parent.name, folder):
            config = line.get("config", {})
            if line.get("stage") != "final" or config.get("recipe") not in IDS:
                continue
            spec = IDS[config["recipe"]]
            place = (spec.id, config["dataset"] or spec.datasets[0])
            if config.get("control"):
                controls.setdefault(place, []).append(line["metrics"][line["metric"]])
            else:
                arm = (*place, config["method"] or spec.method, line["arm"])
                arms.setdefault(arm, []).append(line)
        for (id, dataset, method, arm), found in arms.items():
            metric = found[0]["metric"]
            yield Measured(
                id,
                dataset,
                method,
                metric,
                tuple(line["metrics"][metric] for line in found),
                path.parent.name,
                arm=arm,
                control=tuple(controls.get((id, dataset), ())),
                seconds=tuple(line["seconds"]["run"] for line in found),
                device=found[0]["device"],
            )


def read(study: str, folder: Path = STUDIES) -> list[Line]:
    """The lines of a study, in order."""
    path = folder / study / "results.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def of_recipe(id: str, found: list[Measured]) -> list[Measured]:
    """What has been measured of a recipe under its own method, by data set."""
    order = IDS[id].datasets
    own = [each for each in found if each.recipe == id and each.own and not each.arm]
    return sorted(own, key=lambda each: order.index(each.dataset))


def grouped(found: list[Measured], key: Callable[[Measured], Any]) -> dict[Any, list[Measured]]:
    """The measurements by a key, in order."""
    groups: dict[Any, list[Measured]] = {}
    for each in found:
        groups.setdefault(key(each), []).append(each)
    return groups
