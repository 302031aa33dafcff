import json
import math
import re
import sys

import pytest

from bionet.studies import Arm, LogUniform, Tuning, read_results
from bionet.studies.run.status import read_status
from bionet.studies.run.tuning import choose_best, tuning_trial

SPACE = {"learning_rate": LogUniform(1e-4, 1e-1)}


def results(path):
    return read_results(path.parent / "results.jsonl").lines


def test_a_study_runs_once_and_then_there_is_nothing_to_do(study, write, run):
    path = write(study())
    told = []
    outcome = run(path, tell=lambda progress, text: told.append(text))
    assert (outcome.finished, outcome.failed, outcome.missing) == (4, (), 0)
    named = {(line["arm"], line["seed"]) for line in results(path)}
    assert named == {(arm, seed) for arm in ("narrow", "wide") for seed in (0, 1)}
    assert any(text.startswith("narrow, seed 0: accuracy 0.") for text in told)
    assert "commit" in results(path)[0]
    before = path.parent.joinpath("results.jsonl").read_bytes()

    def none(setup):
        raise AssertionError("no engine is needed")

    assert run(path, engine=none).finished == 0
    assert path.parent.joinpath("results.jsonl").read_bytes() == before


def test_what_is_new_runs_and_what_is_old_is_stale(study, write, run):
    path = write(study())
    run(path)
    write(study(seeds=(0, 1, 2), arms=study().arms | {"wide": Arm("prototypes-hybrid")}))
    assert run(path).finished == 4  # one new seed of the first arm, three of the changed one
    file, status = read_status(path)
    assert (file.study.seeds, status.stale, status.missing) == ((0, 1, 2), 2, 0)
    assert len(status.lines) == 6
    assert {line["config"]["recipe"] for line in status.arms["wide"].done} == {"prototypes-hybrid"}


def test_failures_are_named_kept_aside_and_tried_again(study, write, run):
    arms = {"fails": Arm("prototypes-local"), "diverges": Arm("prototypes-local")}
    path = write(study(arms=arms | {"good": Arm("prototypes-local")}))
    outcome = run(path, "study_work:troubled")
    assert (outcome.finished, outcome.missing) == (3, 3)
    assert outcome.failed == (
        "fails, seed 1 failed: ValueError: seed 1 is no good.",
        "diverges, seed 0 failed: NonFiniteError: Edge (1, 0) holds a NaN.",
        "diverges, seed 1 failed: NonFiniteError: Edge (1, 0) holds a NaN.",
    )
    kept = path.with_name("failures.jsonl").read_text().splitlines()
    first = json.loads(kept[0])
    assert (first["arm"], first["seed"], first["type"]) == ("fails", 1, "ValueError")
    assert "Traceback" in first["traceback"]
    assert len(kept) == 3
    outcome = run(path)
    assert (outcome.finished, outcome.failed, outcome.missing) == (3, (), 0)


def test_no_failure_no_file(study, write, run):
    path = write(study())
    run(path)
    assert sorted(each.name for each in path.parent.glob("*.*")) == ["results.jsonl", "study.py"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"engine": "rays"}, "No engine is named 'rays'. Did you mean 'ray'?"),
        ({"jobs": 0}, "jobs needs 1 or more, got 0."),
        ({"engine": "local", "address": "auto"}, "take the engine 'ray' with it"),
        ({"tune": 3}, "has nothing to tune. Give it tuning=Tuning"),
    ],
)
def test_options_that_make_no_sense_are_refused(study, write, run, options, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        run(write(study()), **options)


def test_results_of_another_study_are_refused(study, write, run):
    path = write(study())
    run(path)
    write(study(name="other"))
    with pytest.raises(ValueError, match="the study 'small', and this study is 'other'"):
        run(path)


def test_a_corrupted_line_is_told_and_its_trial_runs_again(study, write, run):
    path = write(study())
    run(path)
    file = path.with_name("results.jsonl")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0][:50], *lines[1:], lines[0][:9]]))
    told = []
    outcome = run(path, tell=lambda progress, text: told.append(text))
    assert (outcome.finished, outcome.missing) == (1, 0)
    assert any("ended in half a line (9 bytes)" in text for text in told)
    assert "1 line was skipped: line 1 of results.jsonl is no JSON." in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "needs to define STUDY, a bionet.studies.Study, got nothing."),
        ("STUDY = 3", "got something of type int."),
        ("STUDY = (", "cannot be run: SyntaxError"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
    ],
)
def test_a_file_without_a_study_is_told(tmp_path, run, text, told):
    path = tmp_path / "study.py"
    path.write_text(text)
    with pytest.raises(ValueError, match="study.py' ") as caught:
        run(tmp_path)
    assert told in str(caught.value)
    path.unlink()
    with pytest.raises(ValueError, match="There is no study at"):
        run(tmp_path)


