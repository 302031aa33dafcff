"""What a container keeps does not change when the caller goes on with what was handed in."""

import dataclasses

import numpy as np
import pytest

from bionet import zoo
from bionet._core.leaves import own_array
from bionet._core.ownership import is_unwritable, own_containers, read_only
from bionet.studies import Arm, Budget, Study, Tuning
from bionet.studies.design.spaces import Uniform
from bionet.training.method import MethodSpec
from bionet.zoo.result import Result


def view_of(array, *, writeable):
    view = array[:]
    view.flags.writeable = writeable
    return view


def test_a_read_only_view_of_a_writable_array_can_be_written_to():
    below = np.zeros(3)
    assert not is_unwritable(view_of(below, writeable=False))
    below.flags.writeable = False
    assert is_unwritable(below)
    assert is_unwritable(below[1:])
    assert is_unwritable(np.frombuffer(b"ab", np.uint8))
    assert not is_unwritable(np.frombuffer(bytearray(b"ab"), np.uint8))


def test_only_what_can_change_is_copied():
    array = np.zeros(3, np.float32)
    kept = read_only(array)
    array[:] = 1
    assert kept.tolist() == [0, 0, 0]
    assert np.shares_memory(read_only(kept), kept)
    assert read_only(kept, np.int32).dtype == np.int32
    with pytest.raises(ValueError, match="WRITEABLE"):
        kept.flags.writeable = True


@pytest.mark.parametrize("size", [3, 64, 100_000])
def test_an_array_of_jax_has_memory_of_its_own(size):
    array = np.zeros(size, np.float32)
    kept = own_array(view_of(array, writeable=False))
    array[:] = 1
    assert not kept.any()
    assert own_array(kept) is kept


def test_numbers_stay_what_jax_makes_of_them():
    assert own_array(0.5).weak_type
    assert not own_array(np.float32(0.5)).weak_type
    assert own_array([1, 2], np.float32).tolist() == [1.0, 2.0]


def test_containers_are_copied_all_the_way_down():
    inner = [1, {"a": 2}]
    kept = own_containers({"inner": inner, "pair": (inner, 3)})
    inner[1]["a"], inner[0] = 5, 5
    assert kept == {"inner": [1, {"a": 2}], "pair": ([1, {"a": 2}], 3)}


def test_an_arm_and_a_study_keep_their_dicts():
    overrides, options, spaces = {"hidden": 8}, {"sigma": 0.1}, {"es": {"sigma": Uniform(0.1, 1)}}
    arm = Arm("prototypes-local", overrides, method="evolution", options=options)
    tuning, arms = Tuning(2, spaces), {"es": arm}
    study = Study("which", "Which?", arms, range(2), Budget(1), tuning=tuning)
    overrides["hidden"], options["sigma"] = 9, 0.2
    spaces["es"].clear()
    arms.clear()
    assert (arm.overrides, arm.options) == ({"hidden": 8}, {"sigma": 0.1})
    assert list(tuning.spaces["es"]) == ["sigma"]
    assert list(study.arms) == ["es"]


def test_a_result_keeps_its_numbers():
    row, baselines = {"epoch": 1.0, "loss": 2.0, "accuracy": 0.5}, {"chance": 0.1}
    result = Result("id", "data", 0, (row,), dict(row), baselines, details={"seen": [1]})
    row["loss"], baselines["chance"] = 0.0, 0.9
    assert list(result) == [2.0]
    assert result.baselines == {"chance": 0.1}


def test_a_recipe_keeps_what_was_replaced():
    brief = {"epochs": 1}
    recipe = dataclasses.replace(zoo.get("classification-backprop"), brief=brief)
    brief["epochs"] = 5
    assert recipe.brief == {"epochs": 1}
    again = recipe.replace(hidden=64)
    recipe.brief["epochs"] = 7
    assert again.brief == {"epochs": 1}


def test_the_spec_of_a_method_holds_tuples():
    needs = ["a local rule"]
    spec = MethodSpec("mine", "local", "One of mine.", needs)
    needs.append("luck")
    assert spec.needs == ("a local rule",)
    with pytest.raises(TypeError, match="MethodSpec 'mine': sources needs a tuple of strings"):
        MethodSpec("mine", "local", "One of mine.", sources="one paper")
