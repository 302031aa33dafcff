import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bionet.cli.run_directory import RunDirectory


@pytest.fixture
def stopped(command, fake_zoo):
    """A run of three epochs, stopped after the first; its trouble is then taken away."""
    command(
        "run", "fake-local", "--set", "trouble=interrupt", "--set", "sizes=7,5", "--out", "here"
    )
    rewrite(lambda config: config["config"].update(trouble=""))
    return Path("here")


def rewrite(change):
    config = json.loads(Path("here/config.json").read_text())
    change(config)
    Path("here/config.json").write_text(json.dumps(config))


def epochs(place):
    return [
        json.loads(line)["epoch"] for line in (place / "metrics.jsonl").read_text().splitlines()
    ]


def test_it_goes_on_as_if_nothing_had_happened(command, stopped):
    code, out, err = command("resume", "here")
    assert (code, err) == (0, "")
    assert "after 3 epochs" in out
    command("run", "fake-local", "--set", "sizes=7,5", "--out", "whole")
    for name in ("metrics.jsonl", "result.json"):
        assert (stopped / name).read_text() == Path("whole", name).read_text()


def test_tuples_come_back_as_tuples(command, stopped, monkeypatch):
    import fake_recipe

    seen = []
    real = fake_recipe.FakeRecipe.fit
    monkeypatch.setattr(
        fake_recipe.FakeRecipe,
        "fit",
        lambda self, *a, **k: seen.append(self.config.sizes) or real(self, *a, **k),
    )
    command("resume", "here")
    assert seen == [(7, 5)]


def test_a_run_without_a_checkpoint_begins_again(command, stopped):
    (stopped / "checkpoint" / "state.json").unlink()
    assert command("resume", "here")[0] == 0
    assert epochs(stopped) == [1, 2, 3]


def test_a_finished_run_says_so_and_can_be_made_longer(command, refused, stopped):
    command("resume", "here")
    assert refused("resume", "here") == (
        "The run in 'here' is finished, after epoch 3. "
        "To train it longer, give --epochs with more than 3."
    )
    assert refused("resume", "here", "--epochs", 3) == (
        "The run in 'here' has already done 3 epochs; --epochs counts them all, "
        "so give more than 3."
    )
    assert command("resume", "here", "--epochs", 5)[0] == 0
    assert epochs(stopped) == [1, 2, 3, 4, 5]
    assert json.loads((stopped / "config.json").read_text())["epochs"] == 5


def test_a_longer_run_that_is_stopped_is_unfinished(command, stopped):
    command("resume", "here")
    rewrite(lambda config: config["config"].update(trouble="interrupt", trouble_at=5))
    code, _, err = command("resume", "here", "--epochs", 6)
    assert (code, err) == (130, "Stopped after epoch 4. `bionet resume here` goes on from there.\n")
    rewrite(lambda config: config["config"].update(trouble=""))
    assert command("resume", "here")[0] == 0
    assert epochs(stopped) == [1, 2, 3, 4, 5, 6]


def test_another_version_is_pointed_out(command, stopped):
    rewrite(lambda config: config["versions"].update(python="2.7"))
    code, _, err = command("resume", "here")
    assert code == 0
    assert err.startswith("This run began with python 2.7 (now 3.")
    assert err.endswith("): it goes on, but maybe not bit for bit.\n")


def test_a_directory_without_a_run(refused, fake_zoo):
    assert refused("resume", "nowhere") == (
        "There is no run in 'nowhere': it has no config.json. "
        "Give the directory that `bionet run` named, such as runs/ID-DATA-seed0."
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '{\n"kind": ',
            "'here/config.json' is damaged: it is not JSON (line 2). "
            "Start a new run with `bionet run`.",
        ),
        (
            '{"lr": 1}',
            "'here/config.json' was not written by `bionet run`. "
            "Start a new run with `bionet run`.",
        ),
        (
            '{"kind": "bionet run", "format": 9}',
            "'here/config.json' was written by another version of bionet. "
            "Start a new run with `bionet run`.",
        ),
        (
            '{"kind": "bionet run", "format": 1, "recipe": 3}',
            "'here/config.json' is damaged: its 'recipe' is missing or of the wrong type. "
            "Start a new run with `bionet run`.",
        ),
    ],
)
def test_configs_that_cannot_be_read(refused, fake_zoo, text, told):
    Path("here").mkdir()
    Path("here/config.json").write_text(text)
    assert refused("resume", "here") == told


