"""Every published number follows from committed lines.

A number that was rounded by hand, is of an earlier run, or has no line at all fails here; so does a
sentence that was written after the claims were.
"""

from pathlib import Path

import pytest

from bionet.studies.report import sections
from bionet.studies.report.report import read_study, tasks_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "research" / "studies").glob("*/README.md"))
EXPLANATIONS = [
    ROOT / "docs" / "explanation" / f"{name}.md" for name in ("training-methods", "speed")
]
TEXTS = [str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *EXPLANATIONS, *STUDIES)]
REPORTS = sorted((ROOT / "research" / "studies").glob("**/report.md"))
PAGE = """# A study

**Protocol.** Five seeds, 0.5 of it, 30 epochs; a pilot had 77.7 %.

**Answer.** It reaches 90.1 % [88.0,
92.0] with `x = 3` and 16 units, 2.5 points above the other.

| arm | test |
|---|---|
| a, 7 | **90.1** |
"""


@pytest.fixture(scope="module")
def claims(script):
    return script("claims")


@pytest.fixture
def page(claims, tmp_path):
    """A page with a result in each place that a result can be in."""
    path = tmp_path / "README.md"
    path.write_text(PAGE)
    return claims.Page(path)


@pytest.mark.parametrize("name", TEXTS)
def test_every_number_of_a_text_follows_from_the_lines(claims, name):
    found = claims.faults(name, claims.pages()[name])
    assert found == [], "\n" + "\n".join(found)


def test_no_text_is_left_out(claims):
    assert sorted(claims.pages()) == sorted(TEXTS)
    assert claims.stale_findings() == []


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_the_tables_of_a_report_are_those_of_the_lines(path):
    """FINDINGS.md has them as they stand there."""
    text = path.read_text("utf-8")
    for task in tasks_of(read_study(path.parent)[1]):
        assert sections.results(task) in text, "run `bionet study report` on it"


def told(page):
    return [each.partition(" in: ")[0] for each in page.unknown()]


def test_a_number_that_nobody_accounts_for_is_reported(page):
    every = ["'0.5'", "'77.7'", "'90.1'", "'88.0'", "'92.0'", "'2.5'"]
    assert told(page) == [*every, "a table that begins with '| arm | test |'"]
    page.protocol()  # a share in a protocol is no setting
    page.says("It reaches {0:.1f} % [{1:.1f}, {2:.1f}] with", 90.12, 88.04, 91.96)
    page.table("| arm", {"test": lambda row: "90.1"})
    assert (page.faults, told(page)) == ([], ["'77.7'", "'2.5'"])


def test_a_number_that_differs_from_the_lines_is_told_and_written(page):
    page.says("It reaches {0:.1f} % [{1:.1f}, {2:.1f}] with", 90.2, 88.0, 92.1)
    page.says("{0:+.1f} points above nothing", 1.0)
    page.table("| arm", {"test": lambda row: "90.2"})
    first, second, third = page.faults
    assert "the lines give: 'It reaches 90.2 % [88.0, 92.1] with'" in first
    assert "the text says: 'It reaches 90.1 % [88.0, 92.0] with'" in first
    assert "no such phrase" in second
    assert third == "table, 'a, 7', 'test': '90.1', lines '90.2'"
    assert "It reaches 90.2 % [88.0,\n92.1] with `x = 3`" in page.written
    assert "| a, 7 | 90.2 |" in page.written
    assert page.written.count("2.5 points") == 1


def test_a_claim_in_words_that_the_lines_do_not_bear_out_is_a_fault(claims, tmp_path):
    (tmp_path / "claims.py").write_text("def claims(page):\n    assert 1 > 2, 'it is above'\n")
    name = "research/studies/precision/README.md"
    (first, *_) = claims.faults(name, tmp_path / "claims.py")
    assert first == "no longer true: assert 1 > 2, 'it is above' (claims, line 2)"
    assert claims.faults(name, tmp_path / "none.py") != []
