"""What a method says of itself, and what it says to a model that does not fit."""

import json
from typing import get_args

import pytest

from bionet.training.method import Family, MethodSpec, unmet
from bionet.zoo.spec import FAMILIES

SPEC = MethodSpec("two-phase", "local", "Settle twice.", needs=("a local rule",))


def test_a_spec_becomes_json():
    assert json.loads(json.dumps(SPEC.to_dict())) == {
        "name": "two-phase",
        "family": "local",
        "summary": "Settle twice.",
        "needs": ["a local rule"],
        "sources": [],
    }


def test_methods_and_recipes_know_the_same_families():
    assert get_args(Family) == FAMILIES


def test_an_unknown_family_is_told_the_nearest(says):
    sentence = "MethodSpec 'es': No family is named 'hybrids'. Did you mean 'hybrid'?"
    with says(ValueError, sentence):
        MethodSpec("es", "hybrids", "Evolve.")  # type: ignore[arg-type]


def test_an_unmet_need_is_named_with_the_method_and_the_model():
    assert str(unmet(SPEC, "a local rule", {})) == (
        "The method 'two-phase' needs a local rule, got a model of type dict. "
        "Take a model that has it, or another method."
    )


def test_a_spec_can_not_be_changed():
    with pytest.raises(AttributeError):
        SPEC.name = "other"  # type: ignore[misc]
