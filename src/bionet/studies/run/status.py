"""The status of a study: which of its trials have a line, and which lines are its own.

Everything follows from the study and the lines. A line whose configuration the study no longer
has is stale: it stays in the file, and no report counts it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from bionet.studies.design.configuration import final_trials
from bionet.studies.design.loading import StudyFile, load_study
from bionet.studies.design.protocol import Study
from bionet.studies.design.trial import Trial
from bionet.studies.run.store import Line, Read, read_results
from bionet.studies.run.tuning import choose_best, tuning_lines


@final
@dataclass(frozen=True)
class ArmStatus:
    """The status of an arm.

    Attributes:
        tuning: the lines of its tuning trials, in their order.
        tuning_trials: how many there will be.
        done: the lines of its final trials, in the order of the seeds; none before the tuning has
            chosen what they are.
        missing: the final trials without a line; all of them, as far as they are known, while
            the arm is being tuned.
        unready: why no final line can count yet: how far the tuning has come, or that all of it
            diverged. Empty where nothing stands in the way.
    """

    tuning: tuple[Line, ...]
    tuning_trials: int
    done: tuple[Line, ...]
    missing: tuple[Trial, ...]
    unready: str = ""


@final
@dataclass(frozen=True)
class Status:
    """The status of a study.

    Attributes:
        study: the study.
        arms: by name, in the order of the study.
        stale: lines of other configurations than the study has now.
        read: what the file of results holds.
        retuned: how many of the stale lines follow from another number of tuning trials per arm.
    """

    study: Study
    arms: dict[str, ArmStatus]
    stale: int
    read: Read
    retuned: int = 0

    @property
    def lines(self) -> list[Line]:
        """The final lines that belong to the study as it is: what a report is made of."""
        return [line for arm in self.arms.values() for line in arm.done]

    @property
    def missing(self) -> int:
        """The number of final trials without a line."""
        return sum(len(arm.missing) for arm in self.arms.values())

    def stale_note(self) -> str:
        """A sentence or two on the stale lines; empty where there is none."""
        if not self.stale:
            return ""
        lines = "1 line is" if self.stale == 1 else f"{self.stale} lines are"
        told = f"{lines} of other configurations than the study has now, and not counted."
        if not self.retuned or self.study.tuning is None:
            return told
        which = f"{self.retuned} of them {'is' if self.retuned == 1 else 'are'}"
        which = "It is" if self.stale == 1 else which
        return (
            f"{told} {which} of another number of tuning trials per arm than the "
            f"{self.study.tuning.trials} that count here: write that number into the study, or "
            "give it to status and report, as --tune."
        )


def read_status(path: str | Path) -> tuple[StudyFile, Status]:
    """The study at a path, and how far it has come.

    Raises:
        ValueError: there is no study, or its results are those of another one.
    """
    file = load_study(path)
    read = read_results(file.results, file.study.name)
    return file, make_status(file.study, read)


def make_status(study: Study, read: Read) -> Status:
    """Returns the status of a study, by the lines that were read."""
    arms = {name: _arm(study, name, read.lines) for name in study.arms}
    used = sum(len(arm.tuning) + len(arm.done) for arm in arms.values())
    retuned = sum(_retune(study, name, arm, read.lines) for name, arm in arms.items())
    return Status(study, arms, len(read.lines) - used, read, retuned)


def _arm(study: Study, arm: str, lines: Sequence[Line]) -> ArmStatus:
    tuned = study.tuning is not None and arm in study.tuned
    tuning = tuning_lines(study, arm, lines)
    count = study.tuning.trials if study.tuning is not None and tuned else 0
    change = choose_best(tuning) if tuned else None
    finished = {line["trial"]: line for line in lines if line["stage"] == "final"}
    trials = final_trials(study, arm, change)
    if len(tuning) < count:
        unready = f"{len(tuning)} of {count} tuning trials"
        return ArmStatus(tuple(tuning), count, (), tuple(trials), unready)
    if tuned and change is None:
        return ArmStatus(tuple(tuning), count, (), tuple(trials), "every tuning trial diverged")
    return ArmStatus(
        tuple(tuning),
        count,
        tuple(finished[trial.hash] for trial in trials if trial.hash in finished),
        tuple(trial for trial in trials if trial.hash not in finished),
    )


def _retune(study: Study, arm: str, found: ArmStatus, lines: Sequence[Line]) -> int:
    """Counts the lines of an arm that would count with as many tuning trials as have lines."""
    if study.tuning is None or arm not in study.tuned:
        return 0
    tuning = dataclasses.replace(study.tuning, trials=sys.maxsize)
    every = tuning_lines(dataclasses.replace(study, tuning=tuning), arm, lines)
    change = choose_best(every)
    if len(every) == found.tuning_trials or change is None:
        return len(every) - len(found.tuning)
    counted = {line["trial"] for line in found.done}
    others = {trial.hash for trial in final_trials(study, arm, change)} - counted
    finals = sum(line["stage"] == "final" and line["trial"] in others for line in lines)
    return len(every) - len(found.tuning) + finals
