"""What a workload holds, and what it refuses to be made of."""

import copy
from dataclasses import replace

import pytest

from bionet.workloads.prototypes import WORKLOAD


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"datasets": ("other",)}, "`dataset` of its config must be the first of its data sets"),
        ({"presets": {"prototype": {}}}, "No data set is named 'prototype'. Did you mean 'proto"),
        ({"presets": {"prototypes": {"hiden": 3}}}, "No field is named 'hiden'. Did you mean 'hid"),
        ({"revisions": {"baseline": 2}}, "No part is named 'baseline'. Did you mean 'baselines'"),
        ({"revisions": {"control": 0}}, "must be a whole number >= 1, got 0"),
    ],
)
def test_what_does_not_fit_is_told(fields, told):
    with pytest.raises(ValueError, match=told):
        replace(WORKLOAD, **fields)


def test_copies_are_the_same_one():
    """Methods and graphs are kept by workload: a copy would compile everything anew."""
    assert copy.copy(WORKLOAD) is WORKLOAD
    assert copy.deepcopy(WORKLOAD) is WORKLOAD


def test_it_owns_its_presets():
    given = {"prototypes": {"hidden": 3}}
    workload = replace(WORKLOAD, presets=given)
    given["prototypes"]["hidden"] = 4
    assert workload.presets == {"prototypes": {"hidden": 3}}