def test_a_recipe_that_is_gone(refused, stopped):
    rewrite(lambda config: config.update(recipe="fake-locl"))
    assert refused("resume", "here").startswith("No recipe is named 'fake-locl'. Did you mean")


@pytest.fixture
def finished(command, fake_zoo):
    """A finished run of three epochs."""
    command("run", "fake-local", "--out", "here")
    return Path("here")


def snapshot(place):
    return {
        str(each.relative_to(place)): each.read_bytes()
        for each in sorted(place.rglob("*"))
        if each.is_file() and "longer" not in each.parts
    }


@pytest.mark.parametrize("trouble", ["data", "nan", "fault"])
def test_a_longer_run_that_cannot_begin_leaves_the_finished_one_as_it_was(
    command, finished, monkeypatch, trouble
):
    import fake_recipe

    def fit(self, *_, **given):
        if trouble == "data":
            raise ValueError(f"{Path(given['checkpoint']).absolute()} is of another seed.")
        raise fake_recipe.TROUBLE[trouble]

    before = snapshot(finished)
    monkeypatch.setattr(fake_recipe.FakeRecipe, "fit", fit)
    code, _, err = command("resume", "here", "--epochs", 5)
    assert (code, err.count("\n")) == (1 if trouble == "fault" else 2, 1)
    if trouble == "data":  # the folder that it speaks of is there
        assert err == f"{(finished / 'checkpoint').absolute()} is of another seed.\n"
    assert snapshot(finished) == before
    assert not (finished / "longer").exists()
    monkeypatch.undo()


def test_an_unfinished_run_keeps_its_plan_where_the_longer_one_cannot_begin(command, stopped):
    rewrite(lambda config: config["config"].update(trouble="nan", trouble_at=2))
    before = json.loads((stopped / "config.json").read_text())
    assert command("resume", "here", "--epochs", 9)[0] == 2
    assert json.loads((stopped / "config.json").read_text()) == before
    assert epochs(stopped) == [1]


def test_a_longer_run_that_is_stopped_changes_nothing_of_the_finished_one(command, finished):
    rewrite(lambda config: config["config"].update(trouble="interrupt", trouble_at=5))
    before = snapshot(finished)
    assert command("resume", "here", "--epochs", 6)[0] == 130
    assert snapshot(finished) == before
    assert epochs(finished) == [1, 2, 3]
    rewrite(lambda config: config["config"].update(trouble="nan", trouble_at=5))
    before = snapshot(finished)
    assert command("resume", "here")[0] == 2
    assert snapshot(finished) == before
    rewrite(lambda config: config["config"].update(trouble=""))
    assert command("resume", "here", "--epochs", 7)[0] == 0
    assert epochs(finished) == [1, 2, 3, 4, 5, 6, 7]
    assert not (finished / "longer").exists()


class Killed(BaseException):
    """What ends a process at once, and gives it no time for anything."""


