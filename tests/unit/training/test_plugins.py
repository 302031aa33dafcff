"""A method in a user's own file: found, run, resumed and studied by its word and its text."""

import json

import pytest

from bionet import zoo
from bionet._core.origins import text_hash
from bionet.cli import main
from bionet.studies import Arm, Budget, Study, read_results
from bionet.studies.run.runner import run_study
from bionet.training.plugins import LOADED, load_plugin, run_plugin
from bionet.training.registry import METHODS

TEXT = '''
"""Random steps of one size, whichever way they lead."""
from dataclasses import dataclass
from typing import ClassVar
import jax
import jax.numpy as jnp
from bionet.training import AbstractMethod, MethodSpec, TrainState, register_method
from bionet.training.zeroth_order.trained_vector import trained_vector, with_trained

@dataclass(frozen=True)
class Options:
    size: float = 0.01  # standard deviation of a step

@register_method
class Drift(AbstractMethod):
    spec: ClassVar[MethodSpec] = MethodSpec("WORD", "control", "Walk about.")
    Options: ClassVar[type] = Options
    size: float
    @classmethod
    def from_workload(cls, workload, config, options, steps):
        return cls(options.size)
    def init(self, model, key):
        return TrainState(model, None, jnp.zeros((), jnp.int32))
    def step(self, train_state, batch, key):
        weights = trained_vector(train_state.model)
        moved = weights + self.size * jax.random.normal(key, weights.shape)
        model = with_trained(train_state.model, moved)
        return TrainState(model, None, train_state.step + 1), {"evaluations": jnp.asarray(1.0)}
    def finish(self, train_state):
        return train_state.model
'''
SMALL = ["prototypes-local", "--set", "hidden=8", "--set", "samples=64"]
DRIFT = [*SMALL, "--method", "drift", "--option", "size=0.02"]


def forget():
    """Makes this process one that has loaded no plug-in."""
    for sha256, plugin in list(LOADED.items()):
        METHODS.forget(plugin.words)
        del LOADED[sha256]


@pytest.fixture
def plugin(tmp_path):
    """A method file, `drift`."""
    path = tmp_path / "mine" / "drift.py"
    path.parent.mkdir()
    path.write_text(TEXT.replace("WORD", "drift"))
    return path


@pytest.fixture
def command(capsys):
    def call(*words):
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def metrics(directory):
    return json.loads((directory / "result.json").read_text())["metrics"]


class TestLoading:
    @pytest.mark.slow
    def test_it_registers_words_with_the_text_they_came_from(self, plugin):
        loaded = load_plugin(plugin)
        assert loaded.words == ("drift",)
        assert METHODS.origin("drift") == loaded.sha256 == text_hash(plugin.read_text())
        assert METHODS.origin("es") is None
        assert METHODS["drift"].__module__ == f"bionet_plugin_{loaded.sha256[:16]}"
        recipe = zoo.get("prototypes-local").replace(hidden=8).with_method("drift", size=0.5)
        assert recipe.build_method().size == 0.5

    def test_the_same_text_again_changes_nothing(self, plugin):
        kind = METHODS[load_plugin(plugin).words[0]]
        load_plugin(plugin)
        assert METHODS["drift"] is kind

    def test_the_same_word_from_another_text_is_refused(self, plugin):
        load_plugin(plugin)
        plugin.write_text(plugin.read_text() + "\n# another\n")
        with pytest.raises(ValueError, match="the word 'drift' is that of bionet_plugin_"):
            load_plugin(plugin)

    def test_a_word_of_ours_is_refused(self, tmp_path):
        with pytest.raises(
            ValueError, match="the word 'es' is that of bionet.training.zeroth_order.evolution"
        ):
            run_plugin(TEXT.replace("WORD", "es"), "es.py")
        assert METHODS.origin("es") is None

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (None, "There is no plug-in at"),
            ("x = 1\n", "registers no method"),
            ("raise RuntimeError('broken')\n", "cannot be run: RuntimeError: broken"),
            ("def (\n", "cannot be run: SyntaxError"),
            ("import sys; sys.exit()\n", "cannot be run: SystemExit"),
            (
                "import bionet\nbionet.register_method(int)\n",
                "must be a class that derives from AbstractMethod",
            ),
        ],
    )
    def test_what_is_no_plugin_is_told_in_a_sentence(self, command, tmp_path, text, told):
        path = tmp_path / "bad.py"
        if text is not None:
            path.write_text(text)
        code, out, err = command("methods", "--plugin", path)
        assert (code, out) == (2, "")
        assert told in err
        assert err.count("\n") == 1


