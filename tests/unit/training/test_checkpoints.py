"""Checkpoints: a resumed run is the run that was never cut off, and nothing foreign gets in."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.epoch import run_epoch
from bionet.training.fit import fit
from bionet.training.local.two_phase import TwoPhase
from bionet.training.run.checkpoints_of_run import FitWarning

KEY = jax.random.key(5)


def broken(method, train_state, batches, key):
    """Traces as an epoch does, and fails when it is to be run."""
    if isinstance(train_state.step, jax.core.Tracer):
        return run_epoch(method, train_state, batches, key)
    raise RuntimeError("the device is gone")


EPOCHS = 4


@pytest.fixture(scope="module")
def run(task, two_phase):
    """`run(directory, **options)` trains the shared task, with a checkpoint per epoch."""

    def run(directory=None, problem=None, **options):
        options = {"epochs": EPOCHS, "key": KEY} | options
        return fit(problem or task(), two_phase, checkpoint=directory, **options)

    return run


@pytest.fixture(scope="module")
def unbroken(run):
    """The run that was never interrupted, and kept no checkpoint."""
    return run()


@pytest.fixture
def is_unbroken(unbroken, without_seconds, bits):
    def check(resumed):
        assert jax.tree.structure(resumed.train_state) == jax.tree.structure(unbroken.train_state)
        assert bits(resumed.train_state) == bits(unbroken.train_state)
        assert bits(resumed.model) == bits(unbroken.model)
        assert without_seconds(resumed.history) == without_seconds(unbroken.history)
        assert resumed.test == unbroken.test
        assert resumed.stopped == unbroken.stopped == "epochs"

    return check


class TestResume:
    @pytest.mark.slow
    def test_keeping_checkpoints_changes_no_bit(self, run, is_unbroken, tmp_path):
        is_unbroken(run(tmp_path / "new"))

    @pytest.mark.slow
    @pytest.mark.parametrize("epoch", [1, 3])
    def test_after_a_callback_has_ended_the_run(self, run, is_unbroken, tmp_path, epoch):
        stopped = run(tmp_path, callbacks=[lambda event: event.epoch == epoch])
        assert (stopped.stopped, len(stopped.history)) == ("callback", epoch)
        is_unbroken(run(tmp_path, resume=True))

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
    def test_after_a_callback_has_failed(self, run, is_unbroken, tmp_path, kind):
        def cut(event):
            if event.epoch == 2:
                raise kind("the power went")

        with pytest.raises(kind, match="the power went"):
            run(tmp_path, callbacks=[cut])
        is_unbroken(run(tmp_path, resume=True))

    @pytest.mark.slow
    def test_after_an_error_in_an_epoch(self, run, is_unbroken, tmp_path, on_disk, monkeypatch):
        run(tmp_path, epochs=2)
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules["bionet.training.fit"], "run_epoch", broken)
            with pytest.raises(RuntimeError, match="the device is gone"):
                run(tmp_path, resume=True)
        assert on_disk(tmp_path) == ["1", "2"]
        is_unbroken(run(tmp_path, resume=True))

    @pytest.mark.slow
    @pytest.mark.parametrize("sealed", [1, 0])
    def test_after_a_kill_before_the_seal(self, run, is_unbroken, tmp_path, sealed):
        run(tmp_path, epochs=sealed + 1)
        (tmp_path / str(sealed + 1) / "sha256.json").unlink()
        went = f"on from epoch {sealed}" if sealed else "from the beginning"
        told = (
            f"The save of epoch {sealed + 1} in {tmp_path} was cut off before its end and is not "
            f"used; the run went {went}."
        )
        with pytest.warns(FitWarning, match=re.escape(told)):
            resumed = run(tmp_path, resume=True)
        assert resumed.notes == (told,)
        is_unbroken(resumed)

    def test_after_a_save_was_cut_off(self, run, is_unbroken, tmp_path, on_disk):
        run(tmp_path, epochs=2)
        half = tmp_path / "3.orbax-checkpoint-tmp"
        shutil.copytree(tmp_path / "2" / "state", half / "state.orbax-checkpoint-tmp")
        is_unbroken(run(tmp_path, resume=True))
        assert {"3", "4"} <= set(on_disk(tmp_path))

    def test_again_and_again(self, run, is_unbroken, tmp_path):
        for epochs in range(EPOCHS):
            run(tmp_path, epochs=epochs, resume=True)
        is_unbroken(run(tmp_path, resume=True))

    def test_a_finished_run_takes_no_more_steps(self, run, is_unbroken, tmp_path):
        run(tmp_path)
        told = []
        is_unbroken(run(tmp_path, resume=True, callbacks=[told.append]))
        assert told == []

    def test_a_directory_that_was_moved(self, run, is_unbroken, tmp_path):
        run(tmp_path / "here", epochs=2)
        shutil.move(tmp_path / "here", tmp_path / "there")
        is_unbroken(run(tmp_path / "there", resume=True))

    def test_a_relative_directory(self, run, is_unbroken, tmp_path, monkeypatch, on_disk):
        monkeypatch.chdir(tmp_path)
        run("deep/down", epochs=1)
        is_unbroken(run(Path("deep/down"), resume=True))
        assert on_disk(tmp_path / "deep" / "down") == ["3", "4"]

    def test_going_back_to_the_one_before_the_newest(self, run, is_unbroken, tmp_path):
        run(tmp_path, epochs=3)
        shutil.rmtree(tmp_path / "3")  # as the sentence of an unreadable one advises
        is_unbroken(run(tmp_path, resume=True))

    @pytest.mark.slow
    @pytest.mark.parametrize("made", [True, False])
    def test_it_starts_anew_where_there_is_none(self, run, is_unbroken, tmp_path, made):
        directory = tmp_path / "new"
        if made:
            directory.mkdir()
        is_unbroken(run(directory, resume=True))

    def test_the_optimisers_memory_comes_back(self, run, two_phase, task, tmp_path, bits):
        done = run(tmp_path, epochs=2)
        blank = two_phase.init(task().model, KEY)
        state, _ = Checkpoints(tmp_path).restore(blank, KEY)
        assert bits(state.memory) == bits(done.train_state.memory) != bits(blank.memory)
        assert len(bits(state.memory)) == 1 + 2 * 3  # a count, and two moments of three edges

    def test_patience_goes_on_counting(self, counted, tally, tmp_path):
        scores = (0.0, 0.5, 0.4, 0.3, 0.2, 0.9)
        problem = counted(n=4, batch_size=4, scores=scores)
        options = {"key": KEY, "checkpoint": tmp_path, "patience": 2}
        fit(problem, tally, epochs=2, **options)
        result = fit(problem, tally, epochs=5, resume=True, **options)
        assert (result.stopped, len(result.history)) == ("patience", 3)

    def test_a_raw_key_is_the_key_of_the_run(self, counted, tally, tmp_path, bits):
        raw = jax.random.PRNGKey(3)
        whole = fit(counted(), tally, epochs=3, key=raw)
        fit(counted(), tally, epochs=1, key=raw, checkpoint=tmp_path)
        result = fit(counted(), tally, epochs=3, key=raw, checkpoint=tmp_path, resume=True)
        assert bits(result.train_state) == bits(whole.train_state)

    def test_the_newest_two_are_kept(self, run, tmp_path, on_disk):
        run(tmp_path)
        assert on_disk(tmp_path) == ["3", "4"]

    def test_no_epochs_leave_no_checkpoint(self, run, tmp_path):
        run(tmp_path / "none", epochs=0)
        assert Checkpoints(tmp_path / "none").latest() is None


@pytest.fixture(scope="module")
def first(task, two_phase, tmp_path_factory):
    """A run of one epoch, in its directory."""
    directory = tmp_path_factory.mktemp("run")
    fit(task(), two_phase, epochs=1, key=KEY, checkpoint=directory)
    return directory


class TestRefusals:
    def resumed(self, directory, problem, method, key=KEY):
        # More epochs than were run, and yet refused before the first of them.
        return fit(problem, method, epochs=2, key=key, checkpoint=directory, resume=True)

    def test_a_directory_that_holds_a_run(self, first, task, two_phase, says, on_disk):
        sentence = (
            f"{first} already holds a checkpoint, of epoch 1; pass resume=True to go on from it, "
            "or name another directory."
        )
        with says(CheckpointError, sentence):
            fit(task(), two_phase, epochs=2, key=KEY, checkpoint=first)
        assert on_disk(first) == ["1"]

    def test_resume_without_a_directory(self, counted, tally, says):
        sentence = "fit: resume=True needs checkpoint=DIR, the directory to go on from."
        with says(ValueError, sentence):
            fit(counted(), tally, epochs=1, key=KEY, resume=True)

    @pytest.mark.parametrize("resume", [True, False])
    def test_a_directory_with_other_things(self, counted, tally, says, tmp_path, resume, on_disk):
        (tmp_path / "thesis.txt").write_text("two years of work")
        sentence = f"{tmp_path} holds files but no bionet checkpoint; name another directory."
        with says(CheckpointError, sentence):
            fit(counted(), tally, epochs=1, key=KEY, checkpoint=tmp_path, resume=resume)
        assert on_disk(tmp_path) == ["thesis.txt"]

    @pytest.mark.parametrize("resume", [True, False])
    def test_a_file(self, counted, tally, says, tmp_path, resume):
        (tmp_path / "file").touch()
        sentence = f"{tmp_path / 'file'} is a file, not a directory of checkpoints."
        with says(CheckpointError, sentence):
            fit(counted(), tally, epochs=1, key=KEY, checkpoint=tmp_path / "file", resume=resume)

    def test_a_network_of_another_width(self, first, task, two_phase, says):
        problem = task()
        wider = eqx.tree_at(lambda o: o.lmap[2, 1].W, problem.model, jnp.zeros((8, 3)))
        sentence = (
            f"The checkpoint in {first} belongs to another model or method: it holds "
            "edge (2, 1), leaf W float32[7, 3], where this run has edge (2, 1), leaf W "
            "float32[8, 3]."
        )
        with says(CheckpointError, sentence):
            self.resumed(first, replace(problem, model=wider), two_phase)

    def test_a_network_of_another_depth(self, first, task, two_hidden, says):
        method = TwoPhase(two_hidden.state, optimizer=optax.adam(0.05), clamped=3, free=3)
        sentence = "where this run has edge (1, 2), leaf W float32[6, 7]."
        with says(CheckpointError, sentence):
            self.resumed(first, task(hidden=2), method)

    def test_a_network_of_another_dtype(self, first, task, make_network, two_phase, says):
        network = make_network(1, dtype="bfloat16").orchestrator
        sentence = (
            "it holds edge (1, 0), leaf W float32[5, 7], where this run has edge (1, 0), leaf W "
            "bfloat16[5, 7]."
        )
        with says(CheckpointError, sentence):
            self.resumed(first, replace(task(), model=network), two_phase)

    def test_another_method(self, first, task, one_hidden, says):
        momentum = TwoPhase(one_hidden.state, optimizer=optax.sgd(0.05, momentum=0.9))
        sentence = f"The checkpoint in {first} belongs to another model or method: it holds leaf "
        with says(CheckpointError, sentence) as caught:
            self.resumed(first, task(), momentum)
        assert ".memory" in str(caught.value)

    def test_another_model_altogether(self, first, counted, tally, says):
        sentence = f"The checkpoint in {first} belongs to another model or method: it holds "
        with says(CheckpointError, sentence):
            self.resumed(first, counted(), tally)

    def test_another_seed(self, first, task, two_phase, says):
        sentence = (
            f"The checkpoint in {first} was made with another seed; resume it with the key of "
            "that run."
        )
        with says(CheckpointError, sentence):
            self.resumed(first, task(), two_phase, key=jax.random.key(6))
