"""The report of a study: report.md and its figures, written beside the results.

It is made of the lines that belong to the study as it is, and of nothing else, so two reports on
the same lines are the same to the last byte. What is missing, failed, out of date or corrupted is
named and counted in it. It never says which arm is best: it gives means, intervals, differences
and costs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bionet._core.files import write_whole
from bionet.plotting.learning_curve import default_style
from bionet.studies.design.loading import FILE, StudyFile, load_study
from bionet.studies.design.protocol import Budget, Study
from bionet.studies.report import sections
from bionet.studies.report.arm_results import COSTS, ArmResults, arm_results
from bionet.studies.report.figures import (
    curve_costs,
    draw_curves,
    draw_front,
    draw_heat_map,
    draw_results,
)
from bionet.studies.report.sections import Task
from bionet.studies.report.statistics import LEAST
from bionet.studies.report.table_cells import words
from bionet.studies.run.runner import with_tuning
from bionet.studies.run.status import Status, make_status
from bionet.studies.run.store import Line, read_results

REPORT = "report.md"
FIGURES = "figures"


def write_report(
    path: str | Path, *, thresholds: Sequence[float] = (), tune: int | None = None
) -> Path:
    """Writes the report of a study into its directory.

    Args:
        path: the study file, or a directory with a file `study.py`.
        thresholds: levels of the main metric on validation data whose cost is told; none takes
            levels that follow from the results.
        tune: tuning trials per arm, where the study was run with another number than its own.

    Returns:
        The path of report.md.

    Raises:
        ValueError: there is no study, its results are those of another one, or there are fewer
            than two seeds.
        OSError: the report cannot be written.

    Example:
        >>> from bionet.studies.report.report import write_report
        >>> write_report("research/studies/mine").name  # doctest: +SKIP
        'report.md'
    """
    file, found = read_study(path, tune)
    tasks = tasks_of(found)
    with default_style():
        text = "\n\n".join(part for part in _parts(file, found, tasks, thresholds, tune) if part)
    return write_whole(file.directory / REPORT, text + "\n")


def read_study(path: str | Path, tune: int | None = None) -> tuple[StudyFile, Status]:
    """A study, and how far it has come.

    Raises:
        ValueError: there is no study, it has fewer than two seeds, or its results are those of
            another one.
    """
    file = load_study(path)
    study = with_tuning(file.study, tune)
    study.check_seeds()
    return file, make_status(study, read_results(file.results, study.name))


def tasks_of(found: Status) -> list[Task]:
    """The arms that have values of two seeds or more, by the data that they have learned.

    Raises:
        ValueError: there is no such arm.
    """
    study, tasks = found.study, {}
    for arm in arm_results(found.lines):
        metrics = study.metrics or (arm.metric,)
        if len(arm.values(metrics[0])) >= LEAST:
            tasks.setdefault((arm.task, metrics), []).append(arm)
    if not tasks:
        unready = {name: arm.unready for name, arm in found.arms.items() if arm.unready}
        untuned = ", ".join(f"{name} ({told})" for name, told in unready.items())
        raise ValueError(
            f"No arm of study {study.name!r} has results of {LEAST} seeds yet, and a report needs "
            "them: one number has no interval. Run more of it with `bionet study run`"
            + (f"; arms that are not tuned yet do not count: {untuned}." if untuned else ".")
            + (f" {found.stale_note()}" if found.retuned else "")
        )
    return [
        Task(name, metrics, tuple(arms), _control(arms, study), _among(arms, study.against))
        for (name, metrics), arms in tasks.items()
    ]


def command(action: str, *files: StudyFile) -> str:
    """The command that does something to studies, with their paths inside the repository."""
    places = [file.directory if file.path.name == FILE else file.path for file in files]
    return " ".join(["bionet study", action, *(inside(place) for place in places)])


def inside(place: Path) -> str:
    """A path as it is inside the repository; outside of one, the last part of it."""
    for folder in place.resolve().parents:
        if (folder / ".git").exists():
            return place.resolve().relative_to(folder).as_posix()
    return place.name


def list_left_out(found: Status, tasks: Sequence[Task]) -> dict[str, str]:
    """The arms without a row in any table, and why."""
    counted = {arm.name for task in tasks for arm in task.arms}
    return {name: _why(found, name) for name in found.arms if name not in counted}


def _why(found: Status, name: str) -> str:
    """Says why an arm has no interval."""
    arm = found.arms[name]
    if arm.unready:
        return f"{arm.unready}, so its results do not count yet"
    metrics = found.study.metrics
    values = [len(each.values((*metrics, each.metric)[0])) for each in arm_results(arm.done)]
    count = sum(values)
    return f"values of {count} seed{'' if count == 1 else 's'}, so it has no interval"


def _control(arms: Sequence[ArmResults], study: Study) -> str | None:
    """The study's frozen control, or that of these arms where the study's has other data."""
    frozen = [arm.name for arm in arms if arm.control]
    return _among(arms, study.control) or (frozen[0] if len(frozen) == 1 else None)


def _among(arms: Sequence[ArmResults], name: str | None) -> str | None:
    return name if any(arm.name == name for arm in arms) else None


def _parts(
    file: StudyFile, found: Status, tasks: Sequence[Task], thresholds: Sequence[float],
    tune: int | None,
) -> list[str]:  # fmt: skip
    parts = [_head(file, found.study, tasks), "## Protocol", _protocol(found.study, tasks)]
    for task in tasks:
        parts += _task(file.directory, task, len(tasks) > 1, thresholds)
    if len({task.metric for task in tasks}) == 1:
        path = file.directory / FIGURES / "heat-map.svg"
        heat = draw_heat_map([(found.study.name, task) for task in tasks], path)
        shown = _show(heat, "method by application")
        parts += ["## Method by application", shown] if shown else []
    parts += ["## Settings", sections.settings([arm for task in tasks for arm in task.arms])]
    parts += ["## What is not counted", _not_counted(file, found, tasks)]
    parts += ["## Reproduce", _reproduce(file, tasks, thresholds, tune)]
    return parts


def _head(file: StudyFile, study: Study, tasks: Sequence[Task]) -> str:
    count = len(_lines(tasks))
    return (
        f"# Report: {study.name}\n\n> {words(study.question)}\n\n"
        f"Written by `{command('report', file)}` from {count} lines of `{file.results.name}`. "
        "Every number here follows from them; change nothing by hand."
    )


def _protocol(study: Study, tasks: Sequence[Task]) -> str:
    tuning = "none"
    if study.tuning is not None:
        trials, seed = study.tuning.trials, study.tuning.seed
        each = "" if study.tuning.budget is None else f" of {_amount(study.tuning.budget)}"
        tuning = f"{trials} trials per arm{each}, on the validation split, with seed {seed}"
    lines = {
        "Data": ", ".join(dict.fromkeys(task.name for task in tasks)),
        "Arms": ", ".join(f"`{name}`" for name in study.arms),
        "Seeds": ", ".join(map(str, study.seeds)),
        "Budget of each arm": _amount(study.budget),
        "Tuning": tuning,
        "Metric": ", ".join(dict.fromkeys(name for task in tasks for name in task.metrics))
        + ", after the last epoch",
        "Frozen control": f"`{study.control}`" if study.control else "none",
        "Compared with": f"`{study.against}`" if study.against else "nothing in particular",
    }
    return "\n".join(f"- **{name}:** {told}" for name, told in lines.items())


def _amount(budget: Budget) -> str:
    amount = int(budget.amount) if budget.amount == int(budget.amount) else budget.amount
    return f"{amount:,} {budget.unit}"


def _task(directory: Path, task: Task, named: bool, thresholds: Sequence[float]) -> list[str]:
    """All that is told of the arms of one task."""
    on, prefix = (f" on {task.name}", f"{task.name}-") if named else ("", "")
    place = directory / FIGURES
    where = f"{task.metric} on {task.name}"
    parts = [f"## Results{on}", sections.results(task)]
    shown = draw_results(task, place / f"{prefix}results.svg")
    parts.append(_show(shown, f"{where}: each seed, mean and interval of each arm"))
    others = {f"## Against `{task.against}`{on}": task.against}
    if task.control != task.against:
        others[f"## Over the frozen control{on}"] = task.control
    for title, other in others.items():
        table = "" if other is None else sections.differences(task, other)
        parts += [title, table] if table else []
    parts += [f"## What it costs{on}", sections.costs(task)]
    parts.append(_show(draw_front(task, place / f"{prefix}front.svg"), f"{where} over cost"))
    for cost in curve_costs(task):
        drawn = draw_curves(task, cost, place / f"{prefix}curves-{cost}.svg")
        parts.append(_show(drawn, f"learning curves: {where} over {COSTS.get(cost, cost)}"))
    equal, reach = sections.equal_costs(task), sections.reaching(task, thresholds)
    parts += [f"## At equal cost{on}", equal] if equal else []
    return parts + ([f"## Cost of a threshold{on}", reach] if reach else [])


def _show(path: Path | None, told: str) -> str:
    return "" if path is None else f"![{told}]({FIGURES}/{path.name})"


def _not_counted(file: StudyFile, found: Status, tasks: Sequence[Task]) -> str:
    """Whatever a reader would miss."""
    failures = _failures(file.directory / "failures.jsonl")
    told = [f"{each}: skipped" for each in found.read.corrupted]
    told += [found.stale_note().removesuffix(".")] if found.stale else []
    out = list_left_out(found, tasks)
    others = found.study.control, found.study.against
    for name, arm in found.arms.items():
        if name in out:
            role = ", and nothing can be compared with it" if name in others else ""
            told.append(f"arm `{name}`: {out[name]}{role}")
        for trial in () if arm.unready else arm.missing:
            why = failures.get(trial.hash, "not run yet")
            told.append(f"arm `{name}`, seed {trial.seed}: {words(why)}")
    for arm in arm_results(found.lines):
        for metric in found.study.metrics or (arm.metric,):
            without = arm.without(metric)
            told += [f"arm `{arm.name}`, seed {seed}: no {metric}" for seed in without]
    if not told:
        return "Nothing: every trial has its line, and every line was counted."
    count = "1 entry" if len(told) == 1 else f"{len(told)} entries"
    return f"{count}:\n\n" + "\n".join(f"- {each}" for each in told)


def _failures(path: Path) -> dict[str, str]:
    """Returns the last failure of each trial."""
    found = {}
    for raw in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict) and "trial" in line:
            found[line["trial"]] = str(line.get("told", "failed"))
    return found


def _reproduce(
    file: StudyFile, tasks: Sequence[Task], thresholds: Sequence[float], tune: int | None
) -> str:
    options = "" if tune is None else f" --tune {tune}"
    report = options + "".join(f" --threshold {float(level)!r}" for level in thresholds)
    lines = _lines(tasks)
    commits = _several([_commit(line["commit"]) for line in lines if line.get("commit")])
    devices = _several([line["device"] for line in lines if line.get("device")])
    versions = _several([_versions(line) for line in lines if line.get("versions")])
    return (
        f"```sh\n{command('run', file)}{options}\n{command('report', file)}{report}\n```\n\n"
        f"The lines were taken with {versions}, on {devices}, at commit {commits}."
    )


def _lines(tasks: Sequence[Task]) -> list[Line]:
    """The lines of the arms that count."""
    return [line for task in tasks for arm in task.arms for line in arm.lines]


def _commit(name: str) -> str:
    return name[:12] + " with changes" * name.endswith("+")


def _versions(line: dict[str, Any]) -> str:
    known = {"python": line.get("python", "unknown"), **line["versions"]}
    return ", ".join(f"{name} {version}" for name, version in known.items())


def _several(values: Sequence[str]) -> str:
    return " and ".join(sorted(set(values))) or "an unknown one"
