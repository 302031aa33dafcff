"""The rows of a heat map; what figures look like is tested in tests/unit/plotting."""

import pytest

from bionet.studies.report import figures
from bionet.studies.report.arm_results import ArmResults
from bionet.studies.report.sections import Task


def arm(name, recipe, data, method=None):
    config = {"recipe": recipe, "dataset": data, "method": method}
    lines = [
        {"seed": seed, "metrics": {"accuracy": 0.9}, "metric": "accuracy", "config": config}
        for seed in (0, 1)
    ]
    return ArmResults(name, tuple(lines))


def task(*arms):
    return Task("data", ("accuracy",), arms, None, None)


@pytest.fixture
def rows(monkeypatch):
    """`rows((label, task), ...)` is what the heat map would have as rows and columns."""
    drawn = {}
    monkeypatch.setattr(figures, "plot_heat_map", lambda cells, **options: drawn.update(options))

    def call(*tasks):
        drawn.clear()
        path = figures.draw_heat_map(list(tasks), "heat-map.svg")
        return path and (drawn["rows"], drawn["columns"])

    return call


LOCAL = arm("prototypes-local", "prototypes-local", "prototypes")
WEAK = arm("prototypes-weak", "prototypes-hybrid", "prototypes")
STRONG = arm("prototypes-strong", "prototypes-hybrid", "prototypes")
DIGITS = arm("digits-local", "classification-local", "digits")
ALSO_WEAK = arm("digits-weak", "classification-hybrid", "digits")


def test_a_row_is_a_method(rows):
    found = rows(("a", task(LOCAL, WEAK)), ("a", task(DIGITS, ALSO_WEAK)))
    assert found == (["two-phase", "local-es"], ["prototypes", "classification\ndigits"])


def test_arms_of_one_method_have_a_row_each(rows):
    found = rows(("a", task(LOCAL, WEAK, STRONG)), ("a", task(DIGITS, ALSO_WEAK)))
    assert found[0] == ["two-phase", "weak", "strong"]  # both tasks share the row "weak"


def test_studies_with_the_same_method_have_a_row_each(rows):
    found = rows(("a", task(LOCAL)), ("b", task(LOCAL, DIGITS)))
    assert found[0] == ["two-phase (a)", "two-phase (b)"]


def test_a_name_that_is_another_ones_method_takes_no_cell_away(rows):
    named = arm("two-phase", "prototypes-hybrid", "prototypes")
    found = rows(("a", task(LOCAL, named, STRONG)), ("a", task(DIGITS)))
    assert len(found[0]) == 3
    assert len(set(found[0])) == 3


def test_one_column_is_no_matrix(rows):
    assert rows(("a", task(LOCAL, WEAK))) is None
