import pytest

from bionet.studies import Arm, Choice, LogUniform, Tuning, Uniform, Whole
from bionet.studies.design.spaces import nearest
from bionet.studies.run.tuning import own_values


@pytest.mark.parametrize(
    ("space", "value", "found"),
    [
        (Uniform(1.0, 6.0), 3.5, 3.5),
        (Uniform(1.0, 6.0), 0, 1.0),
        (Uniform(1.0, 6.0), None, 3.5),
        (LogUniform(0.01, 1.0), 7.0, 1.0),
        (LogUniform(0.01, 1.0), None, 0.1),
        (LogUniform(0.01, 1.0), float("nan"), 0.1),
        (Whole(2, 9), 4.6, 5),
        (Whole(2, 8, log=True), None, 4),
        (Choice("adam", "sgd"), "sgd", "sgd"),
        (Choice("adam", "sgd"), "lion", "adam"),
        (Choice(1, None), None, None),
    ],
)
def test_the_nearest_value_of_a_space(space, value, found):
    assert nearest(space, value) == (pytest.approx(found) if isinstance(found, float) else found)
    assert type(nearest(space, value)) is type(found)


def test_an_arm_begins_with_its_own_options_and_fields(study):
    arm = Arm("prototypes-local", {"threshold_in": 2.5}, "es", {"sigma": 0.3})
    spaces = {
        "sigma": LogUniform(0.01, 0.2),
        "population": Whole(8, 128),
        "threshold_in": Uniform(1.0, 6.0),
        "strategy": Choice("SNES", "Open_ES"),
    }
    found = own_values(study(arms={"a": arm}, tuning=Tuning(3, {"a": spaces})), "a")
    assert found == {
        "sigma": 0.2,
        "population": 64,
        "threshold_in": 2.5,
        "strategy": "Open_ES",
    }
    assert own_values(study(), "wide") == {}
