"""One table over several studies, or over two runs of one: what stands beside what.

Each study keeps its own control and its own seeds. Numbers of different tasks stand in one table
and are not ranked. Arms of one name and recipe that ran twice, on the same data, are compared seed
by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bionet._core.files import write_whole
from bionet.plotting.learning_curve import default_style
from bionet.studies.design.loading import FILE, StudyFile
from bionet.studies.report import table_cells as cells
from bionet.studies.report.arm_results import COSTS, ArmResults
from bionet.studies.report.figures import draw_heat_map
from bionet.studies.report.report import (
    FIGURES,
    command,
    inside,
    list_left_out,
    read_study,
    tasks_of,
)
from bionet.studies.report.sections import Task
from bionet.studies.report.statistics import LEAST, mean, paired
from bionet.studies.run.status import Status

COMPARISON = "compare.md"


def compare(paths: Sequence[str | Path], out: str | Path | None = None) -> str:
    """Holds the results of studies side by side.

    Args:
        paths: study files, or directories with a file `study.py`.
        out: a directory that the table is written into as compare.md, with heat maps of method by
            application; None writes nothing.

    Returns:
        The table, as Markdown.

    Raises:
        ValueError: there is no study at a path, its results are those of another one, there are
            fewer than two seeds, or a path comes twice.
        OSError: the files cannot be written.

    Example:
        >>> from bionet.studies.report.compare import compare
        >>> print(compare(["research/studies/a", "research/studies/b"]))  # doctest: +SKIP
    """
    found = [read_study(path) for path in paths]
    labels = _labels([file for file, _ in found])
    labelled, notes = [], []
    for label, (_, status) in zip(labels, found, strict=True):
        tasks = tasks_of(status)
        labelled += [(label, task) for task in tasks]
        notes += _notes(label, status, tasks)
    parts = ["# Studies side by side"]
    if out is not None:
        parts += [_write([file for file, _ in found], Path(out)), *_draw(labelled, Path(out))]
    parts += [_table(labelled), _runs(labelled)]
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    text = "\n\n".join(part for part in parts if part)
    if out is not None:
        write_whole(Path(out) / COMPARISON, text + "\n")
    return text


def _write(files: Sequence[StudyFile], out: Path) -> str:
    done = f"{command('compare', *files)} --out {inside(out)}"
    return f"Written by `{done}` from the lines of these studies; change nothing by hand."


def _table(labelled: Sequence[tuple[str, Task]]) -> str:
    rows = []
    for label, task in labelled:
        control = task.arm(task.control)
        for arm in task.arms:
            reached = mean(list(arm.values(task.metric).values()))
            unit = " %" if task.share else ""
            spent = [cells.amounts(list(arm.spent(cost).values())) for cost in COSTS]
            rows.append([label, arm.application, arm.task, f"`{arm.name}`", arm.method,
                         str(reached.seeds), f"{task.metric}{unit}",
                         cells.interval(reached, task.share), _over(task, arm, control),
                         *spent])  # fmt: skip
    names = ["study", "application", "data", "arm", "method", "seeds", "metric", "mean"]
    header = [*names, "over the study's control", "evaluations", "seconds", "memory, MiB"]
    return (
        "Means over seeds on the test split after the last epoch, with 95 % bootstrap intervals. "
        "Rows of different data, or of studies with different budgets, cannot be ranked.\n\n"
        + cells.table(header, rows, text=5)
    )


def _over(task: Task, arm: ArmResults, control: ArmResults | None) -> str:
    if control is None:
        return "no control"
    if arm is control:
        return "the control"
    values, others = arm.values(task.metric), control.values(task.metric)
    if len(set(values) & set(others)) < LEAST:
        return "fewer than two seeds in common"
    found = paired(values, others, lower=task.lower)
    return f"{cells.gap(found.difference, task.share)}, ahead on {cells.wins(found)}"


def _runs(labelled: Sequence[tuple[str, Task]]) -> str:
    """Arms of one name in several studies, seed by seed."""
    rows = []
    first: dict[tuple[str, str, str, str], tuple[str, ArmResults]] = {}
    for label, task in labelled:
        for arm in task.arms:
            key = (task.name, task.metric, arm.name, arm.config.get("recipe", ""))
            there, other = first.setdefault(key, (label, arm))
            values, others = arm.values(task.metric), other.values(task.metric)
            if other is arm or len(set(values) & set(others)) < LEAST:
                continue
            found = paired(values, others, lower=task.lower)
            ahead = cells.direction(found, lower=task.lower)
            alike = "alike" if arm.config == other.config else "not alike"
            rows.append([f"`{arm.name}`", task.name, label, there, alike,
                         cells.gap(found.difference, task.share), cells.wins(found),
                         ahead])  # fmt: skip
    if not rows:
        return ""
    header = ["arm", "data", "in", "less in", "set up", "difference", "seeds ahead",
              "by its interval"]  # fmt: skip
    return (
        "Arms of one name and recipe on the same seeds. Where they are not set up alike, in values "
        "or in budget, that is in the difference too.\n\n" + cells.table(header, rows, text=5)
    )


def _draw(labelled: Sequence[tuple[str, Task]], out: Path) -> list[str]:
    """A heat map for each metric that has more than one column."""
    parts = []
    for metric in dict.fromkeys(task.metric for _, task in labelled):
        name = f"heat-map-{'-'.join(metric.split())}.svg"
        tasks = [(label, task) for label, task in labelled if task.metric == metric]
        with default_style():
            drawn = draw_heat_map(tasks, out / FIGURES / name)
        if drawn is not None:
            parts.append(f"![{metric}, method by application]({FIGURES}/{name})")
    return parts


def _labels(files: Sequence[StudyFile]) -> list[str]:
    """The names of studies; where one comes twice, with as much of their places as parts them."""
    places = [file.directory if file.path.name == FILE else file.path for file in files]
    for place in places:
        if places.count(place) > 1:
            raise ValueError(f"The study at '{place}' comes twice. Give each path once.")
    names = [file.study.name for file in files]
    labels, depth = names, 0
    while len(set(labels)) < len(labels):
        depth += 1
        labels = [
            name if names.count(name) == 1 else f"{name} in {'/'.join(place.parts[-depth:])}"
            for name, place in zip(names, places, strict=True)
        ]
    return labels


def _notes(label: str, found: Status, tasks: Sequence[Task]) -> list[str]:
    """Lists what is not in the tables."""
    told = [
        f"arm `{name}` is left out: {why}." for name, why in list_left_out(found, tasks).items()
    ]
    if found.missing:
        trials = "1 trial has" if found.missing == 1 else f"{found.missing} trials have"
        told.append(f"{trials} no line yet.")
    told += [each for each in (found.stale_note(), found.read.told()) if each]
    return [f"{label}: {each}" for each in told]
