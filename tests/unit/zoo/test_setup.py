"""A run as plain data: to JSON and back, and the name that it is kept under."""

import json

import pytest

from bionet import zoo
from bionet.zoo.setup import Setup

CASES = [
    Setup("prototypes-local"),
    Setup("prototypes-local", overrides={"hidden": 12, "learning_rate": 0.01}),
    Setup("prototypes-local", method="es", options={"population": 8}),
    Setup("prototypes-hybrid", overrides={"clamped": 3, "pairs": 2}),
    Setup("prototypes-local", seed=3, budget={"amount": 2.0, "unit": "epochs"}),
]


@pytest.mark.parametrize("setup", CASES)
def test_it_comes_back_from_its_json(setup):
    described = json.loads(json.dumps(setup.to_dict()))
    again = Setup.from_dict(described)
    assert again.to_dict() == described
    assert again.hash == setup.hash
    assert again.build().config == setup.build().config
    assert again.build().build_method() is setup.build().build_method()


def test_every_number_is_in_its_name():
    hashes = {setup.hash for setup in CASES}
    assert len(hashes) == len(CASES)


def test_names_of_before_reach_numbers_that_have_another_one_now():
    recipe = Setup("prototypes-hybrid", overrides={"pairs": 2, "free": 3}).build()
    assert recipe.build_method().pairs.num_samples == 2
    assert recipe.network_config.steps == 3
    assert recipe.replace(num_samples=2, steps=3).config == recipe.config


@pytest.mark.parametrize(
    ("setup", "told"),
    [
        (Setup("prototypes-locl"), "Did you mean 'prototypes-local'"),
        (Setup("prototypes-local", "prototype"), "Did you mean 'prototypes'"),
        (Setup("prototypes-local", overrides={"hiden": 3}), "Did you mean 'hidden'"),
        (Setup("prototypes-local", method="ess"), "Did you mean 'es'"),
        (Setup("prototypes-local", method="es", options={"sgma": 1.0}), "Did you mean 'sigma'"),
    ],
)
def test_what_does_not_exist_is_told_the_nearest(setup, told):
    with pytest.raises((ValueError, LookupError), match=told):
        setup.build()


def test_lines_of_before_keep_their_form():
    """The form that the committed lines of the recipe have, name by name."""
    names = list(Setup("prototypes-local").to_dict()["config"])
    assert "feedback" not in names  # added with the workload, and at its default
    assert "free" in names
    assert "steps" not in names
    assert zoo.get("prototypes-local").replace(feedback=False).written()["feedback"] is False
