import dataclasses
import re

import pytest

from bionet.studies import Arm, Budget, Study
from bionet.studies.design.configuration import final_trials
from bionet.studies.report.compare import compare
from bionet.studies.run.store import Lines

HEAD = "from bionet.studies import Arm, Budget, Study\n"
STUDY = Study(
    "first",
    "Is it?",
    {"local": Arm("prototypes-local"), "frozen": Arm("prototypes-local", control=True)},
    (0, 1, 2),
    Budget(1),
    control="frozen",
)
OTHER = Study("second", "Is it?", {"dfa": Arm("classification-dfa")}, (0, 1), Budget(1))


@pytest.fixture
def add(tmp_path):
    """`add(directory, study, value)` writes a study whose arms reach about a value."""

    def call(directory, study, value, name=None):
        place = tmp_path / directory
        place.mkdir()
        (place / "study.py").write_text(f"{HEAD}STUDY = {study!r}\n")
        with Lines(place / "results.jsonl") as lines:
            for arm in study.arms:
                for trial in final_trials(study, arm):
                    reached = value - 0.1 * (arm == "frozen") + 0.01 * trial.seed
                    named = {"arm": arm, "seed": trial.seed, "study": name or study.name}
                    line = {"trial": trial.hash, "stage": "final", "config": trial.config}
                    told = {"metric": "accuracy", "metrics": {"accuracy": reached}}
                    lines.append(named | line | told | {"evaluations": 10})
        return place

    return call


def rows(text, *cells):
    begin = "| " + " | ".join(cells) + " |"
    found = [line for line in text.splitlines() if line.startswith(begin)]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in found]


def test_one_table_over_studies(add):
    text = compare([add("a", STUDY, 0.9), add("b", OTHER, 0.8) / "study.py"])
    (local,) = rows(text, "first", "prototypes", "prototypes", "`local`")
    assert local[4:] == [
        "two-phase", "3", "accuracy %", "91.00 [90.00, 92.00]",
        "+10.00 [+10.00, +10.00], ahead on 3 of 3", "10", "not measured", "not measured",
    ]  # fmt: skip
    (frozen,) = rows(text, "first", "prototypes", "prototypes", "`frozen`")
    assert (frozen[4], frozen[8]) == ("frozen control", "the control")
    (dfa,) = rows(text, "second", "classification", "digits", "`dfa`")
    assert (dfa[5], dfa[8]) == ("2", "no control")
    assert "on the same seeds" not in text
    assert "best" not in text


def test_two_runs_of_one_study_are_compared_seed_by_seed(add):
    text = compare([add("a", STUDY, 0.9), add("b", STUDY, 0.8)])
    (row,) = rows(text, "`local`")
    assert row[1:] == ["prototypes", "first in b", "first in a", "alike",
                       "-10.00 [-10.00, -10.00]", "0 of 3", "behind"]  # fmt: skip


def test_arms_of_one_name_that_are_set_up_differently_say_so(add):
    longer = dataclasses.replace(STUDY, name="longer", budget=Budget(2))
    text = compare([add("a", STUDY, 0.9), add("b", longer, 0.8)])
    (row,) = rows(text, "`local`", "prototypes", "longer", "first")
    assert row[4] == "not alike"


def test_runs_in_directories_of_one_name_keep_apart(add, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    text = compare([add("x/run", STUDY, 0.9), add("y/run", STUDY, 0.8)])
    assert len(rows(text, "first in x/run")) == len(rows(text, "first in y/run")) == 2


def test_table_and_heat_map_are_written(add, tmp_path):
    out = tmp_path / "out"
    paths = [add("a", STUDY, 0.9), add("b", STUDY, 0.8), add("c", OTHER, 0.7)]
    text = compare(paths, out)
    assert (out / "compare.md").read_text() == text + "\n"
    assert "Written by `bionet study compare a b c --out out` from the lines" in text
    (name,) = re.findall(r"!\[accuracy, method by application\]\((.+)\)", text)
    first = (out / name).read_bytes()
    compare(paths, out)
    assert (out / name).read_bytes() == first
    assert [path.name for path in (out / "figures").iterdir()] == ["heat-map-accuracy.svg"]
    assert not (paths[0] / "figures").exists()


def test_what_is_missing_or_corrupted_is_told(add):
    path = add("a", STUDY, 0.9)
    text = (path / "results.jsonl").read_text()
    (path / "results.jsonl").write_text("nonsense\n" + text.split("\n", 1)[1])
    text = compare([path])
    assert "- first: 1 trial has no line yet." in text
    assert "- first: 1 line was skipped: line 1 of results.jsonl is no JSON." in text


def test_arms_that_are_left_out_are_named(add):
    path = add("a", STUDY, 0.9)
    lines = (path / "results.jsonl").read_text().splitlines()
    (path / "results.jsonl").write_text("\n".join([*lines[:4], ""]))
    told = "- first: arm `frozen` is left out: values of 1 seed, so it has no interval."
    assert told in compare([path])


def test_refusals(add, says, tmp_path):
    again = add("again", STUDY, 0.9)
    with says(ValueError, f"The study at '{again}' comes twice. Give each path once."):
        compare([again, again / "study.py"])
    with says(ValueError, "holds results of the study 'stranger', and this study is 'first'"):
        compare([add("a", STUDY, 0.9, name="stranger")])
    with says(ValueError, "one number has no interval"):
        compare([add("b", dataclasses.replace(STUDY, seeds=(1,)), 0.9)])
    with says(ValueError, "There is no study at"):
        compare([tmp_path / "nowhere"])
