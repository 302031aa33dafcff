"""What stands beside a recipe has a revision: a changed control is not told by its old numbers.

A line with an older revision of a part counts for nothing, until that part, and no other, has been
measured again on the same seed.
"""

import dataclasses
import json
from types import SimpleNamespace

import pytest

from bionet import zoo
from bionet.studies import Arm, Budget, Study
from bionet.studies.design.configuration import config_of
from bionet.zoo.recipe import Recipe
from bionet.zoo.setup import Setup

ID = "prototypes-local"
RAISED = {"control": 2, "baselines": 3}


@pytest.fixture
def small():
    """A recipe that trains in no time, in place of the one of its name."""
    recipe = zoo.get(ID).replace(samples=64, hidden=8, epochs=1)
    here = SimpleNamespace(get=lambda id: here.recipe, REGISTRY=zoo.REGISTRY, recipe=recipe)
    return here


@pytest.fixture
def run(script, small, tmp_path, monkeypatch):
    """The script of the evidence, with its lines in an empty folder."""
    lines, run = script("lines"), script("run")
    monkeypatch.setattr(lines, "HERE", tmp_path)
    for module in (lines, run):
        monkeypatch.setattr(module, "zoo", small)
    return run


@pytest.mark.slow
def test_an_older_revision_counts_for_nothing_until_that_part_is_measured_again(
    run, small, script, tmp_path, monkeypatch
):
    lines = script("lines")
    dataset = small.recipe.config.dataset
    run.run(ID, None, seeds=1)
    (first,) = lines.lines_of(ID, dataset)
    assert "revisions" not in first

    new = {"a rule that is stronger": 0.5}
    workload = dataclasses.replace(
        small.recipe.workload, revisions=RAISED, baselines=lambda config, splits: new
    )
    small.recipe = dataclasses.replace(small.recipe, workload=workload)
    assert lines.lines_of(ID, dataset) == []  # for no table, band or margin

    monkeypatch.setattr(Recipe, "fit", lambda *args, **kwargs: pytest.fail("trained anew"))
    run.run(ID, None, seeds=1)
    (again,) = lines.lines_of(ID, dataset)
    assert again["baselines"] == new
    assert again["control"] == first["control"]  # the same code, seed and key: the same bits
    assert again["revisions"] == RAISED
    assert set(again["remeasured"]) == {"control", "baselines"}
    assert set(again["remeasured"]["control"]) == {"versions", "python", "device"}
    untouched = set(first) - {"baselines", "control"}
    assert {name: again[name] for name in untouched} == {name: first[name] for name in untouched}

    before = (tmp_path / f"{ID}.jsonl").read_bytes()
    run.run(ID, None, seeds=1)  # nothing is outdated now
    assert (tmp_path / f"{ID}.jsonl").read_bytes() == before


def test_an_ablation_is_measured_again_by_itself(run, small, script, tmp_path):
    recipe = small.recipe
    line = {"config_hash": script("lines").config_hash(recipe), "seed": 0, "ablation": {"a": 1}}
    other = json.dumps({"config_hash": "of another", "seed": 0}, indent=None)
    path = tmp_path / f"{ID}.jsonl"
    path.write_text(f"{other}\n{json.dumps(line)}\n")
    small.recipe = dataclasses.replace(recipe, revisions={"ablation": 2})
    trained = []
    run.MEASURES["ablation"], kept = (
        lambda recipe, seed: trained.append((recipe.ablated, seed)) or {"a": 2},
        run.MEASURES["ablation"],
    )
    try:
        run.run(ID, None, seeds=1)
    finally:
        run.MEASURES["ablation"] = kept
    assert trained == [(recipe.ablated, 0)]
    assert path.read_text().splitlines()[0] == other
    assert json.loads(path.read_text().splitlines()[1])["ablation"] == {"a": 2}


def test_a_control_arm_has_another_configuration_when_its_recipe_has_another_control(monkeypatch):
    arms = {"net": Arm("prototypes-local"), "frozen": Arm("prototypes-local", control=True)}
    study = Study("toy", "Which?", arms, range(2), Budget(1))
    before = {arm: config_of(study, arm, {}, study.budget) for arm in arms}
    assert "control_revision" not in before["frozen"]  # so that the hashes of today stand
    recipe = dataclasses.replace(zoo.get("prototypes-local"), revisions={"control": 2})
    monkeypatch.setattr(zoo, "get", lambda id: recipe)
    after = {arm: config_of(study, arm, {}, study.budget) for arm in arms}
    assert after["net"] == before["net"]
    assert after["frozen"] == before["frozen"] | {"control_revision": 2}
    assert Setup.from_dict(after["frozen"]).build().config == recipe.config


@pytest.mark.parametrize(
    ("revisions", "told"),
    [
        ({"controls": 2}, "Did you mean 'control'"),
        ({"control": 0}, "the revision of 'control' must be a whole number >= 1, got 0"),
        ({"ablation": 1.5}, "got 1.5"),
    ],
)
def test_a_revision_of_nothing_or_of_no_number_is_refused(revisions, told):
    with pytest.raises(ValueError, match=told):
        dataclasses.replace(zoo.get(ID), revisions=revisions)
