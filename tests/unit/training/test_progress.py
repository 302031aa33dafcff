"""The progress bar: silence where nobody watches, a line on the error stream where one does."""

import sys

import jax
import numpy as np
import pytest

from bionet.training.fit import fit
from bionet.training.run.progress import epoch_progress

ROW = {"loss": 0.12345, "accuracy": 0.98765, "seconds": 1.0}


def run(show, epochs=3, done=0, row=ROW):
    with epoch_progress(epochs, done, show, "accuracy") as tell:
        for epoch in range(done + 1, epochs + 1):
            tell(epoch, row)


@pytest.mark.parametrize("show", [None, False, np.False_])
def test_it_is_silent_where_there_is_no_terminal(show, capfd):
    run(show)
    assert capfd.readouterr() == ("", "")


def test_it_can_be_asked_for(capfd):
    run(True)
    out, err = capfd.readouterr()
    assert out == ""
    assert all(part in err for part in ("training", "3/3", "loss 0.1235", "accuracy 0.9877"))


def test_a_resumed_run_begins_where_it_was(capfd):
    run(True, epochs=5, done=5)
    assert "5/5" in capfd.readouterr().err


def test_it_tells_what_there_is(capfd):
    run(True, row={"seconds": 1.0})
    err = capfd.readouterr().err
    assert "3/3" in err
    assert "loss" not in err


@pytest.mark.parametrize(("show", "shown"), [(None, True), (False, False)])
def test_on_a_terminal_it_shows_itself_unless_told_not_to(show, shown, capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(show)
    out, err = capfd.readouterr()
    assert ("training" in err) == shown
    assert out == ""


def test_fit_is_silent_by_default_and_shows_it_when_asked(counted, tally, capfd):
    problem = counted(scores=(0.0, 0.1, 0.2, 0.3, 0.4))
    fit(problem, tally, epochs=1, key=jax.random.key(0))
    assert capfd.readouterr() == ("", "")
    fit(problem, tally, epochs=2, key=jax.random.key(0), progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "accuracy 0.4000" in err
