import dataclasses
from pathlib import Path

import pytest

from bionet.studies import Arm, Budget, Study
from bionet.studies.run.runner import run_study
from bionet.studies.run.worker import TrialRunner

WORK = Path(__file__).parent / "work"
NAMES = "Arm, Budget, Choice, LogUniform, Study, Tuning, Uniform, Whole"
HEAD = f"from bionet.studies import {NAMES}\n"


def small_study(**changes):
    """Two arms, two seeds, one epoch of a small network."""
    arms = {"narrow": Arm("prototypes-local", {"hidden": 8}), "wide": Arm("prototypes-local")}
    study = Study("small", "Is it small?", arms, (0, 1), Budget(1))
    return dataclasses.replace(study, **changes)


@pytest.fixture
def study():
    """`study(**changes)` is a valid study."""
    return small_study


@pytest.fixture
def write(tmp_path):
    """`write(study)` writes a file that declares it, and returns its path."""

    def call(study, name="study.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{HEAD}STUDY = {study!r}\n", "utf-8")
        return path

    return call


@pytest.fixture
def work(monkeypatch, tmp_path):
    """Workers find `study_work`, whose marks go to the directory that this returns."""
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.syspath_prepend(str(WORK))
    monkeypatch.setenv("STUDY_WORK", str(marks))
    return marks


class Here:
    """An engine without workers: trials are done in this process, in the order they come."""

    name = "here"

    def __init__(self, setup, jobs=1):
        self.setup, self.jobs = setup, jobs
        self.hired, self.dismissed, self.closed = [], [], False

    def hire(self, number):
        self.hired.append(number)
        return [TrialRunner(self.setup), None]

    def give(self, worker, trial):
        worker[1] = trial

    def answers(self, workers, timeout):
        return [(worker, worker[0].answer(worker[1])) for worker in workers]

    def dismiss(self, worker):
        self.dismissed.append(worker)

    def close(self):
        self.closed = True


@pytest.fixture
def here():
    """The class of the engine without workers."""
    return Here


@pytest.fixture
def run(work):
    """`run(path)` runs a study in this process, with trials that cost nothing."""

    def call(path, work="study_work:fast", **options):
        return run_study(path, **({"engine": Here, "work": work} | options))

    return call
