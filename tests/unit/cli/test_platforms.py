"""A device that the environment asks for and that is not there is the user's to change."""

from pathlib import Path

import jax
import pytest

from bionet.cli.errors import UsageError
from bionet.cli.platforms import check_worker_platforms

TOLD = "JAX cannot use what the environment variable JAX_PLATFORMS='nope' asks for"
SAID = "Unable to initialize backend 'nope': it is not known. (set JAX_PLATFORMS='' to choose)"


def devices_fail(monkeypatch, error):
    def devices():
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "nope")


@pytest.fixture(params=[AssertionError(), RuntimeError(SAID)], ids=["no word", "a sentence"])
def missing(request, monkeypatch):
    """JAX says in one of its ways that a device is not there."""
    devices_fail(monkeypatch, request.param)


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize(
    "words",
    [["demo", "fake-local"], ["run", "fake-local"], ["run", "fake-local", "--method", "es"]],
)
def test_commands_that_train_name_the_variable(refused, fake_zoo, words):
    assert refused(*words).startswith(TOLD)
    assert not Path("runs").exists()


def test_a_run_is_resumed_on_a_device_that_is_there(command, refused, fake_zoo, monkeypatch):
    command("run", "fake-local", "--out", "here")
    before = sorted(Path("here").iterdir())
    devices_fail(monkeypatch, AssertionError())
    assert refused("resume", "here", "--epochs", 5).startswith(TOLD)
    assert sorted(Path("here").iterdir()) == before


def test_where_nobody_has_asked_for_a_device_it_is_no_fault_of_theirs(
    command, fake_zoo, monkeypatch
):
    devices_fail(monkeypatch, RuntimeError("broken driver"))
    monkeypatch.delenv("JAX_PLATFORMS")
    code, _, err = command("demo", "fake-local")
    assert code == 1
    assert "broken driver" in err


@pytest.mark.slow
def test_doctor_reports_it_and_goes_on_in_a_real_process(process):
    done = process("doctor", JAX_PLATFORMS="nope", COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, "")
    assert TOLD in done.stdout
    for word in ("versions", "data", "plug-ins that failed"):
        assert word in done.stdout


@pytest.mark.slow
def test_workers_of_a_study_are_looked_at_before_they_start():
    for fine in (None, "", "cpu"):
        check_worker_platforms(fine)
    with pytest.raises(UsageError, match="JAX_PLATFORMS='nope' asks for"):
        check_worker_platforms("nope")
