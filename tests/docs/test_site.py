"""The site builds without a warning, and is read without the net."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Loads(HTMLParser):
    """Collects what a page loads by itself, which a link that is clicked is not."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        address = dict(attributes).get(LOADS.get(tag, ""))
        if address:
            self.found.append(address)


def remote(html):
    """The addresses that a page loads from elsewhere."""
    parser = Loads()
    parser.feed(html)
    return [address for address in parser.found if re.match(r"(https?:)?//", address)]


@pytest.mark.slow
def test_every_page_is_built_and_loads_nothing_from_elsewhere(site):
    sources = (ROOT / "docs").rglob("*.md")
    pages = [site / path.relative_to(ROOT / "docs").with_suffix(".html") for path in sources]
    assert len(pages) > 20
    assert [str(page) for page in pages if remote(page.read_text("utf-8"))] == []


@pytest.mark.slow
def test_styles_and_scripts_of_ours_load_nothing_from_elsewhere(site):
    ours = [*(site / "stylesheets").iterdir(), *(site / "javascripts").iterdir()]
    assert len(ours) >= 4
    assert [path.name for path in ours if re.search(r"https?://", path.read_text("utf-8"))] == []
    assert (site / "search" / "search_index.js").is_file()  # what the search reads from the disk


@pytest.mark.slow
def test_no_page_names_a_path_of_this_machine(site):
    pages = [*site.rglob("*.html"), site / "search" / "search_index.js"]
    assert [str(page) for page in pages if str(ROOT) in page.read_text("utf-8")] == []


@pytest.mark.slow
def test_an_example_of_a_docstring_is_shown_as_code(site):
    for name in ("modules", "zoo", "datasets"):  # the first is fenced, the others have prompts
        page = (site / "reference" / f"{name}.html").read_text("utf-8")
        assert "Examples:" in page
        assert "<blockquote>" not in page


def test_what_is_loaded_from_elsewhere_is_found_out():
    html = (
        '<script src="https://example.com/a.js"></script><link href="//example.com/b.css">'
        '<img src="c.png"><a href="https://example.com/d">e</a>'
    )
    assert remote(html) == ["https://example.com/a.js", "//example.com/b.css"]
