import dataclasses
import hashlib
import json

import pytest

from bionet import zoo
from bionet.studies import Arm, Budget, Choice, LogUniform, Tuning
from bionet.studies.design.configuration import check, config_of, final_trials
from bionet.studies.design.trial import Trial
from bionet.zoo.setup import Setup

ES = Arm("prototypes-local", method="es", options={"population": 8})


def test_a_hash_is_that_of_the_canonical_configuration():
    trial = Trial("s", "a", 3, "final", {"b": 1.5, "a": "é"})
    text = '{"arm":"a","config":{"a":"é","b":1.5},"seed":3,"stage":"final","study":"s"}'
    assert trial.hash == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert Trial("s", "a", 3, "final", {"a": "é", "b": 1.5}, number=4).hash == trial.hash


def test_whatever_changes_makes_another_trial(study):
    base = study()
    arms = base.arms
    variants = [
        base,
        study(name="other"),
        study(budget=Budget(2)),
        study(budget=Budget(1, steps=3)),
        study(arms=arms | {"narrow": Arm("prototypes-local", {"hidden": 9})}),
        study(arms=arms | {"narrow": Arm("prototypes-hybrid", {"hidden": 8})}),
        study(arms=arms | {"narrow": Arm("prototypes-local", {"hidden": 8}, control=True)}),
        study(arms=arms | {"narrow": ES}),
    ]
    hashes = [trial.hash for each in variants for trial in final_trials(each, "narrow")]
    assert len(set(hashes)) == len(hashes) == 2 * len(variants)
    assert [trial.hash for trial in final_trials(study(question="Why?"), "narrow")] == hashes[:2]
    assert len(hashes[0]) == 16


def test_a_configuration_is_plain_json_with_every_field_and_option(study):
    config = config_of(study(arms={"es": ES}), "es", {"sigma": 0.5, "hidden": 4}, Budget(7))
    assert config == json.loads(json.dumps(config))
    assert config["options"]["population"] == 8
    assert config["options"]["sigma"] == 0.5  # an option of the method, where it has one
    assert config["options"]["strategy"] == "Open_ES"
    assert config["overrides"] == {"hidden": 4}  # else a field of the config
    assert config["config"]["hidden"] == 4
    assert config["config"]["dim"] == 100
    assert config["budget"] == {"amount": 7.0, "unit": "epochs", "steps": None}


@pytest.mark.parametrize("arm", [ES, Arm("prototypes-local", {"hidden": 5})])
def test_a_recipe_is_rebuilt_from_its_configuration(study, arm):
    config = config_of(study(arms={"a": arm}), "a", {"learning_rate": 0.5}, Budget(1))
    recipe = Setup.from_dict(config).build()
    assert config_of(study(arms={"a": arm}), "a", {"learning_rate": 0.5}, Budget(1)) == config
    assert recipe.config.hidden == config["config"]["hidden"]
    assert (recipe.switched is None) == (arm.method is None)
    hash(recipe.config)  # methods are made once per config


def test_an_integer_and_a_float_budget_are_one(study):
    one, other = (study(budget=Budget(amount)) for amount in (2, 2.0))
    assert final_trials(one, "wide") == final_trials(other, "wide")


def test_a_clock_leaves_the_passes_of_a_schedule_to_the_arm(study):
    arm = Arm("classification-local", {"epochs": 90})
    timed = study(arms={"a": arm}, budget=Budget(60, "seconds"))
    check(timed)
    for seconds, passes in ((60, 90), (20, 30), (0.1, 1)):
        config = config_of(timed, "a", {}, Budget(seconds, "seconds"))
        assert config["config"]["epochs"] == config["overrides"]["epochs"] == passes
        assert Setup.from_dict(config).build().config.epochs == passes


@pytest.mark.parametrize(
    ("arm", "told"),
    [
        (Arm("prototype-local"), "No recipe is named 'prototype-local'. Did you mean"),
        (Arm("prototypes-local", {"hiden": 3}), "No field is named 'hiden'. Did you mean 'hidden'"),
        (Arm("prototypes-local", {"epochs": 3}), "budget says how long; leave epochs out"),
        (Arm("prototypes-local", method="evo"), "No method is named 'evo'."),
        (Arm("prototypes-local", method="es", options={"sigm": 1}), "Did you mean 'sigma'"),
        (Arm("classification-dfa", method="two-phase"), "needs an orchestrator"),
    ],
)
def test_an_arm_that_cannot_run_is_refused_before_anything_runs(study, arm, told):
    with pytest.raises((ValueError, LookupError)) as caught:
        check(study(arms={"good": Arm("prototypes-local"), "bad": arm}))
    assert told in str(caught.value)
    assert "Arm 'bad' of study 'small'" in str(caught.value)


def test_an_arm_whose_recipe_does_not_take_the_data_is_refused(study):
    with pytest.raises(ValueError, match="Arm 'narrow' of study 'small': recipe") as caught:
        check(study(dataset="digits"))
    told = str(caught.value)
    assert "'prototypes-local' does not take the data set 'digits'; it takes prototypes." in told


@pytest.mark.parametrize("name", ["evaluations", "examples", "seconds"])
def test_a_metric_under_the_name_of_a_cost_is_refused(study, monkeypatch, name):
    """A point of a curve has the costs beside the metric, and would hide it."""
    recipe = zoo.get("prototypes-local")
    workload = dataclasses.replace(recipe.workload, metric_name=name)
    recipe = dataclasses.replace(recipe, workload=workload)
    monkeypatch.setattr(zoo, "get", lambda id: recipe)
    told = f"the metric is named {name!r}, which a learning curve has for a cost"
    with pytest.raises(ValueError, match=told):
        check(study())


def test_a_study_has_one_metric_which_exists(study):
    check(study(metrics=("accuracy", "loss")))
    with pytest.raises(ValueError, match="No metric is named 'accurcy'"):
        check(study(metrics=("accurcy",)))
    other = next(id for id in zoo.REGISTRY if zoo.get(id).metric != "accuracy")
    with pytest.raises(ValueError, match="needs one metric, but judges 'narrow' by accuracy and"):
        check(study(arms={"narrow": Arm("prototypes-local"), "other": Arm(other)}))


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"learning_rte": LogUniform(1e-3, 1)}, "Did you mean 'learning_rate'"),
        ({"epochs": Choice(1, 2)}, "No option or field is named 'epochs'"),
        ({"dataset": Choice("prototypes", "digits")}, "No data set is named 'digits'"),
    ],
)
def test_what_is_tuned_exists_and_takes_its_values(study, space, told):
    arms = {"narrow": Arm("prototypes-local")}
    with pytest.raises(ValueError, match="Arm 'narrow' of study 'small'") as caught:
        check(study(arms=arms, tuning=Tuning(2, {"narrow": space})))
    assert told in str(caught.value)
