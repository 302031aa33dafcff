import os
import signal
import threading
import time
from pathlib import Path

import pytest

from bionet.studies import Arm, read_results
from bionet.studies.design.trial import Trial
from bionet.studies.run.local import LocalWorker
from bionet.studies.run.pool import TRIES
from bionet.studies.run.worker import WorkerSetup, own_cores


def results(path):
    return read_results(path.with_name("results.jsonl")).lines


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(number, seconds=5.0):
    ends = time.monotonic() + seconds
    while alive(number) and time.monotonic() < ends:
        time.sleep(0.02)
    return not alive(number)


def test_workers_are_pinned_stay_and_end(study, write, run):
    path = write(study(seeds=range(5)))
    assert run(path, engine="local", jobs=2).finished == 10
    lines, cores = results(path), own_cores()
    workers = {line["worker"] for line in lines}
    assert len(workers) <= 2
    assert os.getpid() not in workers
    for line in lines:
        assert set(line["cores"]) < set(cores) if len(cores) > 1 else line["cores"] == cores
        assert line["threads"] == str(len(line["cores"]))
        assert line["cache"]
    assert all(gone(number) for number in workers)


def test_a_worker_that_dies_is_replaced_and_its_trial_runs_once(study, write, run):
    arms = {name: Arm("prototypes-local") for name in ("dies-once", "good")}
    path = write(study(arms=arms))
    outcome = run(path, "study_work:troubled", engine="local", jobs=2)
    assert (outcome.finished, outcome.failed, outcome.missing) == (4, (), 0)
    named = [(line["arm"], line["seed"]) for line in results(path)]
    assert sorted(named) == [(arm, seed) for arm in arms for seed in (0, 1)]


@pytest.mark.slow
def test_a_trial_that_kills_its_workers_is_a_failure_with_their_last_words(study, write, run):
    arms = {name: Arm("prototypes-local") for name in ("dies", "fails", "good")}
    path = write(study(arms=arms, seeds=(1,)))
    outcome = run(path, "study_work:troubled", engine="local", jobs=1)
    assert (outcome.finished, outcome.missing) == (1, 2)
    assert sorted(outcome.failed) == [
        "dies, seed 1 failed: WorkerDied: the worker process died (signal 9).",
        "fails, seed 1 failed: ValueError: seed 1 is no good.",
    ]
    assert "these are my last words" in path.with_name("failures.jsonl").read_text()
    assert TRIES == 3


def test_a_study_file_that_registers_a_recipe_is_run_by_the_workers(write, study, run, work):
    path = write(study())
    marked = path.read_text() + (
        "import os, pathlib\npathlib.Path(os.environ['STUDY_WORK'], str(os.getpid())).touch()\n"
    )
    path.write_text(marked)
    run(path, engine="local", jobs=1)
    (worker,) = {line["worker"] for line in results(path)}
    assert (work / str(worker)).exists()


def test_ctrl_c_ends_the_workers(study, write, run, work):
    path = write(study())

    def interrupt():
        while not (work / "waiting").exists() or not (work / "waiting").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            run(path, "study_work:waiting", engine="local", jobs=1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(int((work / "waiting").read_text()))
    assert results(path) == []


@pytest.mark.parametrize("leader", ["here", "elsewhere"])
def test_a_worker_whose_leader_is_gone_begins_nothing(leader, work, monkeypatch):
    """As after a SIGKILL that has come while the worker was starting."""
    if leader == "elsewhere":
        monkeypatch.setattr("bionet.studies.run.local.os.getpid", lambda: 1)
    worker = LocalWorker(WorkerSetup(work="study_work:logged"), own_cores()[:1])
    monkeypatch.undo()
    try:
        worker.give(Trial("small", "narrow", 0, "final", {}))
        answer = worker.answer()
    finally:
        worker.end()
    assert answer.died == (leader == "elsewhere")
    assert (work / "begun").exists() == (leader == "here")
