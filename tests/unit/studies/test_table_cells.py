import math

import pytest

from bionet.studies.report import table_cells as cells
from bionet.studies.report.costs import Reach
from bionet.studies.report.statistics import Interval, paired


def test_numbers_and_intervals():
    found = Interval(0.96571, 0.957, 0.97124, 5)
    assert cells.interval(found, True) == "96.57 [95.70, 97.12]"
    assert cells.interval(found, False) == "0.9657 [0.957, 0.9712]"
    assert cells.number(123_456.7, False) == "123,457"
    assert cells.gap(Interval(0.029, -0.00001, 0.031, 5), True) == "+2.90 [+0.00, +3.10]"
    assert cells.gap(Interval(-1.5, -2.25, 0.0, 5), False) == "-1.5 [-2.25, +0]"


def test_which_way_a_difference_goes():
    up = paired({0: 2.0, 1: 2.0, 2: 3.0}, {0: 1.0, 1: 1.0, 2: 1.0})
    assert cells.direction(up, lower=False) == "ahead"
    assert cells.direction(up, lower=True) == "behind"
    both = paired({0: 2.0, 1: 0.0, 2: 1.0}, {0: 1.0, 1: 1.0, 2: 1.0})
    assert cells.direction(both, lower=False) == "not told apart"
    assert cells.wins(both) == "1 of 3, 1 equal"
    assert cells.wins(up) == "3 of 3"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "not measured"),
        ([0.12345], "0.123"),
        ([6_397_952.0] * 3, "6,397,952"),
        ([100.0, 200.0], "150 [100, 200]"),
        ([0.0, 0.0], "0"),
        ([577.1, 577.2], "577"),
    ],
)
def test_costs(values, told):
    assert cells.amounts(values) == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Reach(math.inf, math.inf, math.inf, 0, 5), "never"),
        (Reach(math.inf, math.inf, math.inf, 0, 0), "not measured"),
        (Reach(math.inf, 10.0, 20.0, 2, 5), "half or more never (10 to 20)"),
        (Reach(math.inf, 10.0, 10.0, 1, 5), "half or more never (10)"),
        (Reach(20.0, 10.0, 30.0, 5, 5), "20 (10 to 30)"),
        (Reach(25.0, 25.0, 25.0, 4, 5), "25"),
    ],
)
def test_thresholds(found, told):
    assert cells.format_reach(found) == told


def test_a_table_keeps_its_columns():
    assert cells.table(["a", "b"], [[cells.words("x | y\nz"), "1"]]).splitlines() == [
        "| a | b |",
        "| --- | ---: |",
        r"| x \| y z | 1 |",
    ]
