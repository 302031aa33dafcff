import sys
from dataclasses import replace
from importlib import metadata
from types import SimpleNamespace

import pytest

from bionet import zoo
from bionet.zoo import lookup, registry
from bionet.zoo.registry import ENTRY_POINT_GROUP, Registry, UnknownRecipeError
from bionet.zoo.spec import RecipeSpec

HEBB = RecipeSpec(
    id="toys-hebb",
    application="toys",
    method="hebb",
    architecture="mlp",
    family="local",
    summary="Sorts toys.",
    entry_point="json:loads",
)
ES = replace(HEBB, id="toys-es", method="evolution", family="zeroth-order")
RNN = replace(HEBB, id="language-hebb", application="language", architecture="rnn")


@pytest.fixture
def toys(monkeypatch):
    """A registry of three specs in the place of the real one."""
    own = Registry([HEBB, ES, RNN])
    monkeypatch.setattr(registry, "REGISTRY", own)
    monkeypatch.setattr(lookup, "REGISTRY", own)
    return own


def plug_in(monkeypatch, **found):
    """A registry that finds these objects as plug-ins; an exception is raised on import."""

    def load(value):
        if isinstance(value, Exception):
            raise value
        return value

    points = [
        SimpleNamespace(name=name, value=f"{name}:it", load=lambda value=value: load(value))
        for name, value in found.items()
    ]
    asked = []
    monkeypatch.setattr(
        metadata, "entry_points", lambda *, group: asked.append(group) or points
    )  # fmt: skip
    return Registry([HEBB], group=ENTRY_POINT_GROUP), asked


def test_it_is_a_mapping_from_ids_to_specs(toys):
    assert list(toys) == ["toys-hebb", "toys-es", "language-hebb"]
    assert (len(toys), toys["toys-es"]) == (3, ES)
    assert "toys-es" in toys
    assert "toys-bp" not in toys
    assert toys.get("toys-bp") is None
    assert dict(toys.items())["language-hebb"] is RNN


def test_get_imports_the_recipe(toys):
    import json

    assert zoo.get("toys-hebb") is json.loads


def test_an_unknown_id_is_a_plain_sentence(toys):
    with pytest.raises(LookupError) as caught:
        zoo.get("toy-hebb")
    assert isinstance(caught.value, UnknownRecipeError)
    assert not isinstance(caught.value, KeyError)
    assert str(caught.value).startswith("No recipe is named 'toy-hebb'. Did you mean 'toys-hebb'")
    with pytest.raises(UnknownRecipeError, match=r"No recipe is named \[\]"):
        toys[[]]


def test_registering_twice_is_refused(toys):
    other = replace(HEBB, id="toys-bp")
    assert zoo.register(other) is other
    assert zoo.names("*bp") == ["toys-bp"]
    with pytest.raises(ValueError, match="already registered") as caught:
        zoo.register(replace(other, summary="Another."))
    assert str(caught.value) == (
        "A recipe named 'toys-bp' is already registered, at 'json:loads'. "
        "Choose another id, such as 'toys-bp-v2'."
    )
    assert toys["toys-bp"].summary == "Sorts toys."


def test_only_specs_can_be_registered(toys):
    with pytest.raises(TypeError, match="Only a RecipeSpec can be registered, got a str"):
        zoo.register("toys-bp")  # type: ignore[arg-type]


def test_filters_work_alone_and_together(toys):
    assert zoo.list_recipes() == [HEBB, ES, RNN]
    assert zoo.list_recipes(family="local") == [HEBB, RNN]
    assert zoo.list_recipes(application="toys", method="hebb") == [HEBB]
    assert zoo.list_recipes(architecture="rnn", family="zeroth-order") == []


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"application": "toy"}, "No recipe has the application 'toy'. Did you mean 'toys'?"),
        ({"method": "evo"}, "No recipe has the method 'evo'. Did you mean 'evolution'?"),
        ({"architecture": "cnn"}, "No recipe has the architecture 'cnn'. Did you mean 'rnn'?"),
        (
            {"family": "hybrid"},
            "No recipe has the family 'hybrid'. There are: local, zeroth-order.",
        ),
    ],
)
def test_a_value_that_nobody_has_is_refused(toys, wanted, told):
    with pytest.raises(ValueError, match="No recipe has the") as caught:
        zoo.list_recipes(**wanted)
    assert str(caught.value) == told


def test_names_follow_a_pattern(toys):
    assert zoo.names() == ["toys-hebb", "toys-es", "language-hebb"]
    assert zoo.names("*HEBB") == ["toys-hebb", "language-hebb"]
    with pytest.raises(ValueError, match="No recipe has an id") as caught:
        zoo.names("language*s5")
    assert str(caught.value) == (
        "No recipe has an id that fits 'language*s5'. Did you mean 'language-hebb'?"
    )


def test_the_matrix_has_every_cell(toys):
    assert zoo.matrix() == {
        "evolution": {"language": (), "toys": ("toys-es",)},
        "hebb": {"language": ("language-hebb",), "toys": ("toys-hebb",)},
    }
    assert zoo.matrix(rows="family", columns="architecture")["local"] == {
        "mlp": ("toys-hebb",),
        "rnn": ("language-hebb",),
    }


def test_axes_of_the_matrix_are_checked(toys):
    with pytest.raises(ValueError, match=r"No axis is named 'metod'. Did you mean 'method'?"):
        zoo.matrix(rows="metod")
    with pytest.raises(ValueError, match="needs two different axes, got 'family' twice"):
        zoo.matrix("family", "family")


def test_plug_ins_are_read_once_and_on_first_use(monkeypatch):
    own, asked = plug_in(monkeypatch, one=ES, many=lambda: [RNN])
    assert asked == []
    assert list(own) == ["toys-hebb", "toys-es", "language-hebb"]
    assert len(own) == 3
    assert asked == ["bionet.recipes"]
    assert own.failures == {}


def test_a_plug_in_that_fails_is_kept_and_breaks_nothing(monkeypatch):
    own, _ = plug_in(
        monkeypatch, broken=ImportError("No module named 'x'"), good=ES, odd=3, again=ES
    )
    assert list(own) == ["toys-hebb", "toys-es"]
    assert own.failures["broken"] == "broken:it: ImportError: No module named 'x'"
    assert own.failures["odd"].startswith("odd:it: TypeError: ")
    assert "already registered" in own.failures["again"]


def test_a_plug_in_may_ask_the_registry_while_it_is_read(monkeypatch):
    own, _ = plug_in(monkeypatch, one=lambda: [ES] if "toys-hebb" in own else [])
    assert "toys-es" in own


def test_plug_ins_come_before_what_is_registered_later(monkeypatch):
    own, _ = plug_in(monkeypatch, one=ES)
    with pytest.raises(ValueError, match="already registered"):
        own.register(ES)


def test_a_registry_without_a_group_reads_no_plug_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "importlib.metadata", None)
    assert list(Registry([HEBB])) == ["toys-hebb"]
