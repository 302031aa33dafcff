import pytest

from bionet.studies.report.arm_results import ArmResults, arm_results, is_share, lower_is_better


def line(arm="a", seed=0, stage="final", **changes):
    config = {"recipe": "prototypes-local", "dataset": "prototypes", "method": None}
    return {
        "arm": arm,
        "seed": seed,
        "stage": stage,
        "config": config | changes.pop("config", {}),
        "metric": "accuracy",
        "metrics": {"accuracy": 0.9, "loss": 0.3},
        "seconds": {"run": 2.0, "compile": 1.0},
        "peak_memory_mib": 100.0,
        "evaluations": 10,
        "examples": 50,
        "curve": [{"epoch": 1, "accuracy": 0.5, "evaluations": 5, "seconds": None}],
    } | changes


def test_final_lines_are_gathered_by_arm_and_ordered_by_seed():
    arms = arm_results([line("b", 1), line("a"), line("b", 0), line("a", 9, "tuning")])
    assert [arm.name for arm in arms] == ["b", "a"]
    assert [each["seed"] for each in arms[0].lines] == [0, 1]
    assert [arm.seeds for arm in arms] == [2, 1]


def test_values_that_are_no_numbers_are_left_out_and_named():
    lines = [line(), line(seed=1, metrics={"accuracy": None}), line(seed=2, metrics={})]
    (arm,) = arm_results([*lines, line(seed=3, metrics={"accuracy": True})])
    assert arm.values("accuracy") == {0: 0.9}
    assert arm.without("accuracy") == [1, 2, 3]


def test_costs_and_curves():
    (arm,) = arm_results([line(), line(seed=1, seconds=None, peak_memory_mib=None, curve=None)])
    assert arm.spent("seconds") == {0: 2.0}
    assert arm.spent("compile") == {0: 1.0}
    assert arm.spent("memory") == {0: 100.0}
    assert arm.spent("evaluations") == {0: 10.0, 1: 10.0}
    assert arm.curves("accuracy", "evaluations") == [[(5.0, 0.5)]]
    assert arm.curves("accuracy", "seconds") == []


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, ("two-phase", "prototypes", "prototypes")),
        ({"method": "es"}, ("es", "prototypes", "prototypes")),
        ({"control": True}, ("frozen control", "prototypes", "prototypes")),
        ({"recipe": "classification-dfa", "dataset": "mnist"}, ("dfa", "classification", "mnist")),
        ({"recipe": "of-a-plug-in", "dataset": "dust"}, ("a", "dust", "dust")),
    ],
)
def test_method_application_and_task(config, found):
    (arm,) = arm_results([line(config=config)])
    assert (arm.method, arm.application, arm.task) == found


def test_what_is_told_in_per_cent():
    shares = ArmResults("a", (line(), line(seed=1)))
    assert is_share("accuracy", [shares])
    assert not is_share("loss", [shares])
    score = ArmResults("a", (line(metrics={"accuracy": 21.0}),))
    assert not is_share("accuracy", [shares, score])
    assert lower_is_better("loss")
    assert not lower_is_better("accuracy")
