"""`bionet study report` and `compare`; what they write is tested in tests/unit/studies."""

import pytest

from bionet.studies.report import compare, report


@pytest.fixture
def called(monkeypatch):
    """What the two functions were called with, in place of their work."""
    calls = []

    def write_report(path, **options):
        calls.append((path, options))
        return f"{path}/report.md"

    def beside(paths, out):
        calls.append((paths, out))
        return "# Studies side by side"

    monkeypatch.setattr(report, "write_report", write_report)
    monkeypatch.setattr(compare, "compare", beside)
    return calls


def test_a_report_is_written(command, called):
    found = command("study", "report", "small")
    assert found == (0, "The report is in small/report.md.\n", "")
    command("study", "report", "small", "--threshold", 0.9, "--threshold", -1, "--tune", 3)
    assert called == [
        ("small", {"thresholds": (), "tune": None}),
        ("small", {"thresholds": [0.9, -1.0], "tune": 3}),
    ]


def test_a_comparison_is_printed(command, called):
    found = command("study", "compare", "a", "b")
    assert found == (0, "# Studies side by side\n", "")
    command("study", "compare", "a", "--out", "there")
    assert called == [(["a", "b"], None), (["a"], "there")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("report", "a", "b"), "`bionet study report` takes one PATH; give one at a time."),
        (("report", "a", "--out", "b"), "`bionet study report` has no option '--out'."),
        (("report", "a", "--jobs", 2), "`bionet study report` has no option '--jobs'."),
        (("compare", "a", "--threshold", 1), "`bionet study compare` has no option '--threshold'."),
        (("compare", "a", "--tune", 1), "`bionet study compare` has no option '--tune'."),
        (("report", "a", "--threshold", "x"), "needs a number, such as 0.95, got 'x'."),
        (("report", "a", "--threshold", "nan"), "needs a number, such as 0.95, got 'nan'."),
        (("report", "nowhere"), "There is no study at 'nowhere'"),
        (("compare", "nowhere"), "There is no study at 'nowhere'"),
    ],
)
def test_words_that_make_no_sense_are_refused(refused, words, told):
    assert told in refused("study", *words)
