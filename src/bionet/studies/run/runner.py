"""Runs what a study still lacks: tuning, then the final trials, arm by arm and side by side.

Which trials are missing follows from the study and its results, so the same call begins a study,
goes on with one that was cut off, and does nothing to one that is finished. This process alone
writes. What fails is named and kept in `failures.jsonl`; the other trials go on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from bionet._core.names import unknown
from bionet.studies.design.configuration import check, final_trials
from bionet.studies.design.loading import StudyFile, load_study
from bionet.studies.design.protocol import Study
from bionet.studies.design.trial import Trial
from bionet.studies.run.pool import Engine, Pool
from bionet.studies.run.progress import Progress, Tell, silent
from bionet.studies.run.provenance import commit
from bionet.studies.run.status import make_status
from bionet.studies.run.store import Lines, plain, read_results
from bionet.studies.run.tuning import FILE as TUNING_FILE
from bionet.studies.run.tuning import ArmTuning, import_optuna
from bionet.studies.run.worker import MEASURE, Answer, WorkerSetup
from bionet.zoo.setup import Setup

ENGINES: Final = ("local", "ray")
MakeEngine = Callable[[WorkerSetup], Engine]


@final
@dataclass(frozen=True)
class Outcome:
    """The outcome of a call of `run_study`.

    Attributes:
        finished: how many trials it has added to the results.
        failed: what went wrong, a sentence per trial or arm.
        missing: how many final trials still have no line.
    """

    finished: int
    failed: tuple[str, ...]
    missing: int


def run_study(
    path: str | Path,
    *,
    engine: str | MakeEngine = "local",
    jobs: int | None = None,
    address: str | None = None,
    tune: int | None = None,
    tell: Tell = silent,
    work: str = MEASURE,
    platforms: str | None = None,
) -> Outcome:
    """Runs the trials of a study that have no line yet, and adds their lines.

    Args:
        path: the study file, or a directory with a file `study.py`.
        engine: "local" or "ray"; or a function that makes another one.
        jobs: trials at a time; None is one per core, on Ray one per CPU of the cluster.
        address: of a Ray cluster; None starts one on this machine.
        tune: tuning trials per arm, instead of the study's number.
        tell: called with the progress, and with a sentence on what has just happened.
        work: what is done with a trial, as "module:attribute".
        platforms: what JAX_PLATFORMS is to say in the workers; None leaves it as it is.

    Returns:
        What was done, and what is left.

    Raises:
        ValueError: what the study names does not exist or does not fit, the results are of
            another study, or an engine or option that does not exist. Nothing has run.
        ImportError: Ray or optuna is needed and not installed.
        OSError: the results cannot be written; what was finished is safe.

    Example:
        >>> from bionet.studies import run_study
        >>> run_study("research/studies/mine", jobs=2).missing  # doctest: +SKIP
        0
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"run_study: jobs needs 1 or more, got {jobs}.")
    file = load_study(path)
    file = dataclasses.replace(file, study=with_tuning(file.study, tune))
    check(file.study)
    from bionet.training.plugins import LOADED

    plugins = tuple((plugin.name, plugin.text) for plugin in LOADED.values())
    opening = WorkerSetup(file.text, str(file.path), work, plugins, platforms)
    make = engine if callable(engine) else _maker(engine, jobs, address)
    with ExitStack() as stack:
        results = stack.enter_context(Lines(file.results))
        if results.mended:
            tell(Progress.of(make_status(file.study, read_results(file.results))), results.mended)
        return _Run(file, results, stack, tell).run(lambda: make(opening))


def with_tuning(study: Study, trials: int | None) -> Study:
    """The study with another number of tuning trials.

    Raises:
        ValueError: it says nowhere what to tune, or the number is below 1.
    """
    if trials is None:
        return study
    if study.tuning is None:
        raise ValueError(
            f"Study {study.name!r} has nothing to tune. Give it "
            "tuning=Tuning(trials=..., spaces={arm: {field: space}})."
        )
    return dataclasses.replace(study, tuning=dataclasses.replace(study.tuning, trials=trials))


def _maker(engine: str, jobs: int | None, address: str | None) -> MakeEngine:
    if engine not in ENGINES:
        raise ValueError(unknown("engine", engine, ENGINES))
    if engine == "ray":
        from bionet.studies.run.ray import RayEngine, import_ray

        import_ray()
        return lambda opening: RayEngine(opening, jobs, address)
    if address is not None:
        raise ValueError("An address is that of a Ray cluster; take the engine 'ray' with it.")
    from bionet.studies.run.local import LocalEngine

    return lambda opening: LocalEngine(opening, jobs)


