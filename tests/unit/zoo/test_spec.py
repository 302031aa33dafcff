import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest

from bionet.zoo.spec import FAMILIES, Band, Cost, Margin, RecipeSpec, Reference

PAPER = Reference("roe2021", "Of {Mice} & Nets", ("Jane Doe", "John Roe"), 2021, "J. Nets", "u_rl")
SPEC = RecipeSpec(
    id="toys-hebb",
    application="toys",
    method="hebb",
    architecture="mlp",
    family="local",
    summary="Sorts toys.",
    entry_point="json:loads",
    references=(PAPER,),
    datasets=("toys",),
    expected=(Band("accuracy", 0.9, 0.95, 5, "research/toys.py", "toys"),),
    margins=(Margin("frozen control", 0.1, "toys"),),
    cost=Cost(1.5, "2 CPU cores", cold_seconds=3.0),
)


def test_it_is_frozen():
    with pytest.raises(FrozenInstanceError):
        SPEC.id = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["id", "application", "method", "architecture"])
@pytest.mark.parametrize("value", ["Toys", "toys_hebb", "toys--hebb", "-toys", "two words", "", 3])
def test_tags_are_in_kebab_case(name, value):
    with pytest.raises(ValueError, match=f"needs its {name} in kebab case") as caught:
        replace(SPEC, **{name: value})
    assert str(caught.value).endswith(f"got {value!r}.")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_the_design_is_known(family):
    assert replace(SPEC, family=family).family == family


def test_an_unknown_family_is_told_the_nearest():
    with pytest.raises(ValueError, match="needs a family out of control, local") as caught:
        replace(SPEC, family="zeroth order")
    assert str(caught.value).endswith("got 'zeroth order'. Did you mean 'zeroth-order'?")


@pytest.mark.parametrize(
    "point", ["json", "json:", ":loads", "json.loads", "a b:c", "1a:b", "a:b:c"]
)
def test_entry_points_are_module_and_attribute(point):
    told = f"Recipe 'toys-hebb' needs an entry point of the form 'module:attribute', got {point!r}."
    with pytest.raises(ValueError, match="entry point") as caught:
        replace(SPEC, entry_point=point)
    assert str(caught.value) == told


@pytest.mark.parametrize("summary", ["", "  ", "two\nlines"])
def test_the_summary_is_one_line(summary):
    with pytest.raises(ValueError, match="needs a summary of one line"):
        replace(SPEC, summary=summary)


def test_fields_that_hold_many_are_tuples():
    with pytest.raises(TypeError, match="needs its datasets as a tuple of str, got 'toys'"):
        replace(SPEC, datasets="toys")
    with pytest.raises(TypeError, match="needs its references as a tuple of Reference"):
        replace(SPEC, references=PAPER)
    with pytest.raises(TypeError, match="needs its expected as a tuple of Band"):
        replace(SPEC, expected=[SPEC.expected[0]])


def test_load_imports_the_entry_point_only_when_asked():
    assert SPEC.load() is json.loads
    assert replace(SPEC, entry_point="json:JSONDecoder.decode").load() is json.JSONDecoder.decode
    replace(SPEC, entry_point="no_such_module:RECIPE")


def test_load_says_what_is_missing():
    with pytest.raises(ImportError, match="'toys-hebb' cannot be loaded from 'no_such_module:X'"):
        replace(SPEC, entry_point="no_such_module:X").load()
    with pytest.raises(ImportError, match=r"has no attribute 'nothing'. Correct the entry point"):
        replace(SPEC, entry_point="json:nothing").load()


def test_it_becomes_json_and_back():
    shown = SPEC.to_dict()
    assert shown == json.loads(SPEC.to_json())
    assert shown["references"][0]["authors"] == ["Jane Doe", "John Roe"]
    assert shown["expected"][0]["low"] == 0.9
    assert shown["cost"]["cold_seconds"] == 3.0


def test_bibtex_of_an_article_and_of_something_else():
    assert PAPER.bibtex() == (
        "@article{roe2021,\n"
        "  title = {{Of {Mice} \\& Nets}},\n"
        "  author = {Jane Doe and John Roe},\n"
        "  journal = {J. Nets},\n"
        "  year = {2021},\n"
        "  url = {u_rl},\n"
        "}"
    )
    assert replace(PAPER, venue="", url="").bibtex().startswith("@misc{roe2021,\n")


def test_references_are_checked():
    with pytest.raises(ValueError, match="'a b' needs a BibTeX key"):
        replace(PAPER, key="a b")
    with pytest.raises(TypeError, match="needs its authors as a tuple of str, got 'Jane'"):
        replace(PAPER, authors="Jane")
    with pytest.raises(ValueError, match="needs a title and at least one author"):
        replace(PAPER, authors=())


@pytest.mark.parametrize(("low", "high"), [(0.9, 0.8), (float("nan"), 1.0), (0.0, float("inf"))])
def test_bands_are_in_order(low, high):
    with pytest.raises(ValueError, match="'accuracy' needs two finite ends with low <= high"):
        Band("accuracy", low, high, 5)
    with pytest.raises(ValueError, match="'accuracy' for one run needs two finite ends with low <"):
        Band("accuracy", 0.5, 0.6, 5, run_low=low, run_high=high)


def test_a_band_of_one_run_has_both_ends_or_none():
    assert Band("accuracy", 0.5, 0.6, 5).run_low is None
    with pytest.raises(ValueError, match="'accuracy' for one run needs two finite ends"):
        Band("accuracy", 0.5, 0.6, 5, run_high=0.7)


@pytest.mark.parametrize(("over", "least"), [("", 0.1), ("chance", float("nan"))])
def test_margins_are_checked(over, least):
    with pytest.raises(ValueError, match="A margin needs the name of what it is over and a finite"):
        Margin(over, least)


def test_bands_and_costs_are_checked():
    with pytest.raises(ValueError, match="'loss' needs at least one seed, got 0"):
        Band("loss", 0.0, 1.0, 0)
    with pytest.raises(
        ValueError, match=r"Cost cold_seconds needs a finite number >= 0, got -1\.0"
    ):
        Cost(1.0, "cpu", cold_seconds=-1.0)


def test_it_needs_nothing_but_the_standard_library():
    script = (
        "import sys; import bionet.zoo; "
        "sys.exit(str({'jax', 'numpy', 'matplotlib', 'rich'} & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""
