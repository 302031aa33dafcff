"""The names that people import: where they live, that they resolve, and what a typo is told."""

import ast
import importlib
import importlib.metadata
import re
import types

import pytest

import bionet

# Published import paths. They never move.
PUBLISHED = {
    "bionet.states.sequential": ["SequentialState"],
    "bionet.modules.fully_connected": ["FullyConnected", "FrozenFullyConnected"],
    "bionet.modules.recurrent": ["RecurrentDiscrete"],
    "bionet.modules.input_output": ["OutputLayer"],
    "bionet.layer_maps.sparse": ["LayerMap"],
    "bionet.orchestrators.sequential": ["SequentialOrchestrator"],
    "bionet.orchestrators.settle": ["settle"],
    "bionet.training.fit": ["fit"],
    "bionet.training.problem": ["Problem"],
    "bionet.training.local.two_phase": ["TwoPhase"],
    "bionet.training.control.frozen": ["FrozenHidden"],
    "bionet.zoo": [
        "REGISTRY",
        "Recipe",
        "RecipeSpec",
        "Result",
        "UnknownRecipeError",
        "cite",
        "get",
        "list_recipes",
        "matrix",
        "names",
        "register",
    ],
    "bionet.datasets": ["NAMES", "Split", "Splits", "available", "load", "one_vs_all"],
}
PATHS = [(home, name) for home, names in PUBLISHED.items() for name in names]
SHORT = [(home, name) for home, name in PATHS if home.count(".") == 2]


@pytest.mark.parametrize(("home", "name"), PATHS)
def test_a_published_path_resolves(home, name):
    assert getattr(importlib.import_module(home), name) is not None


@pytest.mark.parametrize(("home", "name"), SHORT)
def test_the_short_name_is_the_same_object(home, name):
    assert name in bionet.__all__
    assert getattr(bionet, name) is getattr(importlib.import_module(home), name)


def test_every_name_that_bionet_lists_can_be_had():
    assert set(bionet.__all__) <= set(dir(bionet))
    for name in bionet.__all__:
        value = getattr(bionet, name)
        assert name == "__version__" or isinstance(value, types.ModuleType) or callable(value)


def test_type_checkers_see_the_names_that_python_sees(sources):
    tree = sources["src/bionet/__init__.py"]
    declared = {
        alias.asname or alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared | {"__version__"} == set(bionet.__all__)


def test_a_name_that_is_not_there_is_told_what_it_may_have_meant():
    sentence = "No attribute of bionet is named 'FullyConected'. Did you mean 'FullyConnected'"
    with pytest.raises(AttributeError, match=f"^{re.escape(sentence)}"):
        _ = bionet.FullyConected
    assert not hasattr(bionet, "__wrapped__")


def test_the_version_is_the_same_everywhere(root):
    assert importlib.metadata.version("bionet") == bionet.__version__
    citation = (root / "CITATION.cff").read_text("utf-8")
    assert re.search(rf"^version: {re.escape(bionet.__version__)}$", citation, re.MULTILINE)
    changes = (root / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {bionet.__version__}" in changes
