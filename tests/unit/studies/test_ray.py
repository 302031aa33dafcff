"""Ray on a real local cluster, in a process of its own: one start for all that it has to show."""

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bionet._core.origins import text_hash
from bionet.studies import Arm, Budget, LogUniform, Tuning, read_results
from bionet.studies.run.runner import run_study
from bionet.training.plugins import load_plugin

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: python -m pip install 'bionet[ray]'"
)
TUNED = 1 * (find_spec("optuna") is not None)

WORK = Path(__file__).parent / "work"

# One cluster for all studies, as where a cluster is there already.
SCRIPT = """
import json, os, sys
import ray
from bionet.studies import run_study
from bionet.studies.run.worker import own_cores
from bionet.training.plugins import load_plugin
if __name__ == "__main__":
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
             logging_level="error")
    found = {}
    measured = "bionet.studies.run.measure:measure_trial"
    works = {"real": measured, "fake": "study_work:troubled", "plugin": measured}
    load_plugin("still.py")
    os.remove("still.py")  # actors get the text
    for name, work in works.items():
        outcome = run_study(f"{name}/study.py", engine="ray", jobs=2, work=work)
        found[name] = [outcome.finished, outcome.failed, outcome.missing]
    ray.shutdown()
    with open("found.json", "w") as file:
        json.dump(found, file)
"""


STILL = """
from dataclasses import dataclass
from typing import ClassVar
import jax.numpy as jnp
from bionet.training import AbstractMethod, MethodSpec, TrainState, register_method

@dataclass(frozen=True)
class Options:
    pass

@register_method
class Still(AbstractMethod):
    spec: ClassVar[MethodSpec] = MethodSpec("still", "control", "Stay where you are.")
    Options: ClassVar[type] = Options
    @classmethod
    def from_workload(cls, workload, config, options, steps):
        return cls()
    def init(self, model, key):
        return TrainState(model, None, jnp.zeros((), jnp.int32))
    def step(self, train_state, batch, key):
        state = TrainState(train_state.model, None, train_state.step + 1)
        return state, {"evaluations": jnp.asarray(1.0)}
    def finish(self, train_state):
        return train_state.model
"""


@pytest.fixture
def studies(study, write, tmp_path):
    """Studies: one that tunes and trains, one whose worker dies, one by a method of a file."""
    tuning = Tuning(1, {"local": {"learning_rate": LogUniform(1e-1, 1e1)}})
    arms = {"local": Arm("memory-hebbian", {"units": 60, "patterns": 20, "batch_size": 20})}
    write(study(arms=arms, budget=Budget(5), tuning=tuning if TUNED else None), "real/study.py")
    troubled = {name: Arm("prototypes-local") for name in ("dies-once", "fails", "good")}
    write(study(arms=troubled, seeds=(1,)), "fake/study.py")
    still = {"still": Arm("prototypes-local", {"hidden": 8, "samples": 64}, "still")}
    (tmp_path / "still.py").write_text(STILL)
    load_plugin(tmp_path / "still.py")
    write(study(arms=still, budget=Budget(1)), "plugin/study.py")
    return tmp_path


def numbers(path):
    """All of the lines that does not depend on the machine."""
    kept = ("arm", "seed", "trial", "stage", "config", "metrics", "evaluations", "curve")
    lines = read_results(path / "results.jsonl").lines
    for line in lines:
        line["curve"] = [{**point, "seconds": None} for point in line["curve"]]
    return sorted(json.dumps([line[name] for name in kept]) for line in lines)


@pytest.mark.slow
def test_a_real_cluster_gives_the_same_numbers_and_survives_the_death_of_a_worker(studies, work):
    src = Path(run_study.__code__.co_filename).parents[2]
    paths = os.pathsep.join([str(src), str(WORK)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=studies, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((studies / "found.json").read_text())

    assert found["real"] == [2 + TUNED, [], 0]
    by_ray = numbers(studies / "real")
    for name in ("results.jsonl", "tuning.sqlite"):
        (studies / "real" / name).unlink(missing_ok=True)
    assert run_study(studies / "real", jobs=1).finished == 2 + TUNED
    assert numbers(studies / "real") == by_ray

    assert found["plugin"] == [2, [], 0]
    lines = read_results(studies / "plugin" / "results.jsonl").lines
    assert {line["config"]["plugin"] for line in lines} == {text_hash(STILL)}

    failed = ["fails, seed 1 failed: ValueError: seed 1 is no good."]
    assert found["fake"] == [2, failed, 1]
    lines = read_results(studies / "fake" / "results.jsonl").lines
    assert sorted(line["arm"] for line in lines) == ["dies-once", "good"]
    assert len(list(work.iterdir())) == 1  # it did die


@pytest.mark.slow
@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "127.0.0.1:port"])
def test_an_address_without_a_cluster_is_told_at_once(form, study, write):
    with socket.socket() as listener:  # a port that nothing listens at once it is closed
        listener.bind(("127.0.0.1", 0))
        address = form.format(listener.getsockname()[1])
    path = write(study(), "study.py")
    with pytest.raises(OSError, match=f"could be reached at '{address}'.*ray start --head"):
        run_study(path, engine="ray", address=address)
