import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bionet.cli.claim import claim
from bionet.cli.plan import Plan
from bionet.cli.run_directory import RunDirectory


def files(path):
    return sorted(entry.name for entry in Path(path).iterdir())


def lines(path):
    return [json.loads(line) for line in (Path(path) / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything_in_one_directory(command, fake_zoo):
    words = ["--data", "sand", "--seed", 4, "--epochs", 2, "--set", "hidden=16"]
    code, out, err = command("run", "fake-local", *words)
    assert (code, err) == (0, "")
    assert "accuracy 0.5 after 2 epochs" in out
    place = "runs/fake-local-sand-seed4"
    assert f"Everything is in {place}: the learning curve is curve.png." in out
    assert files(place) == [
        "checkpoint", "config.json", "curve.png", "metrics.jsonl", "result.json",
    ]  # fmt: skip
    assert [row["epoch"] for row in lines(place)] == [1, 2]
    config = json.loads(Path(place, "config.json").read_text())
    assert (config["recipe"], config["dataset"]) == ("fake-local", "sand")
    assert (config["seed"], config["epochs"], config["config"]["hidden"]) == (4, 2, 16)
    assert config["config"]["limit"] == 9  # as the data set has it
    assert config["versions"]["jax"][0].isdigit()
    assert json.loads(Path(place, "result.json").read_text())["dataset"] == "sand"


def test_the_default_directory_is_the_next_free_one(command, fake_zoo):
    for ending in ("", "-2", "-3"):
        command("run", "fake-local")
        assert RunDirectory(Path(f"runs/fake-local-dust-seed0{ending}")).finished


def test_another_run_is_never_overwritten(command, refused, fake_zoo):
    command("run", "fake-local", "--out", "here", "--seed", 1)
    before = Path("here/result.json").read_bytes()
    assert refused("run", "fake-local", "--out", "here") == (
        "The directory 'here' already holds the run fake-local on dust, seed 1. Choose another "
        "--out, or go on with that run: `bionet resume here`."
    )
    assert Path("here/result.json").read_bytes() == before
    Path("here/config.json").write_text("{")
    told = refused("run", "fake-local", "--out", "here")
    assert told.startswith("The directory 'here' already holds another run. Choose another --out")


def test_a_directory_with_other_things_is_left_alone(refused, fake_zoo):
    Path("full").mkdir()
    Path("full/letter.txt").write_text("dear")
    assert refused("run", "fake-local", "--out", "full") == (
        "The directory 'full' is not empty, and holds no run. Choose another --out."
    )
    assert refused("run", "fake-local", "--out", "full/letter.txt") == (
        "'full/letter.txt' is a file, not a directory. Choose another --out."
    )


def test_a_place_that_cannot_be_written_is_named(refused, fake_zoo):
    Path("runs").write_text("a file")
    told = refused("run", "fake-local")
    assert "'runs" in told
    assert told.endswith("Check the path, its rights and the disk.")


def test_an_unknown_data_set_is_refused_before_anything_is_written(refused, fake_zoo):
    told = "No data set is named 'sands'."
    assert refused("run", "fake-local", "--data", "sands") == told
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("hiden=3", "In recipe 'fake-local': No field is named 'hiden'. Did you mean 'hidden'?"),
        ("hidden", "Option --set needs field=value, got 'hidden'."),
        (
            "hidden=many",
            "Field 'hidden' of recipe 'fake-local' needs a value of type int, got 'many'.",
        ),
        (
            "limit=some",
            "Field 'limit' of recipe 'fake-local' needs a value of type int | None, got 'some'.",
        ),
        ("hidden=0", "Field 'hidden' needs at least one unit, got 0."),
    ],
)
def test_settings_that_do_not_fit(refused, fake_zoo, setting, told):
    assert refused("run", "fake-local", "--set", setting) == told
    assert not Path("runs").exists()


def test_ctrl_c_in_the_middle_says_how_to_go_on(command, fake_zoo):
    code, _, err = command("run", "fake-local", "--set", "trouble=interrupt", "--out", "here")
    assert code == 130
    assert err == "Stopped after epoch 1. `bionet resume here` goes on from there.\n"
    assert files("here") == ["checkpoint", "config.json", "metrics.jsonl"]


def test_ctrl_c_before_the_first_epoch_leaves_nothing(command, fake_zoo):
    words = ["--set", "trouble=interrupt", "--set", "trouble_at=1"]
    code, _, err = command("run", "fake-local", *words)
    assert code == 130
    assert err == (
        "Stopped before the first epoch was done: begin again with `bionet run fake-local`.\n"
    )
    assert list(Path("runs").iterdir()) == []


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("nan", "Edge (1, 0) holds a NaN after step 7. Take a smaller rate."),
        ("equinox", "Edge (2, 1) got a NaN."),
    ],
)
def test_values_that_turn_bad_are_a_sentence(refused, fake_zoo, trouble, told):
    assert refused("run", "fake-local", "--set", f"trouble={trouble}", "--out", "here") == told
    assert files("here") == ["checkpoint", "config.json", "metrics.jsonl"]


