import json
from pathlib import Path

import pytest

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
        ("hidden", "Option --set needs field=value; 'hidden' came."),
        (
            "hidden=many",
            "Field 'hidden' of recipe 'fake-local' needs a value of type int; 'many' came.",
        ),
        (
            "limit=some",
            "Field 'limit' of recipe 'fake-local' needs a value of type int | None; 'some' came.",
        ),
        ("hidden=0", "Field 'hidden' needs at least one unit; 0 came."),
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