def tuned_study(study, **changes):
    arms = {"narrow": Arm("prototypes-local", {"hidden": 8}), "wide": Arm("prototypes-local")}
    arms["frozen"] = Arm("prototypes-local", control=True)
    return study(arms=arms, tuning=Tuning(5, {"narrow": SPACE, "wide": SPACE}), **changes)


@pytest.fixture
def optuna():
    return pytest.importorskip("optuna", reason="optuna is not installed: the extra is `tune`")


@pytest.mark.slow
def test_every_arm_is_tuned_equally_and_then_runs_with_its_best(study, write, run, optuna):
    path = write(tuned_study(study))
    assert run(path).finished == 5 + 5 + 6
    tuning = [line for line in results(path) if line["stage"] == "tuning"]
    for arm in ("narrow", "wide"):
        mine = [line for line in tuning if line["arm"] == arm]
        assert [line["number"] for line in mine] == [*range(5)]
        assert {line["seed"] for line in mine} == {1000}
        tried = [line["config"]["tuning"]["tried"]["learning_rate"] for line in mine]
        assert tried[0] == 0.002  # the recipe's own comes first
        assert len(set(tried)) == 5
        best = max(mine, key=lambda line: line["metrics"]["accuracy"])
        rate = best["config"]["tuning"]["tried"]["learning_rate"]
        final = [each for each in results(path) if (each["stage"], each["arm"]) == ("final", arm)]
        assert [line["config"]["config"]["learning_rate"] for line in final] == [rate, rate]
    _, status = read_status(path)
    assert (len(status.lines), status.missing, status.stale) == (6, 0, 0)
    assert run(path).finished == 0


def sequence(path):
    lines = [line for line in results(path) if line["stage"] == "tuning"]
    return sorted((line["arm"], line["number"], line["trial"]) for line in lines)


@pytest.mark.slow
def test_tuning_is_the_same_with_other_workers_and_without_its_file(
    study, write, run, here, tmp_path, optuna
):
    path = write(tuned_study(study))
    run(path)
    whole, file = sequence(path), path.with_name("results.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    path.with_name("tuning.sqlite").unlink()
    assert run(path).finished == 0  # the lines are what counts
    file.write_text("".join(lines[:5]))  # a file that knows trials without a line
    assert run(path, engine=lambda setup: here(setup, 3)).finished == len(lines) - 5
    assert sequence(path) == whole
    path.with_name("tuning.sqlite").unlink()
    file.unlink()
    assert run(path, tune=3).finished == 3 + 3 + 6
    assert sequence(path) == [each for each in whole if each[1] < 3]


@pytest.mark.slow
def test_a_value_that_another_machine_draws_by_an_ulp_otherwise_is_not_tried_again(
    study, write, run, optuna
):
    """Its logarithm may differ in the last digit, and with it the hash of the trial."""
    arms = {"narrow": Arm("prototypes-local", {"hidden": 8})}
    asked = study(arms=arms, tuning=Tuning(5, {"narrow": SPACE}), against=None, control=None)
    path = write(asked)
    run(path)
    tuned, elsewhere = sequence(path), []
    for line in results(path):
        if line["stage"] == "tuning" and line["number"] in (1, 3):
            tried = line["config"]["tuning"]["tried"]["learning_rate"]
            rate = math.nextafter(tried, 1.0)
            moved = tuning_trial(asked, "narrow", line["number"], {"learning_rate": rate})
            line |= {"trial": moved.hash, "config": moved.config}
        elsewhere.append(line)
    path.with_name("results.jsonl").write_text("".join(json.dumps(x) + "\n" for x in elsewhere))
    path.with_name("tuning.sqlite").unlink()
    assert sequence(path) != tuned
    again = run(path)
    assert [line for line in results(path) if line["stage"] == "tuning"] == [
        line for line in elsewhere if line["stage"] == "tuning"
    ]
    assert again.missing == 0


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 9])
def test_a_trial_that_was_asked_for_and_cut_off_is_asked_for_again(
    study, write, run, here, optuna, after
):
    path = write(tuned_study(study))

    class Stopped(here):
        left = after

        def answers(self, workers, timeout):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().answers(workers, timeout)

    with pytest.raises(KeyboardInterrupt):
        run(path, engine=Stopped)
    assert run(path).finished == 16 - after
    cut_off = sequence(path)
    assert [each[1] for each in cut_off] == [*range(5)] * 2
    for name in ("results.jsonl", "tuning.sqlite"):
        path.with_name(name).unlink()
    run(path)
    assert sequence(path) == cut_off


