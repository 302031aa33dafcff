import io

import pytest
from rich.console import Console

from bionet.studies import LogUniform, Tuning
from bionet.studies.run.progress import Progress, telling
from bionet.studies.run.status import make_status
from bionet.studies.run.store import Read

SPACE = {"learning_rate": LogUniform(1e-4, 1e-1)}


@pytest.fixture
def progress(study):
    tuned = study(tuning=Tuning(3, {"narrow": SPACE, "wide": SPACE}))
    return Progress.of(make_status(tuned, Read()))


def shown(table):
    console = Console(file=io.StringIO(), width=60)
    console.print(table)
    return " ".join(console.file.getvalue().split())


def test_progress_is_counted_per_arm(progress):
    assert progress.left == 3 + 3 + 2 + 2
    assert progress.remaining() == ""
    progress.note({"stage": "tuning", "arm": "wide"})
    progress.note({"stage": "final", "arm": "wide"})
    progress.failed["narrow"] += 1
    assert progress.left == 7
    assert progress.remaining().startswith("about ")
    told = shown(progress.table())
    assert "narrow 0/3 0/2 1" in told
    assert "wide 1/3 1/2 0" in told


def test_lines_are_printed_where_there_is_no_terminal(progress, capsys):
    with telling() as tell:
        tell(progress, "narrow, seed 0: accuracy 0.5")
        tell(progress, "")
    assert capsys.readouterr().out == "[0/10] narrow, seed 0: accuracy 0.5\n"


def test_a_table_stays_in_its_place_on_a_terminal(progress, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with telling(live=True) as tell:
        progress.running = ["wide, seed 1"]
        tell(progress, "narrow, seed 0: accuracy 0.5")
    out = capsys.readouterr().out
    assert "narrow, seed 0: accuracy 0.5" in out
    assert "Running: wide, seed 1." in out