@pytest.mark.slow
def test_a_longer_run_killed_at_any_moment_is_the_old_run_or_the_new_one(
    command, fake_zoo, monkeypatch
):
    """Every change of the disk is a moment: the process is killed before each of them in turn."""
    command("run", "fake-local", "--out", "whole", "--epochs", 5)
    result = Path("whole/result.json").read_text()
    moments = 0
    while True:
        place = Path(f"here{moments}")
        command("run", "fake-local", "--out", place)
        old = (place / "result.json").read_text()
        left = [moments]

        def before_change(real, left=left):
            def change(*words, **named):
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                return real(*words, **named)

            return change

        with monkeypatch.context() as patch:
            for name in ("replace", "rename", "unlink"):
                patch.setattr(Path, name, before_change(getattr(Path, name)))
            for name in ("rmtree", "copytree", "copy2"):
                owner = "bionet.cli.run_directory.shutil."
                patch.setattr(owner + name, before_change(getattr(__import__("shutil"), name)))
            try:
                command("resume", place, "--epochs", 5)
                killed = False
            except Killed:
                killed = True
        assert (place / "result.json").read_text() in (old, result)
        config = json.loads((place / "config.json").read_text())
        if not killed:
            break
        if (place / "longer").exists():
            command("resume", place)
        elif config["epochs"] == 3:
            assert (place / "result.json").read_text() == old
            command("resume", place, "--epochs", 5)
        assert (place / "result.json").read_text() == result, moments
        assert epochs(place) == [1, 2, 3, 4, 5]
        assert json.loads((place / "config.json").read_text())["epochs"] == 5
        assert sorted(each.name for each in place.iterdir() if each.name != ".lock") == [
            "checkpoint", "config.json", "curve.png", "metrics.jsonl", "result.json",
        ]  # fmt: skip
        moments += 1
    assert moments > 10


def test_a_second_process_is_told_and_changes_nothing(refused, stopped):
    with RunDirectory(stopped).lock():
        before = snapshot(stopped)
        assert refused("resume", "here") == (
            "Another process is at work on the run in 'here'. Wait for it, end it, or name another "
            "directory."
        )
        assert snapshot(stopped) == before


def test_of_two_processes_that_resume_one_goes_on(stopped, plugin_environment, tmp_path):
    rewrite(lambda config: config["config"].update(trouble="wait", trouble_at=2))
    words = [sys.executable, "-m", "bionet", "resume", "here"]
    both = [
        subprocess.Popen(
            words, env=plugin_environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        while all(each.poll() is None for each in both):
            time.sleep(0.05)
        second = next(each for each in both if each.poll() is not None)
        assert second.returncode == 2
        assert second.communicate()[1].startswith(
            "Another process is at work on the run in 'here'."
        )
        assert sum(each.poll() is None for each in both) == 1
    finally:
        for each in both:
            each.kill()
            each.wait()
            if each.stderr is not None:
                each.stderr.close()


def test_damaged_metrics_are_named_with_their_line(command, refused, stopped):
    command("resume", "here")
    whole = (stopped / "metrics.jsonl").read_text()
    first, second, third = whole.splitlines()
    for bad in (second[:9], "[1]", '{"loss": 1}', "\udcff"):
        text = f"{first}\n{bad}\n{third}\n"
        (stopped / "metrics.jsonl").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert refused("resume", "here", "--epochs", 5) == (
            "'here/metrics.jsonl' is damaged: line 2 is not the JSON of an epoch. Delete the file: "
            "`bionet resume` writes it again, out of the checkpoint."
        )
    (stopped / "metrics.jsonl").unlink()
    assert command("resume", "here", "--epochs", 5)[0] == 0
    assert (stopped / "metrics.jsonl").read_text().startswith(whole)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": -1}, "is damaged: its 'seed' is -1, not from 0 to 4294967295."),
        ({"seed": True}, "is damaged: its 'seed' is missing or of the wrong type."),
        ({"epochs": 0}, "is damaged: its 'epochs' is 0, not 1 or more."),
        ({"options": [1]}, "is damaged: its 'options' is missing or of the wrong type."),
        ({"config": {"hidden": 0}}, "does not fit: Field 'hidden' needs at least one unit, got 0"),
    ],
)
def test_values_of_a_config_that_cannot_be_are_named(refused, stopped, change, told):
    rewrite(lambda config: config.update(change))
    assert refused("resume", "here").startswith(f"'here/config.json' {told}")


def test_a_config_that_is_no_text_is_named_with_its_line(refused, stopped):
    (stopped / "config.json").write_bytes(b'{\n"kind": "\xff"}')
    assert refused("resume", "here").startswith("'here/config.json' is damaged: it is not JSON (l")


def test_a_tilde_is_the_home_of_the_user(command, stopped, monkeypatch):
    monkeypatch.setenv("HOME", str(stopped.parent.absolute()))
    assert command("resume", "~/here")[0] == 0