class _Run:
    """One call of `run_study`."""

    def __init__(self, file: StudyFile, results: Lines, stack: ExitStack, tell: Tell) -> None:
        self.file, self.study, self.results = file, file.study, results
        self.stack, self.tell = stack, tell
        read = read_results(file.results, self.study.name)
        self.progress = Progress.of(make_status(self.study, read))
        self.commit = commit(file.directory)
        self.finished, self.failed = 0, []
        self.lines = {line["trial"]: line for line in read.lines}
        self.tunings: dict[str, ArmTuning] = {}
        self.failures: Lines | None = None
        if read.corrupted:
            tell(self.progress, read.told())

    def run(self, engine: Callable[[], Engine]) -> Outcome:
        """Does all that is missing."""
        if self.study.tuning is not None:
            import_optuna()
        trials = [trial for arm in self.study.arms for trial in self._begun(arm)]
        if trials:
            with Pool(engine()) as pool:
                pool.add(trials)
                while pool.busy:
                    self._step(pool)
        self.progress.running = []
        missing = sum(self.progress.total.values()) - sum(self.progress.done.values())
        return Outcome(self.finished, tuple(self.failed), missing)

    def _step(self, pool: Pool) -> None:
        answers = pool.answers()
        self.progress.running = [str(trial) for trial in pool.running]
        for answer in answers:
            pool.add(self._take(answer))
        if not answers:
            self.tell(self.progress, "")

    def _begun(self, arm: str) -> list[Trial]:
        """The first trials of an arm."""
        if self.study.tuning is None or arm not in self.study.tuned:
            return self._final(arm, {})
        file = self.file.directory / TUNING_FILE
        self.tunings[arm] = ArmTuning(self.study, arm, file, list(self.lines.values()))
        return self._next(arm)

    def _next(self, arm: str) -> list[Trial]:
        """The next tuning trial of an arm, or its final trials when there is none."""
        tuning = self.tunings[arm]
        trial = tuning.next()
        if trial is not None:
            return [trial]
        self.progress.tuned[arm] = self.progress.to_tune[arm]
        change = tuning.choice()
        if change is None:
            told = f"Arm {arm!r}: every tuning trial diverged, so it has no final trials."
            self._fail(told, {"study": self.study.name, "arm": arm, "stage": "tuning"})
            return []
        return self._final(arm, change)

    def _final(self, arm: str, change: Mapping[str, Any]) -> list[Trial]:
        trials = final_trials(self.study, arm, change)
        missing = [trial for trial in trials if trial.hash not in self.lines]
        self.progress.done[arm] = len(trials) - len(missing)
        return missing

    def _take(self, answer: Answer) -> list[Trial]:
        """Writes down what came of a trial, and returns what can be done now."""
        trial, line = answer.trial, answer.line
        if line is None and answer.diverged and trial.stage == "tuning":
            line = _diverged(answer)
        if line is None:
            told = f"{trial} failed: {answer.error['type']}: {_first(answer.error['message'])}"
            named = {"study": trial.study, "arm": trial.arm, "seed": trial.seed}
            self._fail(told, {**named, "trial": trial.hash, "stage": trial.stage, **answer.error})
            return []
        line = plain(line | {"commit": self.commit})  # as a later call reads it from the file
        self.results.append(line)
        self.lines[trial.hash] = line
        self.finished += 1
        self.progress.note(line)
        self.tell(self.progress, _describe(trial, line))
        if trial.stage == "final":
            return []
        self.tunings[trial.arm].tell(line)
        return self._next(trial.arm)

    def _fail(self, told: str, failure: Mapping[str, Any]) -> None:
        if self.failures is None:
            path = self.file.directory / "failures.jsonl"
            self.failures = self.stack.enter_context(Lines(path))
        self.failures.append({**failure, "told": told, "commit": self.commit})
        self.failed.append(told)
        self.progress.failed[failure["arm"]] += 1
        self.tell(self.progress, told)


def _diverged(answer: Answer) -> dict[str, Any]:
    """The line of a tuning trial without a value: a try like any other, and never the best."""
    trial, metric = answer.trial, Setup.from_dict(answer.trial.config).build().metric
    return {
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "trial": trial.hash,
        "stage": trial.stage,
        "number": trial.number,
        "config": trial.config,
        "metric": metric,
        "metrics": {metric: None},
        "curve": [],
        "failed": answer.error["message"],
    }


def _describe(trial: Trial, line: Mapping[str, Any]) -> str:
    """A finished trial in one line."""
    metric = line["metric"]
    value = line["metrics"].get(metric)
    if value is None:
        return f"{trial}: diverged"
    seconds = line.get("seconds") or {}
    costs = [f"{seconds[name]:.1f} s {name}" for name in ("run", "compile") if name in seconds]
    if line.get("peak_memory_mib"):
        costs.append(f"{line['peak_memory_mib']:.0f} MiB")
    return f"{trial}: {metric} {value:.4f}" + (f" ({', '.join(costs)})" if costs else "")


def _first(message: str) -> str:
    return " ".join(message.strip().partition("\n\n")[0].split())
