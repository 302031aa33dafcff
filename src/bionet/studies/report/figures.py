"""The figures of a report: from what was measured to the drawings of `bionet.plotting`.

All figures of a task give an arm the same colour and shape. They are SVG files whose bytes follow
from the lines alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bionet.plotting.curve_figures import Curve, plot_curves
from bionet.plotting.heat_map import plot_heat_map
from bionet.plotting.result_figures import Cost, Reached, Spent, plot_front, plot_results
from bionet.studies.report import table_cells as cells
from bionet.studies.report.arm_results import COSTS, CURVE_COSTS, ArmResults
from bionet.studies.report.costs import band
from bionet.studies.report.sections import Task, task_front
from bionet.studies.report.statistics import mean


def draw_results(task: Task, path: Path) -> Path:
    """Each seed of each arm, with means and intervals."""
    control = "; in grey, the control's" if any(arm.control for arm in task.arms) else ""
    plot_results(_reach(task), xlabel=f"{task.metric} on the test split", share=task.share,
                 title=f"{_title(task)}: each seed, mean and 95 % interval{control}",
                 path=path)  # fmt: skip
    return path


def draw_curves(task: Task, cost: str, path: Path) -> Path | None:
    """Learning curves along a cost; None where there is no curve."""
    curves = []
    for place, arm in enumerate(task.arms):
        found = band(arm.curves(task.metric, cost))
        if found is not None:
            y = found.y
            ends = [each.low for each in y], [each.high for each in y]
            points = [each.value for each in y]
            curves.append(Curve(arm.name, found.x, points, *ends, arm.control, place))
    if not any(len(curve.x) > 1 for curve in curves):
        return None
    xlabel = COSTS.get(cost, cost)
    plot_curves(curves, ylabel=f"{task.metric} on validation data", xlabel=xlabel,
                share=task.share, lower=task.lower, title=f"{_title(task)}: mean and 95 % interval",
                path=path)  # fmt: skip
    return path


def curve_costs(task: Task) -> tuple[str, ...]:
    """Along which costs there are curves; along epochs where no cost was measured."""
    known = [cost for cost in CURVE_COSTS if any(a.curves(task.metric, cost) for a in task.arms)]
    return tuple(known) or ("epoch",)


def draw_front(task: Task, path: Path) -> Path | None:
    """Draws the metric against the cost; None where no cost is known."""
    places = {arm.name: place for place, arm in enumerate(task.arms)}
    drawn = []
    for cost, label in COSTS.items():
        spent = [_spent(list(arm.spent(cost).values())) for arm in task.arms]
        if any(spent):
            drawn.append(Cost(label, spent, [places[name] for name in task_front(task, cost)]))
    if not drawn:
        return None
    plot_front(_reach(task), drawn, ylabel=f"{task.metric} on the test split",
               share=task.share, title=f"{_title(task)}: what was reached at what cost",
               path=path)  # fmt: skip
    return path


def draw_heat_map(tasks: Sequence[tuple[str, Task]], path: Path) -> Path | None:
    """Method by application; None where there is one application and one set of data alone.

    A row is a method. Where several arms of a task have the same method, each has a row of its own,
    by its name, since none of them speaks for all.

    Args:
        tasks: each with what tells apart arms of one name and method; all by one metric.
        path: where to save it.
    """
    arms = [(label, task, arm) for label, task in tasks for arm in task.arms]
    columns = list(dict.fromkeys(_column(arm) for _, _, arm in arms))
    if len(columns) < 2:
        return None
    share, lower = all(task.share for _, task in tasks), any(task.lower for _, task in tasks)
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for row, (_, task, arm) in zip(_rows(arms), arms, strict=True):
        reached = mean(list(arm.values(task.metric).values()))
        told = cells.interval(reached, share).replace(" [", "\n[")
        found[row, _column(arm)] = (told, reached.value)
    metric = tasks[0][1].metric
    unit = ", per cent" if share else ""
    plot_heat_map(found, rows=list(dict.fromkeys(row for row, _ in found)), columns=columns,
                  share=share, lower=lower, path=path,
                  title=f"{metric}{unit}; colours compare within a column")  # fmt: skip
    return path


def _rows(arms: Sequence[tuple[str, Task, ArmResults]]) -> list[str]:
    """The row of each arm: the shortest name that parts it from the others of its column."""
    several = len({label for label, _, _ in arms}) > 1
    names: list[Callable[[str, ArmResults], str]] = [
        lambda _, arm: arm.method,
        lambda label, arm: f"{arm.method} ({label})" if several else arm.method,
        lambda _, arm: arm.name.removeprefix(f"{arm.application}-").removeprefix(f"{arm.task}-"),
        lambda _, arm: arm.name,
        lambda label, arm: f"{arm.name} ({label})",
    ]
    rows = [""] * len(arms)
    left = list(range(len(arms)))
    for name in names:
        told = {n: name(arms[n][0], arms[n][2]) for n in left}
        every = [told.get(n, rows[n]) for n in range(len(arms))]
        counts = Counter((row, _column(arm)) for row, (*_, arm) in zip(every, arms, strict=True))
        doubled = {told[n] for n in left if counts[told[n], _column(arms[n][2])] > 1}
        for n in left:
            rows[n] = told[n]
        left = [n for n in left if told[n] in doubled]
    return rows


def _column(arm: ArmResults) -> str:
    return arm.application if arm.application == arm.task else f"{arm.application}\n{arm.task}"


def _reach(task: Task) -> list[Reached]:
    found = []
    for place, arm in enumerate(task.arms):
        values = list(arm.values(task.metric).values())
        reached = mean(values)
        ends = reached.value, reached.low, reached.high
        found.append(Reached(arm.name, *ends, values, arm.control, place))
    return found


def _spent(values: list[float]) -> Spent | None:
    if not values:
        return None
    if len(values) == 1:
        return Spent(values[0], values[0], values[0])
    found = mean(values)
    return Spent(found.value, found.low, found.high)


def _title(task: Task) -> str:
    return task.name
