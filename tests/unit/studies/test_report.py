import dataclasses
import json
import math
import re
import shutil
from types import SimpleNamespace

import matplotlib
import pytest

from bionet.studies import Arm, Budget, Study, Tuning, Uniform
from bionet.studies.design.configuration import final_trials
from bionet.studies.report import report
from bionet.studies.report.report import write_report
from bionet.studies.run.tuning import tuning_trial

HEAD = "from bionet.studies import Arm, Budget, Study, Tuning, Uniform\n"
STUDY = Study(
    name="reported",
    question="Does a | correction\npay?",
    arms={
        "local": Arm("prototypes-local"),
        "hybrid": Arm("prototypes-hybrid", {"lam": 0.4}),
        "frozen": Arm("prototypes-local", control=True),
        "digits": Arm("classification-local"),
        "digits-gradient": Arm("classification-local", method="backprop"),
        "alone": Arm("classification-dfa"),
    },
    seeds=(0, 1, 2),
    budget=Budget(2),
    control="frozen",
    against="hybrid",
    metrics=("accuracy", "loss"),
)
REACHED = {"local": 0.9, "hybrid": 0.92, "frozen": 0.8, "digits": 0.95, "digits-gradient": 0.97}


def line_of(trial, value):
    """A line as a worker writes it; the validation data are half a point easier."""
    solved, seconds = trial.config["control"], 1 + trial.seed / 10
    points = [(1, value - 0.2), (2, value + 0.005)][solved:]
    curve = [
        {"epoch": n, "accuracy": y, "evaluations": 50.0 * n, "seconds": seconds * n}
        for n, y in points
    ]
    return {
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "trial": trial.hash,
        "stage": trial.stage,
        "config": trial.config,
        "metric": "accuracy",
        "metrics": {"accuracy": value, "loss": 1 - value},
        "curve": curve,
        "evaluations": 100.0,
        "examples": 1000,
        "seconds": {"compile": 3.0, "run": 2 * seconds},
        "peak_memory_mib": 400.0 + len(trial.arm),
        "versions": {"bionet": "0.1.0", "jax": "0.10.2"},
        "python": "3.11.7",
        "device": "cpu:0 (x86_64)",
        "commit": "0123456789abcdef+",
    }


def write(directory, study=STUDY, reached=REACHED):
    """A study with lines of all seeds of the arms that are told; returns the lines."""
    directory.mkdir(exist_ok=True)
    (directory / "study.py").write_text(f"{HEAD}STUDY = {study!r}\n")
    lines = [
        line_of(trial, reached[arm] + 0.01 * (trial.seed - 1))
        for arm in study.arms
        if arm in reached
        for trial in final_trials(study, arm)
    ]
    put(directory, lines)
    return lines


