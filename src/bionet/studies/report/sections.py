"""The sections of a report, each a piece of Markdown made of the arms of one task.

Arms stand in the order of the study, not in that of their results, and no number stands alone:
means have intervals, differences are paired by seed and say on how many seeds an arm is ahead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from bionet.studies.report import table_cells as cells
from bionet.studies.report.arm_results import (
    COSTS,
    CURVE_COSTS,
    ArmResults,
    is_share,
    lower_is_better,
)
from bionet.studies.report.costs import at_cost, equal_cost, front, reach, thresholds
from bionet.studies.report.statistics import LEAST, coverage, interquartile_mean, mean, paired


@final
@dataclass(frozen=True)
class Task:
    """The arms that have learned the same data and can be compared.

    Attributes:
        name: the data.
        metrics: what is reported, the main one first.
        arms: each with two seeds or more.
        control: the name of the frozen control, where it is among the arms.
        against: the name of the arm that the others are compared with, where it is among them.
    """

    name: str
    metrics: tuple[str, ...]
    arms: tuple[ArmResults, ...]
    control: str | None
    against: str | None

    @property
    def metric(self) -> str:
        """The main metric."""
        return self.metrics[0]

    @property
    def share(self) -> bool:
        """True if the main metric is shown in per cent."""
        return is_share(self.metric, self.arms)

    @property
    def lower(self) -> bool:
        """True if less of the main metric is better."""
        return lower_is_better(self.metric)

    def arm(self, name: str | None) -> ArmResults | None:
        """The arm of this name."""
        return next((arm for arm in self.arms if arm.name == name), None)


def results(task: Task) -> str:
    """Writes the section on what each arm has reached on the test split."""
    shares = [is_share(metric, task.arms) for metric in task.metrics]
    told = [
        f"{metric}, %" if share else metric
        for metric, share in zip(task.metrics, shares, strict=True)
    ]
    header = ["arm", "seeds", told[0], "interquartile mean", *told[1:]]
    rows = [
        [
            f"`{arm.name}`",
            str(len(values := list(arm.values(task.metric).values()))),
            cells.interval(mean(values), shares[0]),
            cells.interval(interquartile_mean(values), shares[0]),
            *(_metric(arm, *each) for each in zip(task.metrics[1:], shares[1:], strict=True)),
        ]
        for arm in task.arms
    ]
    return (
        "Means over seeds on the test split after the last epoch, with 95 % bootstrap intervals. "
        "The interquartile mean leaves out the lowest and the highest quarter of the seeds, in "
        "whole seeds, rounded down.\n\n"
        f"{cells.table(header, rows)}\n\n{_trust(task)}"
    )


def differences(task: Task, other: str) -> str:
    """The arms against another one, seed by seed."""
    reference = task.arm(other)
    if reference is None:
        return ""
    known, rows = reference.values(task.metric), []
    for arm in task.arms:
        values = arm.values(task.metric)
        if arm is reference:
            continue
        if len(set(values) & set(known)) < LEAST:
            rows.append([f"`{arm.name}`", "fewer than two seeds in common", "", ""])
            continue
        found = paired(values, known, lower=task.lower)
        ahead = cells.direction(found, lower=task.lower)
        rows.append([f"`{arm.name}`", cells.gap(found.difference, task.share), cells.wins(found),
                     ahead])  # fmt: skip
    if not rows:
        return ""
    unit = "points" if task.share else task.metric
    header = ["arm", f"difference, {unit}", "seeds ahead", "by its interval"]
    return (
        f"Each arm less `{other}` on the same seed; the interval is that of the mean difference. "
        'Where it holds zero, the two are "not told apart".\n\n' + cells.table(header, rows)
    )


def costs(task: Task) -> str:
    """Writes the section on what each arm has spent, and on which fronts it is."""
    fronts = {cost: task_front(task, cost) for cost in COSTS}
    rows = []
    for arm in task.arms:
        kinds = ("evaluations", "examples", "seconds", "memory")
        spent = [cells.amounts(list(arm.spent(cost).values())) for cost in kinds]
        compiling = max(arm.spent("compile").values(), default=None)
        unbeaten = [cost for cost in COSTS if arm.name in fronts[cost]]
        rows.append([f"`{arm.name}`", *spent,
                     cells.NOTHING if compiling is None else cells.amount(compiling),
                     ", ".join(unbeaten) or "none"])  # fmt: skip
    header = ["arm", "evaluations", "examples", "seconds", "peak memory, MiB",
              "compiling at most, s", "unbeaten at its cost in"]  # fmt: skip
    return (
        "Means over seeds, with an interval where seeds differ. Evaluations are passes of a "
        "network over a batch; seconds are those of training, without compiling; memory is that of "
        "the whole process, with libraries and with what trials before have left in it. An arm is "
        f"unbeaten at its cost where no other has at {'most' if task.lower else 'least'} its mean "
        "for at most its cost.\n\n" + cells.table(header, rows)
    )


def task_front(task: Task, cost: str) -> list[str]:
    """The names of the arms that nothing beats at their cost."""
    spent = {arm.name: list(arm.spent(cost).values()) for arm in task.arms}
    return front(
        {arm.name: mean(list(arm.values(task.metric).values())).value for arm in task.arms},
        {name: sum(values) / len(values) for name, values in spent.items() if values},
        lower=task.lower,
    )


def equal_costs(task: Task) -> str:
    """Writes the section on what arms had reached when all of them had spent as much."""
    amounts = {cost: equal_cost(task.arms, task.metric, cost) for cost in CURVE_COSTS}
    known = {cost: amount for cost, amount in amounts.items() if amount is not None}
    arms = [arm for arm in task.arms if not arm.control]
    if not known or len(arms) < 2:
        return ""
    rows = [
        [f"`{arm.name}`", *(_within(task, arm, cost, amount) for cost, amount in known.items())]
        for arm in arms
    ]
    header = ["arm", *(f"{cells.amount(amount)} {cost}" for cost, amount in known.items())]
    return (
        f"{_name(task)} on validation data after the last epoch that ended within the cost that "
        "every trained arm has spent on every seed.\n\n" + cells.table(header, rows)
    )


def reaching(task: Task, given: Sequence[float] = ()) -> str:
    """Writes the section on the cost of reaching thresholds.

    Args:
        task: the arms.
        given: the levels; none takes those of `bionet.studies.report.costs.thresholds`.
    """
    levels = _levels(task, given)
    costs = [
        cost for cost in CURVE_COSTS if any(arm.curves(task.metric, cost) for arm in task.arms)
    ]
    if not levels or not costs:
        return ""
    rows = []
    for level in levels:
        for arm in task.arms:
            found = [
                reach(arm.curves(task.metric, cost), level, lower=task.lower) for cost in costs
            ]
            most = max(found, key=lambda each: each.seeds)  # a cost may be missing
            seeds = f"{most.reached} of {most.seeds}" if most.seeds else "no curve"
            told = cells.number(level, task.share)
            rows.append([told, f"`{arm.name}`", seeds, *map(cells.format_reach, found)])
    told = "; ".join(f"{cells.number(level, task.share)}: {why}" for level, why in levels.items())
    header = [f"threshold{', %' if task.share else ''}", "arm", "seeds that reach it", *costs]
    return (
        f"What was spent when an epoch first ended at a threshold of {task.metric} on validation "
        "data: the median over all seeds with a curve, where one that never reaches it counts as "
        f"more than any other, and the range of those that do. Thresholds: {told}.\n\n"
        + cells.table(header, rows, text=2)
    )


def settings(arms: Sequence[ArmResults]) -> str:
    """Writes the section on how each arm was set up."""
    rows = []
    for arm in arms:
        chosen: Mapping[str, object] = {
            **arm.config.get("overrides", {}),
            **arm.config.get("options", {}),
        }
        told = ", ".join(f"{name} = {value}" for name, value in sorted(chosen.items()))
        recipe = arm.config.get("recipe", "unknown")
        row = [f"`{recipe}`", arm.method, arm.task, told or "as the recipe has it"]
        rows.append([f"`{arm.name}`", *map(cells.words, row)])
    return cells.table(["arm", "recipe", "method", "data", "set"], rows, text=5)


def _metric(arm: ArmResults, metric: str, share: bool) -> str:
    values = list(arm.values(metric).values())
    return cells.interval(mean(values), share) if len(values) >= LEAST else cells.NOTHING


def _trust(task: Task) -> str:
    fewest = min(len(arm.values(task.metric)) for arm in task.arms)
    part = 100 * coverage(fewest)
    return (
        f"Where results spread normally, such an interval over {fewest} seeds holds the true mean "
        f"in about {part:.0f} of 100 studies; it reaches 95 with many seeds."
    )


def _name(task: Task) -> str:
    name = task.metric[:1].upper() + task.metric[1:]
    return f"{name} in per cent" if task.share else name


def _within(task: Task, arm: ArmResults, cost: str, amount: float) -> str:
    values = [at_cost(curve, amount) for curve in arm.curves(task.metric, cost)]
    found = [value for value in values if value is not None]
    if len(found) < max(LEAST, len(values)):
        return "no epoch ended yet"
    return cells.interval(mean(found), task.share)


def _levels(task: Task, given: Sequence[float]) -> dict[float, str]:
    if given:
        return dict.fromkeys(sorted(given, reverse=task.lower), "as it was asked for")
    found = thresholds(task.arms, task.metric, task.control, task.against)
    return {level: f"{why}, rounded to the easier side" for why, level in found.items()}
