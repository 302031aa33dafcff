import dataclasses
import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.studies import Arm, Budget, LogUniform, Tuning
from bionet.studies.design.configuration import final_trials
from bionet.studies.run import measure
from bionet.studies.run.measure import POINTS, _thin, measure_trial
from bionet.studies.run.meters import Memory, compile_clock
from bionet.studies.run.tuning import tuning_trial
from bionet.zoo.setup import Setup

SMALL = {"hidden": 8, "samples": 64, "classes": 3, "dim": 20}
LINE = (
    *("study", "arm", "seed", "trial", "stage", "config", "metric", "metrics", "curve"),
    *("evaluations", "examples", "seconds", "peak_memory_mib", "versions", "python", "device"),
)


@pytest.fixture
def line(study):
    """`line(arm, budget)` measures one trial of an arm on a small network."""

    def call(arm, budget):
        small = dataclasses.replace(arm, overrides=SMALL | dict(arm.overrides))
        return measure_trial(
            final_trials(study(arms={"a": small}, budget=budget, seeds=(3,)), "a")[0]
        )

    return call


@pytest.mark.slow
def test_a_trial_and_its_control_come_to_the_numbers_of_a_fit_by_hand(line):
    found = line(Arm("prototypes-local"), Budget(2))
    frozen = line(Arm("prototypes-local", control=True), Budget(2))
    by_hand = Setup.from_dict(found["config"]).build().fit(seed=3, epochs=2, progress=False)
    assert found["metrics"] == by_hand.metrics
    assert [point["loss"] for point in found["curve"]] == [float(f"{each:.6g}") for each in by_hand]
    assert tuple(found) == LINE
    assert (found["arm"], found["seed"], found["stage"]) == ("a", 3, "final")
    assert (found["evaluations"], found["examples"]) == (2 * 4, 2 * 64)
    assert [point["evaluations"] for point in found["curve"]] == [4, 8]
    assert [point["examples"] for point in found["curve"]] == [64, 128]
    seconds = [point["seconds"] for point in found["curve"]]
    assert 0 <= seconds[0] <= seconds[1] <= found["seconds"]["run"] + 1e-3
    assert found["peak_memory_mib"] > 100
    assert found["versions"]["jax"] == jax.__version__

    assert by_hand.control is not None
    assert frozen["metrics"] == by_hand.control.metrics
    assert tuple(frozen) == LINE
    assert (frozen["evaluations"], frozen["examples"], len(frozen["curve"])) == (4, 64, 1)


@pytest.mark.slow
def test_members_of_a_population_are_counted_and_bound_the_run(line):
    arm = Arm("prototypes-local", method="es", options={"population": 6})
    found = line(arm, Budget(30, "evaluations"))
    assert (found["evaluations"], found["examples"]) == (36, 6 * 16)
    assert [point["evaluations"] for point in found["curve"]] == [18, 36]


@pytest.mark.slow
def test_a_budget_in_seconds_ends_with_the_epoch_that_uses_it_up(line):
    found = line(Arm("prototypes-local"), Budget(1e-4, "seconds", steps=2))
    assert [point["examples"] for point in found["curve"]] == [32]
    assert found["curve"][-1]["seconds"] >= 1e-4


@pytest.mark.slow
def test_a_tuning_trial_never_sees_the_test_split(study, monkeypatch):
    arms = {"a": Arm("prototypes-local", SMALL)}
    tuning = Tuning(2, {"a": {"learning_rate": LogUniform(1e-3, 1e-1)}}, budget=Budget(1))
    tuned = study(arms=arms, tuning=tuning, budget=Budget(3))
    trial = tuning_trial(tuned, "a", 0, {"learning_rate": 0.01})
    seen, whole = [], measure.fit

    def watched(problem, *args, **options):
        seen.append(problem)
        return whole(problem, *args, **options)

    monkeypatch.setattr(measure, "fit", watched)
    found = measure_trial(trial)
    assert [problem.test for problem in seen] == [None]
    assert (found["number"], found["seed"], len(found["curve"])) == (0, 1000, 1)
    assert found["config"]["config"]["learning_rate"] == 0.01
    short = {name: float(f"{value:.6g}") for name, value in found["metrics"].items()}
    assert short == {name: found["curve"][-1][name] for name in ("loss", "accuracy")}


def test_compiling_is_told_apart_from_running():
    clock = compile_clock()
    began = time.perf_counter()
    sizes = jnp.ones(17)

    @jax.jit
    def slow_to_compile(x):
        for _ in range(40):
            x = jnp.sin(x) + 1
        return x

    slow_to_compile(sizes).block_until_ready()
    compiled = time.perf_counter()
    time.sleep(0.05)
    slow_to_compile(sizes).block_until_ready()
    ended = time.perf_counter()
    assert 0 < clock.between(began, compiled) <= compiled - began
    assert clock.between(compiled, ended) == 0
    assert clock.between(began, ended) == clock.between(began, compiled)


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the mark is Linux's")
def test_the_memory_of_one_trial_is_not_that_of_the_next():
    memory = Memory()
    before = memory.peak()
    big = np.ones(64 * 2**17)  # 64 MiB
    assert memory.peak() > before + 50
    del big
    assert Memory().peak() < before + 40


def test_a_long_curve_is_thinned_and_keeps_its_end():
    curve = [{"epoch": epoch} for epoch in range(1, 1234)]
    kept = _thin(curve)
    assert len(kept) <= POINTS
    assert kept[-1] == {"epoch": 1233}
    assert _thin(curve[:POINTS]) == curve[:POINTS]
    assert _thin([]) == []
    point = {"epoch": 12345678, "loss": 0.123456789, "seconds": 1234.5678}
    assert _thin([point]) == [{"epoch": 12345678, "loss": 0.123457, "seconds": 1234.57}]
