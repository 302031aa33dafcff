"""Values that nothing can be meant by are refused before training; ablations by 0 are not."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from bionet import zoo
from bionet.training.checks.values import check_values
from bionet.training.registry import METHODS, make_options
from bionet.zoo.setup import Setup

STUDIES = Path(__file__).parents[3] / "research" / "studies"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("learning_rate", -1.0, "must be > 0, got -1. It is the size of a step."),
        ("learning_rate", 0.0, "must be > 0, got 0. It is the size of a step."),
        ("learning_rate", math.nan, "must be a finite number, got nan."),
        ("learning_rate", "much", "needs a value of type float, got 'much'."),
        ("hidden", 0, "must be > 0, got 0. It is a number of units."),
        ("hidden", 8.5, "needs a value of type int, got 8.5."),
        ("hidden", True, "needs a value of type int, got True."),
        ("hidden", 10**400, "must be a number of 32 bits, got 1000"),
        ("batch_size", 0, "must be > 0, got 0. It is how many examples a step sees."),
        ("flip", 1.5, "must be from 0 to 1, got 1.5. It is a share."),
        ("strength_forward", -1.0, "must be >= 0, got -1. It is a scale."),
        ("threshold_in", math.inf, "must be a finite number, got inf."),
    ],
)
def test_a_field_of_a_recipe(field, value, told):
    with pytest.raises(ValueError, match="In recipe 'prototypes-local': ") as refused:
        zoo.get("prototypes-local").replace(**{field: value})
    assert f"`{field}` {told}" in str(refused.value)


@pytest.mark.parametrize(
    ("method", "options", "told"),
    [
        ("backprop", {"learning_rate": -1e-3}, "`learning_rate` must be > 0"),
        ("backprop", {"gain": 0.0}, "`gain` must be > 0"),
        ("es", {"sigma": math.nan}, "`sigma` must be a finite number"),
        ("lowrank-es", {"rank": 1.5}, "`rank` needs a value of type int"),
        ("local-es", {"normalize": 1}, "`normalize` needs a value of type bool"),
        ("dfa", {"strength": -1.0}, "`strength` must be >= 0"),
        ("surrogate", {"slope": 0.0}, "`slope` must be > 0"),
        ("frozen", {"ridge": math.inf}, "`ridge` must be a finite number"),
        ("storage", {"rule": "hebbb"}, "No rule is named 'hebbb'. Did you mean 'hebb'"),
    ],
)
def test_an_option_of_a_method(method, options, told):
    with pytest.raises(ValueError, match=f"In method '{method}': ") as refused:
        make_options(method, options)
    assert told in str(refused.value)


def test_a_rate_of_zero_freezes_a_layer_but_not_all_of_them():
    recipe = zoo.get("classification-local")
    assert recipe.replace(rate_in=0.0, rate_recurrent=0.0).config.rate_in == 0
    with pytest.raises(ValueError, match="one of `rate_in`, `rate_recurrent`, `rate_out` must be"):
        recipe.replace(rate_in=0.0, rate_recurrent=0.0, rate_out=0.0)
    with pytest.raises(ValueError, match="`rate_out` must be >= 0, got -0.1. It is a rate"):
        recipe.replace(rate_out=-0.1)


@pytest.mark.parametrize("id", ["prototypes-es", "control-lif-es", "prototypes-hybrid"])
@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_a_sigma_is_refused_by_the_method_before_it_trains(id, sigma):
    with pytest.raises(ValueError, match="sigma needs to be above 0 and finite, got"):
        zoo.get(id).replace(sigma=sigma).build_method()


def test_parts_are_taken_out_by_zeros():
    zeros = dict.fromkeys(("strength_backward", "threshold_in", "threshold_out", "j_d"), 0.0)
    zoo.get("classification-local").replace(**zeros, clamped=0, free=0)
    zoo.get("prototypes-hybrid").replace(lam=0.0)


def test_whole_numbers_are_numbers():
    assert zoo.get("prototypes-local").replace(threshold_in=2).config.threshold_in == 2


def test_no_recipe_and_no_default_is_refused():
    for id in zoo.names():
        recipe = zoo.get(id)
        for dataset in recipe.spec.datasets or (None,):
            check_values(id, recipe.on(dataset).config)
        if recipe.ablation:
            recipe.without()
    for name, entry in METHODS.items():
        check_values(name, entry.Options())


@pytest.mark.slow
def test_no_trial_of_any_study_is_refused():
    """Each recipe and method with each value that a line of the studies holds, once."""
    seen = set()
    for file in STUDIES.rglob("results.jsonl"):
        for text in file.read_text("utf-8").splitlines():
            config = json.loads(text).get("config", {})
            if "recipe" not in config or str(config["recipe"]) not in zoo.REGISTRY:
                continue
            parts = {key: config.get(key) for key in ("recipe", "overrides", "method", "options")}
            written = json.dumps(parts, sort_keys=True)
            if written not in seen:
                seen.add(written)
                recipe = Setup.from_dict(config).build()
                assert dataclasses.is_dataclass(recipe.config)
    assert len(seen) > 100
