from pathlib import Path

import pytest

from bionet.studies.report.findings import OPEN, findings, write_findings

RESEARCH = Path(__file__).parents[3] / "research"
PAGE = """# A title

**Question.** Is it [so](results.jsonl), or
[not](https://example.org)?

**Results** are below.

**Verdict.** It is.
Mostly.

More words.

**Reproduce.** First, `python
run.py`, then `cat`.
"""
REPORT = """# Report: x

## Results on digits

Means.

| arm | seeds |
| --- | ---: |
| `a` | 5 |

Words.

## What it costs on digits

| arm | costs |
| --- | ---: |
"""


@pytest.fixture
def add(tmp_path):
    """`add(name, page, report)` adds a study."""

    def call(name, page=PAGE, report=None):
        study = tmp_path / "studies" / name
        study.mkdir(parents=True)
        (study / "README.md").write_text(page)
        if report is not None:
            (study / "report.md").write_text(report)
        return study

    return call


@pytest.mark.skipif(
    not RESEARCH.is_dir(), reason="this copy of the tests has no research beside it"
)
def test_the_committed_page_is_what_the_studies_say():
    """If this fails, run `python research/findings.py`."""
    assert (RESEARCH / "FINDINGS.md").read_text("utf-8") == findings(RESEARCH)


def test_a_study_is_told_by_its_own_words(add, tmp_path):
    add("one")
    (tmp_path / "studies" / "begun").mkdir()
    text = findings(tmp_path)
    assert text.endswith("""
## [A title](studies/one/README.md)

**Question.** Is it [so](studies/one/results.jsonl), or [not](https://example.org)?

**Answer.** It is. Mostly.

**Reproduce.** `python run.py`
""")
    assert text.count("\n## ") == 1


def test_results_of_a_report_are_taken_over(add, tmp_path):
    add("one", report=REPORT)
    told = (
        "Means over seeds on the test split, with 95 % intervals ([report](../one/report.md)), on "
        "digits:\n\n| arm | seeds |\n| --- | ---: |\n| `a` | 5 |\n\n**Reproduce.**"
    )
    text = findings(tmp_path, prefix="../")
    assert told in text
    assert "costs" not in text


def test_each_part_of_a_study_has_its_results(add, tmp_path):
    study = add("one")
    for part in ("b", "a"):
        (study / part).mkdir()
        (study / part / "report.md").write_text(REPORT.replace(" on digits", ""))
    text = findings(tmp_path)
    first, second = (f"Part `{part}`: means over seeds on the test split" for part in "ab")
    assert 0 < text.index(first) < text.index(second)
    assert "([report](studies/one/a/report.md)):\n\n| arm | seeds |" in text


def test_an_answer_that_is_not_there_yet_is_told(add, tmp_path):
    add("b", "# B\n\n**Question.** Is it?\n\n**Run it.**\n\n```sh\npython run.py\n```\n")
    add("a", PAGE.replace("**Verdict.**", "**Answer.** Yes.\n\n**Verdict.**"))
    text = findings(tmp_path)
    assert f"**Question.** Is it?\n\n**Answer.** {OPEN}\n\n**Reproduce.** `python run.py`" in text
    assert text.index("studies/a/") < text.index("studies/b/")
    assert "**Answer.** Yes.\n" in text
    assert write_findings(tmp_path).read_text() == text


@pytest.mark.parametrize(
    ("page", "lacks"),
    [
        ("**Question.** Is it?\n", "title ('# ...')"),
        ("# A\n\nIs it?\n", "paragraph that begins with '**Question.**'"),
    ],
)
def test_a_page_without_what_is_needed_is_refused(add, tmp_path, says, page, lacks):
    add("one", page)
    with says(ValueError, f"The page 'one/README.md' has no {lacks}. Add one."):
        findings(tmp_path)


def test_a_directory_without_studies_is_refused(tmp_path, says):
    with says(ValueError, "Give the directory that holds `studies`."):
        findings(tmp_path)
