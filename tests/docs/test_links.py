"""README.md is read where the project lies, so its links are files. (mkdocs checks the others.)"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def missing(page):
    """The relative links of a page that lead nowhere."""
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8"))]
    local = [target for target in targets if target and "://" not in target]
    return [target for target in local if not (page.parent / target).exists()]


def test_the_links_of_the_readme_lead_somewhere():
    assert LINK.findall((ROOT / "README.md").read_text("utf-8"))
    assert missing(ROOT / "README.md") == []


def test_the_readme_keeps_the_place_for_the_results():
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.count("<!-- results -->") == text.count("<!-- /results -->") == 1


def test_a_link_that_leads_nowhere_is_found_out(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[a](page.md#top) [b](gone.md) [c](https://example.com)", "utf-8")
    assert missing(page) == ["gone.md"]