class TestCommand:
    def test_it_is_in_the_table(self, command, plugin):
        code, out, _ = command("methods", "--json", "--plugin", plugin)
        rows = {row["word"]: row for row in json.loads(out)}
        assert code == 0
        assert rows["drift"]["from"].startswith("a plug-in, sha256")
        assert rows["es"]["from"] == "bionet"
        _, out, _ = command("methods", "drift", "--json", "--plugin", plugin)
        (option,) = json.loads(out)["options"]
        assert option == {
            "name": "size",
            "type": "float",
            "default": 0.01,
            "comment": "standard deviation of a step",
        }

    def test_without_it_the_word_is_unknown(self, command, tmp_path):
        code, _, err = command("run", *DRIFT, "--out", tmp_path / "out")
        assert (code, "No method is named 'drift'" in err) == (2, True)

    def test_a_run_is_kept_and_goes_on_when_the_file_is_gone(self, command, plugin, tmp_path):
        whole, cut = tmp_path / "whole", tmp_path / "cut"
        words = ["run", *DRIFT, "--plugin", plugin, "--seed", 1]
        assert command(*words, "--epochs", 2, "--out", whole)[0] == 0
        assert command(*words, "--epochs", 1, "--out", cut)[0] == 0
        plan = json.loads((cut / "config.json").read_text())
        assert plan["plugins"][0]["sha256"] == text_hash(plugin.read_text())
        plugin.unlink()
        forget()
        assert command("resume", cut, "--epochs", 2)[0] == 0
        assert metrics(cut) == metrics(whole)

    @pytest.mark.slow
    def test_another_file_is_refused(self, command, plugin, tmp_path):
        out = tmp_path / "out"
        assert command("run", *DRIFT, "--plugin", plugin, "--epochs", 1, "--out", out)[0] == 0
        other = tmp_path / "other.py"
        other.write_text(TEXT.replace("WORD", "drift2"))
        code, _, err = command("resume", out, "--epochs", 2, "--plugin", other)
        assert code == 2
        assert "is not that of the run" in err

    @pytest.mark.slow
    def test_a_kept_text_that_was_changed_is_refused(self, command, plugin, tmp_path):
        out = tmp_path / "out"
        assert command("run", *DRIFT, "--plugin", plugin, "--epochs", 1, "--out", out)[0] == 0
        plan = json.loads((out / "config.json").read_text())
        plan["plugins"][0]["text"] += "# changed\n"
        (out / "config.json").write_text(json.dumps(plan))
        code, _, err = command("resume", out, "--epochs", 2)
        assert code == 2
        assert "its sha256 differs" in err


def write_study(directory, head=""):
    arms = {
        "own": Arm("prototypes-local", {"hidden": 8, "samples": 64}),
        "drift": Arm("prototypes-local", {"hidden": 8, "samples": 64}, "drift"),
    }
    study = Study("drifting", "Does it matter where one walks?", arms, (0, 1), Budget(1))
    path = directory / "study.py"
    text = f"{head}\nfrom bionet.studies import Arm, Budget, Study\nSTUDY = {study!r}\n"
    path.write_text(text)
    return path


class TestStudy:
    @pytest.mark.slow
    def test_every_worker_loads_it_and_lines_hold_its_hash(self, plugin, tmp_path):
        loaded = load_plugin(plugin)
        path = write_study(tmp_path)
        plugin.unlink()  # workers get the text
        outcome = run_study(path, jobs=2)
        assert (outcome.finished, outcome.missing) == (4, 0)
        lines = read_results(tmp_path / "results.jsonl").lines
        hashes = {line["arm"]: line["config"].get("plugin") for line in lines}
        assert hashes == {"own": None, "drift": loaded.sha256}
        assert str(plugin) not in (tmp_path / "results.jsonl").read_text()

    @pytest.mark.slow
    def test_another_text_gives_other_trials(self, plugin, tmp_path):
        load_plugin(plugin)
        path = write_study(tmp_path)
        assert run_study(path, jobs=1).finished == 4
        forget()
        plugin.write_text(plugin.read_text() + "\n# another\n")
        load_plugin(plugin)
        assert run_study(path, jobs=1).finished == 2  # those of the method alone

    @pytest.mark.slow
    def test_a_study_file_may_register_it_itself(self, tmp_path):
        path = write_study(tmp_path, head=TEXT.replace("WORD", "drift"))
        assert run_study(path, jobs=2).missing == 0
        lines = read_results(tmp_path / "results.jsonl").lines
        told = {line["config"].get("plugin") for line in lines if line["arm"] == "drift"}
        assert told == {text_hash(path.read_text())}

    def test_the_command_takes_it_for_every_action(self, command, plugin, tmp_path):
        path = write_study(tmp_path)
        assert command("study", "status", path)[0] == 2  # without it nobody knows the word
        code, out, err = command("study", "status", path, "--plugin", plugin)
        assert (code, err) == (0, "")
        assert "drift" in out
