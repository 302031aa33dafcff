"""Narrow windows, narrow encodings and closed streams: readable or a sentence, never a fault."""

import io
import json
import os
import subprocess
import sys

import pytest

from bionet import zoo
from bionet.cli import main

COMMANDS = [
    ["--help"],
    ["list"],
    ["list", "--json"],
    ["matrix"],
    ["matrix", "--markdown"],
    ["show", "classification-feedback-alignment"],
    ["show", "fake-local", "--json"],
    ["run", "--help"],
    ["study", "--help"],
    ["doctor"],
    ["demo", "fake-local", "--no-plot"],
    ["demo", "memory-hebbian", "--steps", "1", "--no-plot"],
    ["run", "fake-local"],
    ["resume", "runs/fake-local-dust-seed0"],
    ["study", "status", "nowhere"],
    ["list", "größer×"],
    ["list", "--method", "tw×"],
]


@pytest.mark.slow
@pytest.mark.parametrize("width", ["30", "80"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_ascii_and_narrow_output_can_be_read(fake_zoo, monkeypatch, words, width):
    monkeypatch.setenv("COLUMNS", width)
    out, err = (io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    code = main(words)
    told, complaint = (each.buffer.getvalue().decode("ascii") for each in (out, err))
    assert code in (0, 2)
    assert bool(complaint) == (code == 2)
    assert "codec" not in complaint
    assert "fault" not in complaint
    assert told or complaint


@pytest.mark.parametrize("width", ["1", "30", "50"])
def test_no_id_is_cut_however_narrow_the_window(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    for words in (["list"], ["matrix"]):
        assert main(words) == 0
        shown = capsys.readouterr().out.split()
        assert set(zoo.names()) <= set(shown)
    assert main(["doctor"]) == 0
    assert "scikit-learn" in capsys.readouterr().out


@pytest.mark.slow
def test_a_narrow_table_of_results_keeps_its_numbers(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    zoo.get("memory-hebbian").demo(1, progress=False)
    out = capsys.readouterr().out
    assert "\ntest, last epoch\n  loss: " in out
    assert out.count("  recall: ") == out.count("%\n") == 2


def run(script, cwd, environment):
    return subprocess.run(
        ["bash", "-c", script], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        (">&-", 0, ""),
        (">&- 2>&- <&-", 0, ""),
        ("| true; exit ${PIPESTATUS[0]}", 0, ""),
        (">/dev/full", 2, "No space left on device"),
    ],
)
def test_nobody_has_to_read(plugin_environment, tmp_path, end, code, told):
    if "/dev/full" in end and not os.path.exists("/dev/full"):
        pytest.skip("this system has no full device")
    done = run(f"{sys.executable} -m bionet list {end}", tmp_path, plugin_environment)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == bool(told)


@pytest.mark.slow
def test_a_run_whose_output_is_closed_is_written_all_the_same(plugin_environment, tmp_path):
    script = f"{sys.executable} -m bionet run fake-local --out here >&- 2>&- <&-"
    assert run(script, tmp_path, plugin_environment).returncode == 0
    for name in ("config.json", "result.json"):
        json.loads((tmp_path / "here" / name).read_text())  # nothing else was written into them


def test_python_m_bionet_is_the_command(plugin_environment, tmp_path):
    done = run(f"{sys.executable} -m bionet --version", tmp_path, plugin_environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bionet ")