@pytest.mark.slow
def test_a_diverged_tuning_trial_counts_as_a_try(study, write, run, optuna):
    arms = {"diverges": Arm("prototypes-local"), "good": Arm("prototypes-local")}
    tuning = Tuning(2, {"diverges": SPACE, "good": SPACE})
    path = write(study(arms=arms, tuning=tuning))
    outcome = run(path, "study_work:troubled")
    assert outcome.failed == (
        "Arm 'diverges': every tuning trial diverged, so it has no final trials.",
    )
    assert (outcome.finished, outcome.missing) == (2 + 2 + 2, 2)
    mine = [line for line in results(path) if line["arm"] == "diverges"]
    assert [line["metrics"] for line in mine] == [{"accuracy": None}] * 2
    assert mine[0]["failed"] == "Edge (1, 0) holds a NaN."


def test_a_tuning_trial_that_comes_to_nan_counts_as_a_try(study, write, run, optuna):
    """Optuna takes no NaN: told of one, it asked for the same trial for ever."""
    path = write(study(arms={"nan": Arm("prototypes-local")}, tuning=Tuning(2, {"nan": SPACE})))
    outcome = run(path, "study_work:troubled")
    assert outcome.failed == ("Arm 'nan': every tuning trial diverged, so it has no final trials.",)
    assert [line["metrics"] for line in results(path)] == [{"accuracy": None, "loss": None}] * 2


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_no_number_is_never_the_best_of_tuning(value):
    def line(number, value):
        config = {"tuning": {"tried": {"rate": number}}}
        return {"metric": "accuracy", "metrics": {"accuracy": value}, "config": config}

    assert choose_best([line(0, value), line(1, 0.5), line(2, value)]) == {"rate": 1}
    assert choose_best([line(0, value)]) is None


def test_tuning_without_optuna_names_the_command(study, write, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"python -m pip install 'bionet\[tune\]'"):
        run(write(tuned_study(study)))


def test_ray_that_is_not_installed_names_the_command(study, write, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"python -m pip install 'bionet\[ray\]'"):
        run(write(study()), engine="ray")


@pytest.mark.slow
def test_a_tuning_trial_that_fails_stops_its_arm_alone(study, write, run, optuna):
    arms = {"fails": Arm("prototypes-local"), "good": Arm("prototypes-local")}
    tuning = Tuning(2, {"fails": SPACE, "good": SPACE}, seed=1)
    path = write(study(arms=arms, tuning=tuning, seeds=(2, 3)))
    outcome = run(path, "study_work:troubled")
    assert outcome.failed == ("fails, tuning trial 0 failed: ValueError: seed 1 is no good.",)
    assert (outcome.finished, outcome.missing) == (4, 2)
    assert run(path).finished == 4
