"""The faults that `tests/faults/plant.py` plants are still there to be planted."""

import re
import tomllib

import pytest


@pytest.fixture(scope="module")
def faults(root):
    """The entries of the list."""
    return tomllib.loads((root / "tests/faults/faults.toml").read_text("utf-8"))["fault"]


def test_every_fault_has_one_place_and_changes_it(root, faults):
    # The sources move on; a fault whose text is gone, or is there twice, would plant nothing.
    lost = {
        fault["name"]: (root / fault["file"]).read_text("utf-8").count(fault["old"])
        for fault in faults
        if (root / fault["file"]).read_text("utf-8").count(fault["old"]) != 1
        or fault["old"] == fault["new"]
    }
    assert lost == {}


def test_every_fault_has_a_name_of_its_own_and_tests_that_are_there(root, faults):
    names = [fault["name"] for fault in faults]
    assert len(names) == len(set(names)) >= 25
    tests = {test for fault in faults for test in fault["tests"]}
    assert [test for test in tests if not (root / re.sub("::.*", "", test)).is_file()] == []
    assert all(fault["tests"] for fault in faults)
