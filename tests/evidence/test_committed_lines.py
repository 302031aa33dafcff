"""Every committed line is one that the code of today stands behind, and none is missing.

A field with a new default in a hash, a renamed option or a changed budget would leave lines that no
table counts and that nobody measures again. `research/prune.py` names them, here as there.
"""

import json
from pathlib import Path

import pytest

from bionet.studies.design.configuration import final_trials
from bionet.studies.design.loading import load_study
from bionet.studies.run.tuning import tuning_trial

STUDY = """
from bionet.studies import Arm, Budget, LogUniform, Study, Tuning
ARMS = {"a": Arm("prototypes-local"), "b": Arm("prototypes-local", control=True)}
TUNING = Tuning(2, {"a": {"learning_rate": LogUniform(1e-4, 1.0)}})
STUDY = Study("toy", "Which?", ARMS, range(2), Budget(1), tuning=TUNING)
"""


@pytest.fixture(scope="module")
def prune(script):
    """The script."""
    return script("prune")


def assert_current(checked):
    assert (checked.stale, checked.missing) == ({}, ()), f"\n{checked}"
    assert checked.lines > 0


STUDIES = Path(__file__).parents[2] / "research" / "studies"


def each(pattern):
    """A case for every file of that kind, so that a study that is being measured fails alone."""
    found = sorted(STUDIES.glob(pattern))
    named = [str(path.parent.relative_to(STUDIES)) for path in found]
    return pytest.mark.parametrize("path", found, ids=named)


@pytest.mark.slow
@each("**/study.py")
def test_the_lines_of_a_study_file_are_current(prune, path):
    assert_current(prune.check_study(path.parent))


@each("*/run.py")
def test_the_lines_of_a_script_are_current(prune, path):
    assert_current(prune.check_script(path))


@each("**/settling.jsonl")
def test_the_lines_beside_a_study_are_current(prune, path):
    assert_current(prune.check_settling(path))


def test_the_evidence_is_current(prune):
    checked = list(prune.check_evidence())
    assert len(checked) >= 22
    for each in checked:
        assert_current(each)


@pytest.fixture
def toy(tmp_path):
    """A small study with all of its lines."""
    (tmp_path / "study.py").write_text(STUDY)
    study = load_study(tmp_path).study
    trials = [tuning_trial(study, "a", n, {"learning_rate": 0.1 * (n + 1)}) for n in range(2)]
    trials += final_trials(study, "a", {"learning_rate": 0.2}) + final_trials(study, "b")
    names = ("study", "arm", "seed", "stage", "number", "config")
    lines = [
        {name: getattr(trial, name) for name in names}
        | {"trial": trial.hash, "metric": "accuracy", "metrics": {"accuracy": trial.number or 0}}
        for trial in trials
    ]
    write(tmp_path, lines)
    return tmp_path, lines


def write(folder, lines):
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_stale_and_missing_lines_are_named_and_removed(prune, toy):
    folder, lines = toy
    assert_current(prune.check_study(folder))
    stranger = lines[-1] | {"trial": "0" * 16}  # as of a configuration that nobody asks for
    write(folder, [*lines[:-1], stranger])
    checked = prune.check_study(folder)
    assert list(checked.stale) == [len(lines)]
    assert checked.missing == ("b, seed 1",)
    assert "stale, line 6: b, final, seed 1, 0000000000000000" in str(checked)
    before = (folder / "results.jsonl").read_text().splitlines()
    assert prune.remove(checked) == 1
    assert (folder / "results.jsonl").read_text().splitlines() == before[:-1]


def test_a_tuning_line_under_another_hash_and_a_changed_config_are_stale(prune, toy):
    folder, lines = toy
    renamed = [lines[0] | {"trial": "1" * 16}, *lines[1:]]
    write(folder, renamed)
    assert list(prune.check_study(folder).stale) == [1]  # its tuning id alone would still fit
    changed = lines[2] | {"config": lines[2]["config"] | {"method": "es"}}
    write(folder, [*lines[:2], changed, *lines[3:]])
    assert list(prune.check_study(folder).stale) == [3]
    write(folder, lines[1:])  # the first tuning trial is gone, and with it the choice
    assert "a, tuning trial 0" in prune.check_study(folder).missing
