import json
from pathlib import Path

import pytest


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
