"""The grammar, the refusals and the exit codes, whichever the command."""

import os
import signal
import subprocess
import sys
import time

import pytest

import bionet
from bionet.cli.errors import UsageError, is_user_error, report, sentence
from bionet.cli.parser import COMMANDS
from bionet.zoo import UnknownRecipeError


def test_without_words_it_names_every_command(command):
    code, out, err = command()
    assert (code, err) == (0, "")
    for name in COMMANDS:
        assert f"bionet {name} " in out
    assert command("--help")[1] == out


def test_version(command):
    assert command("--version") == (0, f"bionet {bionet.__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(command, name):
    code, out, err = command(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: bionet {name}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lst"], "No command is named 'lst'. Did you mean 'list' or 'study'?"),
        (["--jsn"], "`bionet` has no option '--jsn'. See `bionet --help`."),
        (
            ["list", "--aplication", "x"],
            "`bionet list` has no option '--aplication'. Did you mean '--application'?",
        ),
        (["show", "a", "--zz=1"], "`bionet show` has no option '--zz'. See `bionet show --help`."),
        (["show"], "`bionet show` needs ID, and nothing came. See `bionet show --help`."),
        (["show", "a", "b"], "`bionet show` has no place for 'b'. See `bionet show --help`."),
        (
            ["run", "a", "--seed"],
            "Option --seed needs a value, and none came. See `bionet run --help`.",
        ),
        (
            ["run", "a", "--seed", "1.5"],
            "Option --seed needs a whole number from 0 to 4294967295, got '1.5'.",
        ),
        (
            ["run", "a", "--epochs", "0"],
            "Option --epochs needs a whole number of 1 or more, got '0'.",
        ),
        (
            ["demo", "a", "--steps", "-3"],
            "Option --steps needs a whole number of 1 or more, got '-3'.",
        ),
        (
            ["demo", "a", "--plot", "a.png", "--no-plot"],
            "`bionet demo`: argument --no-plot: not allowed with argument --plot. "
            "See `bionet demo --help`.",
        ),
    ],
)  # fmt: skip
def test_refusals(refused, words, told):
    assert refused(*words) == told


@pytest.mark.parametrize("name", ["show", "demo", "run"])
def test_an_unknown_recipe_is_told_the_nearest(refused, fake_zoo, name):
    told = "No recipe is named 'fake-lokal'. Did you mean 'fake-local'?"
    assert refused(name, "fake-lokal").startswith(told.removesuffix("?"))


def test_which_errors_are_the_users():
    mine = [UsageError(""), ValueError(""), TypeError(""), UnknownRecipeError(""), OSError("")]
    ours = [KeyError(""), IndexError(""), AttributeError(""), RuntimeError(""), AssertionError("")]
    assert all(map(is_user_error, mine))
    assert not any(map(is_user_error, ours))


def test_a_missing_file_is_named():
    told = sentence(FileNotFoundError(2, "No such file or directory", "a/b"))
    assert told == "No such file or directory: 'a/b'. Check the path, its rights and the disk."


def test_a_traceback_is_shown_only_when_asked_for(capsys, monkeypatch):
    monkeypatch.delenv("BIONET_DEBUG", raising=False)
    assert report(ValueError("Too few.")) == 2
    assert capsys.readouterr().err == "Too few.\n"
    monkeypatch.setenv("BIONET_DEBUG", "1")
    assert report(ValueError("Too few.")) == 2
    assert "ValueError: Too few." in capsys.readouterr().err


@pytest.fixture
def interruptible():
    """A shell lets what it starts in the background ignore Ctrl-C, and whatever that starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_is_130_in_a_real_process(plugin_environment, tmp_path):
    words = ["run", "fake-local", "--set", "trouble=wait", "--out", "here"]
    run = subprocess.Popen(
        [sys.executable, "-m", "bionet", *words],
        env=plugin_environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (tmp_path / "here" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err == "Stopped after epoch 1. `bionet resume here` goes on from there.\n"


def test_a_reader_that_leaves_early_is_no_error(plugin_environment, tmp_path):
    script = f"{sys.executable} -m bionet list --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        env=plugin_environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[", "")