def test_a_fault_of_ours_is_owned_up_to(command, fake_zoo, monkeypatch):
    monkeypatch.delenv("BIONET_DEBUG", raising=False)
    code, _, err = command("run", "fake-local", "--set", "trouble=fault")
    assert code == 1
    assert err == (
        "This is a fault in bionet, please report it (KeyError: 'oops'). "
        "Run it again with BIONET_DEBUG=1 for the traceback.\n"
    )


def test_of_many_that_claim_one_directory_one_has_it(fake_zoo):
    plan = Plan("fake-local", "dust", 0, 3, {})
    start, end, told = threading.Barrier(8), threading.Event(), []

    def begin():
        start.wait()
        try:
            with claim("here", plan):
                end.wait(10)
                told.append("has it")
        except (OSError, ValueError, Exception) as error:
            told.append(str(error))
            if len(told) == 7:
                end.set()

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert told.count("has it") == 1
    assert len(told) == 8
    assert all(
        each.startswith(("has it", "Another process is at work", "The directory 'here' already"))
        for each in told
    )


@pytest.mark.slow
def test_of_two_processes_with_one_out_one_runs(plugin_environment, tmp_path):
    words = [sys.executable, "-m", "bionet", "run", "fake-local", "--out", "here"]
    both = [
        subprocess.Popen(
            words, env=plugin_environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ended = sorted((each.wait(60), each.communicate()[1]) for each in both)
    assert [code for code, _ in ended] == [0, 2]
    assert "'here'" in ended[1][1]
    assert files(tmp_path / "here") == [
        "checkpoint", "config.json", "curve.png", "metrics.jsonl", "result.json",
    ]  # fmt: skip


def test_what_a_file_manager_or_a_kill_leaves_is_nothing(command, fake_zoo):
    Path("here").mkdir()
    for name in (".DS_Store", ".lock", "Thumbs.db"):
        Path("here", name).write_text("")
    assert command("run", "fake-local", "--out", "here")[0] == 0


def test_a_directory_that_was_there_before_stays(command, fake_zoo):
    Path("here").mkdir()
    words = ["--set", "trouble=interrupt", "--set", "trouble_at=1", "--out", "here"]
    assert command("run", "fake-local", *words)[0] == 130
    assert files("here") == []


def test_a_curve_without_epochs_is_refused_before_training(refused, fake_zoo):
    told = "A run needs 1 epoch or more: without one there is no curve to draw."
    assert refused("run", "fake-local", "--set", "epochs=0") == told
    assert not Path("runs").exists()


def test_a_picture_that_cannot_be_drawn_loses_no_numbers(command, fake_zoo, monkeypatch):
    import fake_recipe

    def plot(self, path=None):
        raise ValueError("No picture today.")

    monkeypatch.setattr(fake_recipe.FakeResult, "plot", plot)
    code, _, err = command("run", "fake-local", "--out", "here")
    assert (code, err) == (2, "No picture today.\n")
    assert json.loads(Path("here/result.json").read_text())["dataset"] == "dust"


def test_a_last_line_that_a_kill_has_prevented_is_written(command, fake_zoo):
    command("run", "fake-local", "--out", "here")
    whole = Path("here/metrics.jsonl").read_text()
    Path("here/result.json").unlink()  # killed after the last checkpoint, before its line
    Path("here/metrics.jsonl").write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert command("resume", "here")[0] == 0
    assert Path("here/metrics.jsonl").read_text() == whole


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("file/deep", "Not a directory: 'file/deep'"),
        ("~nobody-of-that-name/x", "'~nobody-of-that-name/x' begins with a home that is not there"),
    ],
)
def test_places_that_cannot_be_are_a_sentence(refused, fake_zoo, out, told):
    Path("file").write_text("")
    assert told in refused("run", "fake-local", "--out", out)


def test_a_tilde_is_the_home_of_the_user(command, fake_zoo, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert command("run", "fake-local", "--out", "~/here")[0] == 0
    assert (tmp_path / "home" / "here" / "result.json").exists()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 9 TiB\nmore")])
def test_too_little_memory_is_not_a_fault(refused, fake_zoo, monkeypatch, error):
    import fake_recipe

    monkeypatch.setitem(fake_recipe.TROUBLE, "fault", error)
    told = refused("run", "fake-local", "--set", "trouble=fault", "--set", "trouble_at=1")
    assert told.startswith("There is too little memory")
    assert told.endswith("Take smaller numbers.")
