import pytest

from bionet import zoo
from bionet.zoo.catalogue import SPECS

LONGEST = 75  # characters of a summary that a table can still hold


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
class TestEachSpec:
    def test_the_id_begins_with_the_application(self, spec):
        # Speech is one of the temporal tasks, and the word that people look for.
        prefix = {"speech-rsnn": "speech"}.get(spec.id, spec.application)
        assert spec.id.startswith(f"{prefix}-")

    def test_the_code_is_where_the_id_says(self, spec):
        """A second version has a file of its own, or stands beside the first one."""
        first, version, number = spec.id.partition("-v")
        places = {f"{spec.id.replace('-', '_')}:RECIPE"}
        if version:
            places.add(f"{first.replace('-', '_')}:RECIPE_V{number}")
        assert spec.entry_point in {f"bionet.zoo.recipes.{place}" for place in places}

    def test_it_names_its_papers_and_its_data(self, spec):
        assert spec.references
        assert spec.datasets

    def test_the_summary_is_short(self, spec):
        assert len(spec.summary) <= LONGEST


def test_the_catalogue_is_in_the_registry():
    assert [spec.id for spec in SPECS] == zoo.names()[: len(SPECS)]


def test_the_paper_of_the_local_recipes_can_be_cited():
    for id in ("prototypes-local", "classification-local"):
        entry = zoo.cite(id)
        assert entry.startswith("@article{badalotti2025dynamical,\n")
        assert "Dynamical Learning in Deep Asymmetric Recurrent Neural Networks" in entry
        assert "arXiv:2509.05041" in entry


def test_what_is_imported_lazily_is_there_by_name():
    assert {"Recipe", "Result"} <= set(zoo.__all__)
    with pytest.raises(
        AttributeError, match="No attribute of bionet.zoo is named 'Recipes'. Did you mean 'Recipe'"
    ):
        zoo.Recipes  # noqa: B018
