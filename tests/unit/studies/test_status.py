"""Which lines count while arms are tuned, and what is told of those that do not."""

import pytest

from bionet.studies import Tuning, Uniform
from bionet.studies.design.configuration import final_trials
from bionet.studies.run.status import make_status
from bionet.studies.run.store import Read
from bionet.studies.run.tuning import tuning_trial

SPACES = {name: {"threshold_in": Uniform(0.5, 5.0)} for name in ("narrow", "wide")}


def line_of(trial, value):
    named = {"study": trial.study, "arm": trial.arm, "seed": trial.seed, "stage": trial.stage}
    told = {"trial": trial.hash, "config": trial.config, "number": trial.number}
    return named | told | {"metric": "accuracy", "metrics": {"accuracy": value}}


@pytest.fixture
def tuned(study):
    """`tuned(trials)` is a study with so many tuning trials per arm."""
    return lambda trials: study(tuning=Tuning(trials, SPACES))


@pytest.fixture
def tries(tuned):
    """`tries(*values)` are the lines of tuning trials of the arm "wide" that reach these."""
    return lambda *values: [
        line_of(tuning_trial(tuned(9), "wide", n, {"threshold_in": 1.0 + n}), value)
        for n, value in enumerate(values)
    ]


@pytest.fixture
def finals(tuned):
    """`finals(change)` are the lines of the final trials of the arm "wide"."""
    return lambda change: [line_of(trial, 0.5) for trial in final_trials(tuned(1), "wide", change)]


def test_no_final_line_counts_before_the_tuning_is_finished(tuned, tries, finals):
    lines = [*tries(0.5), *finals({}), *finals({"threshold_in": 1.0})]
    found = make_status(tuned(2), Read(lines))
    wide = found.arms["wide"]
    assert (len(wide.tuning), wide.done, len(wide.missing)) == (1, (), 2)
    assert wide.unready == "1 of 2 tuning trials"
    assert (found.lines, found.missing, found.stale) == ([], 4, 4)


def test_no_final_line_counts_where_every_tuning_trial_diverged(tuned, tries, finals):
    found = make_status(tuned(2), Read([*tries(None, None), *finals({})]))
    wide = found.arms["wide"]
    assert (len(wide.tuning), wide.done, len(wide.missing)) == (2, (), 2)
    assert wide.unready == "every tuning trial diverged"
    assert (found.stale, found.retuned) == (2, 0)


def test_final_lines_of_the_chosen_values_count(tuned, tries, finals):
    found = make_status(tuned(2), Read([*tries(0.5, 0.6), *finals({"threshold_in": 2.0})]))
    assert (len(found.arms["wide"].done), found.arms["wide"].unready) == (2, "")
    assert (found.stale, found.retuned, found.stale_note()) == (0, 0, "")


def test_lines_of_another_number_of_tuning_trials_are_told(tuned, tries, finals):
    lines = [*tries(0.5, 0.6, 0.7), *finals({"threshold_in": 3.0})]  # of a run with --tune 3
    assert make_status(tuned(3), Read(lines)).stale == 0
    fewer, more = make_status(tuned(2), Read(lines)), make_status(tuned(4), Read(lines))
    assert (fewer.stale, fewer.retuned, len(fewer.arms["wide"].done)) == (3, 3, 0)
    assert (more.stale, more.retuned, len(more.arms["wide"].tuning)) == (2, 2, 3)
    assert more.stale_note() == (
        "2 lines are of other configurations than the study has now, and not counted. 2 of them "
        "are of another number of tuning trials per arm than the 4 that count here: write that "
        "number into the study, or give it to status and report, as --tune."
    )
    stray = finals({})[0]
    told = make_status(tuned(2), Read([*tries(0.5, 0.6, 0.1), stray])).stale_note()
    assert told.startswith("2 lines are of other configurations than the study has now")
    assert "1 of them is of another number of tuning trials per arm than the 2 that" in told


def test_lines_of_other_arms_are_stale_and_no_more(study, finals):
    found = make_status(study(), Read([*finals({"hidden": 99})]))
    assert (found.stale, found.retuned) == (2, 0)
    assert found.stale_note() == (
        "2 lines are of other configurations than the study has now, and not counted."
    )
