"""`references.bib` is read as it is written, and everything that is cited is in it, once."""

import re
from pathlib import Path

import pytest

from bionet import zoo
from bionet._core.bibliography import FILE, reference, references
from bionet.training.registry import METHODS


def test_what_is_read_is_what_is_written():
    """A field that the reader drops, a title in braces or an escaped sign would differ."""
    written = "\n\n".join(each.bibtex() for each in references().values()) + "\n"
    assert FILE.read_text("utf-8") == written


def test_every_entry_is_read():
    assert FILE.read_text("utf-8").count("\n@") + 1 == len(references())


def test_a_paper_stands_once():
    for field in ("title", "url"):
        values = [getattr(each, field) for each in references().values() if getattr(each, field)]
        assert len(values) == len({value.casefold() for value in values})


def test_an_unknown_key_is_told_the_nearest():
    with pytest.raises(ValueError, match="No paper is named 'badalotti2025'. Did you mean 'badal"):
        reference("badalotti2025")


@pytest.mark.parametrize("word", METHODS)
def test_methods_cite_by_key(word):
    for key in METHODS[word].spec.sources:
        assert reference(key).key == key


def test_recipes_cite_by_key():
    text = (Path(zoo.__file__).parent / "catalogue.py").read_text("utf-8")
    for group in re.findall(r"references=\((.*?)\)", text, re.DOTALL):
        assert all(reference(key) for key in re.findall(r'"([^"]+)"', group))


SOURCES = sorted((Path(__file__).parents[3] / "src").rglob("*.py"))
CITED = re.compile(r"\[([a-z]+\d{4}[a-z]+)\]")


def test_sources_cite_by_keys_that_are_there():
    cited = {key for path in SOURCES for key in CITED.findall(path.read_text("utf-8"))}
    assert len(cited) > 15
    assert cited <= references().keys()


def test_no_source_has_the_number_of_a_paper():
    numbers = re.compile(r"arXiv:\d|doi:\d|doi\.org/\d|arxiv\.org/abs")
    assert [path for path in SOURCES if numbers.search(path.read_text("utf-8"))] == []