def put(directory, lines, *others):
    text = [json.dumps(line) for line in lines]
    (directory / "results.jsonl").write_text("\n".join([*text, *others, ""]))


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A study with everything that can be wrong with lines, and its report."""
    directory = tmp_path_factory.mktemp("repository") / "research" / "reported"
    directory.parent.mkdir()
    (directory.parents[1] / ".git").mkdir()
    lines = write(directory)
    gone = lines.pop()  # digits-gradient, seed 2, failed
    lines[0]["metrics"]["accuracy"] = None  # local, seed 0
    stale = lines[1] | {"trial": "f" * 16}
    (alone, *_) = final_trials(STUDY, "alone")
    put(directory, [*lines, stale, line_of(alone, 0.5)], '{"half', "[1]")
    failure = {"trial": gone["trial"], "told": "digits-gradient, seed 2 failed: it | diverged"}
    (directory / "failures.jsonl").write_text(json.dumps(failure) + "\n{half\n")
    path = write_report(directory)
    return SimpleNamespace(directory=directory, path=path, text=path.read_text())


def row(text, *cells):
    """The one row of the tables that begins with these cells, without its spaces."""
    begin = "| " + " | ".join(cells) + " |"
    (found,) = (line for line in text.splitlines() if line.startswith(begin))
    return [cell.strip() for cell in found.replace("\\|", "/").strip("| ").split("|")]


def section(text, title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]


@pytest.mark.slow
def test_means_have_their_intervals(reported):
    found = section(reported.text, "Results on prototypes")
    assert row(found, "`hybrid`") == [
        "`hybrid`", "3", "92.00 [91.00, 93.00]", "92.00 [91.00, 93.00]", "0.08 [0.07, 0.09]",
    ]  # fmt: skip
    assert row(found, "`local`")[1:3] == ["2", "90.50 [90.00, 91.00]"]  # one seed has no value
    assert "over 2 seeds holds the true mean in about 50 of 100 studies" in found
    assert "97.00 [96.00, 97.00]" not in found  # another task's
    assert row(section(reported.text, "Results on digits"), "`digits`")[1] == "3"


@pytest.mark.slow
def test_differences_are_paired_by_seed(reported):
    against = section(reported.text, "Against `hybrid` on prototypes")
    assert row(against, "`local`")[1:] == ["-2.00 [-2.00, -2.00]", "0 of 2", "behind"]
    over = section(reported.text, "Over the frozen control on prototypes")
    assert row(over, "`hybrid`")[1:] == ["+12.00 [+12.00, +12.00]", "3 of 3", "ahead"]
    assert "Over the frozen control on digits" not in reported.text
    assert "Against `hybrid` on digits" not in reported.text


def test_costs_fronts_and_thresholds(reported):
    costs = section(reported.text, "What it costs on prototypes")
    assert row(costs, "`hybrid`")[1:] == [
        "100", "1,000", "2.2 [2, 2.4]", "406", "3", "evaluations, seconds, memory",
    ]  # fmt: skip
    assert row(costs, "`frozen`")[-1] == "none"
    equal = section(reported.text, "At equal cost on prototypes")
    assert row(equal, "arm") == ["arm", "100 evaluations", "2 seconds"]
    assert row(equal, "`hybrid`")[1:] == ["92.50 [91.50, 93.50]", "78.83 [72.00, 91.50]"]
    reach = section(reported.text, "Cost of a threshold on prototypes")
    assert row(reach, "92.00", "`hybrid`")[2:] == ["2 of 3", "100", "2.4 (2.2 to 2.4)"]
    assert row(reach, "92.00", "`frozen`")[2:] == ["0 of 3", "never", "never"]
    assert "80.00: what frozen ends with, rounded to the easier side" in reach


def test_what_is_not_counted_is_named_and_counted(reported):
    found = section(reported.text, "What is not counted")
    assert "8 entries:" in found
    for told in (
        "line 17 of results.jsonl is no JSON: skipped",
        "line 18 of results.jsonl is no JSON object: skipped",
        "1 line is of other configurations than the study has now, and not counted",
        "arm `alone`: values of 1 seed, so it has no interval",
        "arm `alone`, seed 1: not run yet",
        "arm `digits-gradient`, seed 2: digits-gradient, seed 2 failed: it \\| diverged",
        "arm `local`, seed 0: no accuracy",
    ):
        assert f"- {told}\n" in found
    assert "`alone`" not in section(reported.text, "Results on digits")


def test_head_settings_and_commands(reported):
    assert "# Report: reported\n\n> Does a \\| correction pay?\n" in reported.text
    assert "from 14 lines of `results.jsonl`" in reported.text
    assert "- **Budget of each arm:** 2 epochs\n" in reported.text
    assert "bionet study run research/reported\nbionet study report research/reported\n" in (
        reported.text
    )
    told = "python 3.11.7, bionet 0.1.0, jax 0.10.2, on cpu:0 (x86_64)"
    assert f"{told}, at commit 0123456789ab with changes." in reported.text
    settings = section(reported.text, "Settings")
    assert row(settings, "`hybrid`")[1:] == [
        "`prototypes-hybrid`", "local-es", "prototypes", "lam = 0.4"
    ]  # fmt: skip
    assert row(settings, "`frozen`")[2:] == [
        "frozen control", "prototypes", "as the recipe has it"
    ]  # fmt: skip
    assert "learning_rate = " in row(settings, "`digits-gradient`")[-1]
    assert "best" not in reported.text


def test_every_figure_is_there_and_no_other(reported):
    shown = set(re.findall(r"!\[[^]]+\]\(figures/([^)]+)\)", reported.text))
    kinds = ("results", "front", "curves-evaluations", "curves-seconds")
    expected = {f"{task}-{kind}.svg" for task in ("prototypes", "digits") for kind in kinds}
    assert shown == expected | {"heat-map.svg"}
    assert {path.name for path in (reported.directory / "figures").iterdir()} == shown


@pytest.mark.slow
def test_two_reports_on_the_same_lines_have_the_same_bytes(reported, tmp_path, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 23)  # another user's settings
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 7)
    again = tmp_path / "elsewhere"
    shutil.copytree(reported.directory, again)
    shutil.rmtree(again / "figures")
    lines = (again / "results.jsonl").read_text().splitlines()
    good = [line for line in lines if len(line) > 10]
    bad = [line for line in lines if len(line) <= 10]
    (again / "results.jsonl").write_text("\n".join([*reversed(good), *bad, ""]))
    text = write_report(again).read_text()
    assert text.replace("elsewhere", "research/reported") == reported.text
    for path in (reported.directory / "figures").iterdir():
        assert (again / "figures" / path.name).read_bytes() == path.read_bytes(), path.name
        assert b"<dc:date>" not in path.read_bytes()


@pytest.fixture
def unpainted(monkeypatch):
    """Reports without figures, which take most of the time."""
    for name in ("draw_results", "draw_front", "draw_curves", "draw_heat_map"):
        monkeypatch.setattr(report, name, lambda *_: None)


def test_thresholds_can_be_given(tmp_path, unpainted):
    arms = {name: STUDY.arms[name] for name in ("local", "hybrid")}
    write(tmp_path, dataclasses.replace(STUDY, arms=arms, control=None, against=None))
    text = write_report(tmp_path, thresholds=(0.915,)).read_text()
    reach = section(text, "Cost of a threshold")
    assert row(reach, "91.50", "`hybrid`")[2] == "3 of 3"
    assert "91.50: as it was asked for" in reach
    assert "--threshold 0.915\n" in text
    assert "Nothing: every trial has its line" in section(text, "What is not counted")
    assert "- **Tuning:** none\n" in text


def test_arms_that_are_not_tuned_yet_do_not_count(tmp_path, unpainted, says):
    spaces = {"local": {"strength_forward": Uniform(0.5, 1)}, "hybrid": {"lam": Uniform(0, 1)}}
    arms = {name: STUDY.arms[name] for name in ("local", "hybrid")}
    study = dataclasses.replace(
        STUDY, arms=arms, control=None, against=None, tuning=Tuning(2, spaces)
    )
    write(tmp_path, study)  # the lines are of untuned arms
    with says(ValueError, "local (0 of 2 tuning trials), hybrid (0 of 2 tuning trials)."):
        write_report(tmp_path)
    tries = [tuning_trial(study, "hybrid", n, {"lam": value}) for n, value in enumerate((0.1, 0.3))]
    lines = [line_of(tries[0], 0.8), line_of(tries[1], 0.9)]
    lines = [line | {"number": n} for n, line in enumerate(lines)]
    lines += [line_of(each, 0.7) for each in final_trials(study, "hybrid", {"lam": 0.3})]
    put(tmp_path, lines)
    text = write_report(tmp_path).read_text()
    assert row(section(text, "Results"), "`hybrid`")[1] == "3"
    assert row(section(text, "Settings"), "`hybrid`")[-1] == "lam = 0.3"
    told = "arm `local`: 0 of 2 tuning trials, so its results do not count yet"
    assert told in section(text, "What is not counted")
    assert "- **Tuning:** 2 trials per arm, on the validation split, with seed 1000\n" in text
    with says(ValueError, "hybrid (2 of 5 tuning trials). 3 lines are of other configurations"):
        write_report(tmp_path, tune=5)
    put(
        tmp_path,
        [lines[0], *(line_of(t, 0.7) for t in final_trials(study, "hybrid", {"lam": 0.1}))],
    )
    assert f"run {tmp_path.name} --tune 1" in write_report(tmp_path, tune=1).read_text()


def test_a_large_budget_and_that_of_tuning_are_told_in_full(tmp_path, unpainted):
    spaces = {"local": {"strength_forward": Uniform(0.5, 1)}}
    budget = Budget(12_345_678, "evaluations")
    tuning = Tuning(1, spaces, budget=Budget(0.5, "seconds"))
    arms = {name: STUDY.arms[name] for name in ("local", "frozen")}
    study = dataclasses.replace(STUDY, arms=arms, against=None, budget=budget, tuning=tuning)
    write(tmp_path, study)
    text = write_report(tmp_path, thresholds=(0.87654321,)).read_text()
    assert "- **Budget of each arm:** 12,345,678 evaluations\n" in text
    assert "- **Tuning:** 1 trials per arm of 0.5 seconds, on the validation split" in text
    assert "- **Metric:** accuracy, loss, after the last epoch\n" in text
    assert "--threshold 0.87654321\n" in text
    assert "## Over the frozen control" not in text  # nobody else has a row


def test_what_no_table_can_show_is_named(tmp_path, unpainted):
    arms = {name: STUDY.arms[name] for name in ("local", "hybrid", "frozen")}
    lines = write(tmp_path, dataclasses.replace(STUDY, arms=arms))
    for line in lines:
        if line["arm"] == "hybrid":
            line["metrics"]["accuracy"] = None
        if (line["arm"], line["seed"]) == ("local", 2):
            line["metrics"]["loss"] = None
    put(tmp_path, lines)
    (tmp_path / "failures.jsonl").write_bytes(b"\xff\n")
    text = write_report(tmp_path).read_text()
    found = section(text, "What is not counted")
    told = "arm `hybrid`: values of 0 seeds, so it has no interval, and nothing can be compared"
    assert f"- {told} with it\n" in found
    assert "- arm `hybrid`, seed 1: no accuracy\n" in found
    assert "- arm `local`, seed 2: no loss\n" in found
    assert "## Against" not in text
    assert "## Over the frozen control" in text


@pytest.mark.parametrize("seeds", [(0,), (7,)])
def test_one_seed_is_refused_with_the_reason(tmp_path, says, seeds):
    write(tmp_path, dataclasses.replace(STUDY, seeds=seeds))
    with says(ValueError, "a report needs 2 or more: one number has no interval. Add seeds"):
        write_report(tmp_path)
    assert not (tmp_path / "report.md").exists()


def test_results_without_two_seeds_are_refused(tmp_path, says):
    lines = write(tmp_path)
    put(tmp_path, [line for line in lines if line["seed"] == 0])
    sentence = (
        "No arm of study 'reported' has results of 2 seeds yet, and a report needs them: one "
        "number has no interval. Run more of it with `bionet study run`."
    )
    with says(ValueError, sentence):
        write_report(tmp_path)
    for line in lines:
        line["metrics"]["accuracy"] = math.nan
    put(tmp_path, lines)
    with says(ValueError, sentence):
        write_report(tmp_path)
    (tmp_path / "results.jsonl").unlink()
    with says(ValueError, sentence):
        write_report(tmp_path)
    assert not (tmp_path / "figures").exists()


def test_results_of_another_study_are_refused(tmp_path, says):
    lines = write(tmp_path)
    put(tmp_path, [line | {"study": "another"} for line in lines])
    with says(ValueError, "holds results of the study 'another', and this study is 'reported'"):
        write_report(tmp_path)


def test_a_directory_without_a_study_is_refused(tmp_path, says):
    with says(ValueError, f"There is no study at '{tmp_path}'"):
        write_report(tmp_path)
