"""Checkpoints: a resumed run is the run that was never cut off, and nothing foreign gets in."""

import ast
import gc
import inspect
import json
import pickle
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bionet.training.checkpoints
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.fit import fit
from bionet.training.method import TrainState
from bionet.training.two_phase import TwoPhase

KEY = jax.random.key(5)
EPOCHS = 4


def bits(tree):
    """Each array of a tree as its dtype, its shape and its bytes."""

    def plain(leaf):
        return (
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )

    arrays = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
    return [(str(a.dtype), a.shape, np.asarray(plain(a)).tobytes()) for a in arrays]


def steps_on_disk(directory):
    return sorted(path.name for path in Path(directory).iterdir())


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
def is_unbroken(unbroken, without_seconds):
    def check(resumed):
        assert jax.tree.structure(resumed.train_state) == jax.tree.structure(unbroken.train_state)
        assert bits(resumed.train_state) == bits(unbroken.train_state)
        assert bits(resumed.model) == bits(unbroken.model)
        assert without_seconds(resumed.history) == without_seconds(unbroken.history)
        assert resumed.test == unbroken.test
        assert resumed.stopped == unbroken.stopped == "epochs"

    return check


class TestResume:
    def test_keeping_checkpoints_changes_no_bit(self, run, is_unbroken, tmp_path):
        is_unbroken(run(tmp_path / "new"))

    @pytest.mark.parametrize("epoch", [1, 3])
    def test_after_a_callback_has_ended_the_run(self, run, is_unbroken, tmp_path, epoch):
        stopped = run(tmp_path, callbacks=[lambda event: event.epoch == epoch])
        assert (stopped.stopped, len(stopped.history)) == ("callback", epoch)
        is_unbroken(run(tmp_path, resume=True))

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
    def test_after_a_callback_has_failed(self, run, is_unbroken, tmp_path, kind):
        def cut(event):
            if event.epoch == 2:
                raise kind("the power went")

        with pytest.raises(kind, match="the power went"):
            run(tmp_path, callbacks=[cut])
        is_unbroken(run(tmp_path, resume=True))

    def test_after_an_error_in_the_middle_of_an_epoch(self, run, task, is_unbroken, tmp_path):
        problem = task()
        zero = problem.train.examples.y.at[17].set(0.0)  # a label that no rule takes
        spoiled = eqx.tree_at(lambda batches: batches.examples.y, problem.train, zero)
        run(tmp_path, epochs=2)
        with pytest.raises(RuntimeError, match="labels need to be -1 or"):
            run(tmp_path, replace(problem, train=spoiled), resume=True)
        assert steps_on_disk(tmp_path) == ["1", "2"]
        is_unbroken(run(tmp_path, resume=True))

    def test_after_a_save_was_cut_off(self, run, is_unbroken, tmp_path):
        run(tmp_path, epochs=2)
        half = tmp_path / "3.orbax-checkpoint-tmp"
        shutil.copytree(tmp_path / "2" / "state", half / "state.orbax-checkpoint-tmp")
        is_unbroken(run(tmp_path, resume=True))
        assert {"3", "4"} <= set(steps_on_disk(tmp_path))

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

    def test_a_relative_directory(self, run, is_unbroken, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        run("deep/down", epochs=1)
        is_unbroken(run(Path("deep/down"), resume=True))
        assert steps_on_disk(tmp_path / "deep" / "down") == ["3", "4"]

    def test_going_back_to_the_one_before_the_newest(self, run, is_unbroken, tmp_path):
        run(tmp_path, epochs=3)
        shutil.rmtree(tmp_path / "3")  # as the sentence of an unreadable one advises
        is_unbroken(run(tmp_path, resume=True))

    @pytest.mark.parametrize("made", [True, False])
    def test_it_starts_anew_where_there_is_none(self, run, is_unbroken, tmp_path, made):
        directory = tmp_path / "new"
        if made:
            directory.mkdir()
        is_unbroken(run(directory, resume=True))

    def test_the_optimisers_memory_comes_back(self, run, two_phase, task, tmp_path):
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

    def test_a_raw_key_is_the_key_of_the_run(self, counted, tally, tmp_path):
        raw = jax.random.PRNGKey(3)
        whole = fit(counted(), tally, epochs=3, key=raw)
        fit(counted(), tally, epochs=1, key=raw, checkpoint=tmp_path)
        result = fit(counted(), tally, epochs=3, key=raw, checkpoint=tmp_path, resume=True)
        assert bits(result.train_state) == bits(whole.train_state)

    def test_the_newest_two_are_kept(self, run, tmp_path):
        run(tmp_path)
        assert steps_on_disk(tmp_path) == ["3", "4"]

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

    def test_a_directory_that_holds_a_run(self, first, task, two_phase, says):
        sentence = (
            f"{first} already holds a checkpoint, of epoch 1; pass resume=True to go on from it, "
            "or name another directory."
        )
        with says(CheckpointError, sentence):
            fit(task(), two_phase, epochs=2, key=KEY, checkpoint=first)
        assert steps_on_disk(first) == ["1"]

    def test_resume_without_a_directory(self, counted, tally, says):
        sentence = "fit: resume=True needs checkpoint=DIR, the directory to go on from."
        with says(ValueError, sentence):
            fit(counted(), tally, epochs=1, key=KEY, resume=True)

    @pytest.mark.parametrize("resume", [True, False])
    def test_a_directory_with_other_things(self, counted, tally, says, tmp_path, resume):
        (tmp_path / "thesis.txt").write_text("two years of work")
        sentence = f"{tmp_path} holds files but no bionet checkpoint; name another directory."
        with says(CheckpointError, sentence):
            fit(counted(), tally, epochs=1, key=KEY, checkpoint=tmp_path, resume=resume)
        assert steps_on_disk(tmp_path) == ["thesis.txt"]

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


@pytest.fixture
def state():
    """A small state with a leaf of every kind."""
    return TrainState(
        model={"W": jnp.linspace(-1.0, 1.0, 600).reshape(20, 30), "act": jnp.tanh},
        memory=(jnp.asarray([0.1, jnp.nan, -jnp.inf], jnp.bfloat16), jax.random.key(9)),
        step=jnp.asarray(7),
    )


@pytest.fixture
def saved(state, tmp_path):
    """A directory with that state as its only checkpoint, of epoch 3."""
    directory = tmp_path / "run"
    Checkpoints(directory).save(3, state, KEY, {"history": [{"loss": 0.5}]})
    return directory


def files(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())


class TestOnDisk:
    def test_every_bit_comes_back(self, state, saved):
        found, notes = Checkpoints(saved).restore(jax.tree.map(lambda a: a, state), KEY)
        assert bits(found) == bits(state)
        assert found.model["act"] is jnp.tanh
        assert notes == {"history": [{"loss": 0.5}]}

    @pytest.mark.parametrize(
        "leaf",
        [
            jnp.asarray(True),
            jnp.arange(3, dtype=jnp.uint8),
            jnp.asarray(2.5, jnp.float16),
            jnp.zeros((0, 3)),
            jax.random.split(jax.random.key(0), 3),
            jax.random.key(1, impl="rbg"),
            jax.random.PRNGKey(0),
        ],
        ids=["bool", "uint8", "float16", "empty", "keys", "rbg", "raw key"],
    )
    def test_any_kind_of_leaf_comes_back(self, leaf, tmp_path):
        state = TrainState({"leaf": leaf}, None, jnp.asarray(0))
        Checkpoints(tmp_path / "run").save(1, state, KEY, {"history": []})
        found, _ = Checkpoints(tmp_path / "run").restore(state, KEY)
        assert bits(found) == bits(state)

    def test_the_newest_counts_as_a_number(self, state, tmp_path):
        checkpoints = Checkpoints(tmp_path / "run")
        for epoch in (8, 9, 10):
            checkpoints.save(epoch, state, KEY, {"history": [epoch]})
        assert checkpoints.latest() == 10
        assert steps_on_disk(tmp_path / "run") == ["10", "9"]
        assert checkpoints.restore(state, KEY)[1] == {"history": [10]}

    def test_where_there_is_none(self, state, says, tmp_path):
        checkpoints = Checkpoints(tmp_path / "run")
        assert checkpoints.latest() is None
        with says(CheckpointError, f"There is no checkpoint in {tmp_path / 'run'}."):
            checkpoints.restore(state, KEY)
        assert not (tmp_path / "run").exists()

    def test_a_directory_alone_is_made_only_by_a_save(self, tmp_path):
        Checkpoints(tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.fixture
def rubbish():
    """Lets the futures that orbax forgets die within the test in which they failed."""
    yield
    gc.collect()


ORBAX_FUTURES = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@ORBAX_FUTURES
@pytest.mark.usefixtures("rubbish")
class TestDamage:
    def unreadable(self, saved):
        return re.escape(f"The checkpoint {saved / '3'} can't be read (") + r"\w+\)\. Delete that"

    @pytest.mark.parametrize("content", [b"", b"\x00\xffgarbage" * 50], ids=["empty", "garbage"])
    @pytest.mark.parametrize("part", ["about", "state"])
    def test_a_checkpoint_full_of_garbage(self, saved, state, part, content):
        for path in files(saved / "3" / part):
            path.write_bytes(content)
        with pytest.raises(CheckpointError, match=self.unreadable(saved)):
            Checkpoints(saved).restore(state, KEY)

    @pytest.mark.parametrize("part", ["about", "state"])
    def test_a_checkpoint_with_a_part_gone(self, saved, state, part):
        shutil.rmtree(saved / "3" / part)
        with pytest.raises(CheckpointError, match=self.unreadable(saved)):
            Checkpoints(saved).restore(state, KEY)

    def test_nothing_is_said_beside_the_sentence(self, saved, state, caplog, capfd, monkeypatch):
        noise = []
        monkeypatch.setattr(sys, "unraisablehook", noise.append)
        for path in (saved / "3" / "state").rglob("manifest.ocdbt"):
            path.write_bytes(b"garbage")
        for _ in range(8):  # what is left behind in other threads speaks up now and then only
            with pytest.raises(CheckpointError, match=self.unreadable(saved)):
                Checkpoints(saved).restore(state, KEY)
            gc.collect()
        assert [str(hooked.exc_value) for hooked in noise] == []
        assert [record.name for record in caplog.records] == []
        assert capfd.readouterr() == ("", "")

    def test_files_of_another_checkpoint(self, saved, state, says):
        """Each file is whole, and yet they do not belong together."""
        other = eqx.tree_at(lambda s: s.model["W"], state, 2 * state.model["W"])
        Checkpoints(saved).save(4, other, KEY, {"history": []})
        shutil.rmtree(saved / "4" / "state")
        shutil.copytree(saved / "3" / "state", saved / "4" / "state")
        with says(CheckpointError, f"The checkpoint {saved / '4'} can't be read (damaged)."):
            Checkpoints(saved).restore(state, KEY)

    def test_a_seal_that_was_never_written(self, saved, state, says):
        (saved / "3" / "sha256.json").unlink()
        sentence = (
            f"The checkpoint {saved / '3'} can't be read (unfinished). Delete that folder to go "
            "on from an earlier one."
        )
        with says(CheckpointError, sentence):
            Checkpoints(saved).restore(state, KEY)

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"about/metadata": "0"}', "null"])
    def test_a_broken_seal(self, saved, state, content):
        (saved / "3" / "sha256.json").write_text(content)
        with pytest.raises(CheckpointError, match=self.unreadable(saved)):
            Checkpoints(saved).restore(state, KEY)

    def test_any_file_cut_short_is_refused_or_does_not_matter(self, saved, state):
        refused = 0
        for path in files(saved):
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            try:
                found, _ = Checkpoints(saved).restore(state, KEY)
            except CheckpointError as error:
                assert re.match(self.unreadable(saved), str(error))
                refused += 1
            else:
                assert bits(found) == bits(state), path
            path.write_bytes(whole)
        assert refused >= 3

    def test_one_flipped_bit_is_never_taken_for_a_weight(self, saved, state):
        altered = []
        for path in files(saved / "3" / "state"):
            whole = path.read_bytes()
            for place in (len(whole) // 3, len(whole) // 2, len(whole) - 9):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
                try:
                    found, _ = Checkpoints(saved).restore(state, KEY)
                except CheckpointError:
                    continue
                if bits(found) != bits(state):
                    altered.append((path.relative_to(saved).parent.as_posix(), place))
            path.write_bytes(whole)
        assert altered == []

    @pytest.mark.parametrize("lost", ["format", "key", "leaves", "notes"])
    def test_notes_that_lack_something(self, saved, state, lost):
        path = saved / "3" / "about" / "metadata"
        about = json.loads(path.read_text())
        del about[lost]
        path.write_text(json.dumps(about))
        with pytest.raises(CheckpointError, match=re.escape(str(saved))):
            Checkpoints(saved).restore(state, KEY)

    @pytest.mark.parametrize("about", [[], "text", 3, {"format": "bionet-checkpoint-2"}])
    def test_a_format_that_is_not_ours(self, saved, state, says, about):
        (saved / "3" / "about" / "metadata").write_text(json.dumps(about))
        sentence = (
            f"{saved} holds no checkpoint in the format 'bionet-checkpoint-1'; it was not written "
            "by this bionet."
        )
        with says(CheckpointError, sentence):
            Checkpoints(saved).restore(state, KEY)

    def test_a_checkpoint_of_some_other_program_that_uses_orbax(self, state, says, tmp_path):
        import orbax.checkpoint as ocp

        with ocp.CheckpointManager(tmp_path / "run") as manager:
            manager.save(1, args=ocp.args.StandardSave({"W": jnp.ones(3)}))
        with says(CheckpointError, f"The checkpoint {tmp_path / 'run' / '1'} can't be read ("):
            Checkpoints(tmp_path / "run").restore(state, KEY)

    def test_a_folder_that_only_has_a_number_for_a_name(self, state, says, tmp_path):
        (tmp_path / "2024").mkdir()
        with says(CheckpointError, f"The checkpoint {tmp_path / '2024'} can't be read ("):
            Checkpoints(tmp_path).restore(state, KEY)

    def test_more_leaves_than_were_saved(self, saved, state, says):
        more = eqx.tree_at(lambda s: s.step, state, (state.step, jnp.ones(2)))
        with says(CheckpointError, "belongs to another model or method: it holds leaf .step int32"):
            Checkpoints(saved).restore(more, KEY)

    def test_fewer_leaves_than_were_saved(self, state, says, tmp_path):
        bare = TrainState(state.model, state.memory, None)
        Checkpoints(tmp_path).save(1, state, KEY, {"history": []})
        sentence = "belongs to another model or method: it holds 4 arrays, where this run has 3."
        with says(CheckpointError, sentence):
            Checkpoints(tmp_path).restore(bare, KEY)


class Trap:
    """Unpickling one makes a file."""

    def __init__(self, sprung):
        self.sprung = sprung

    def __reduce__(self):
        return (open, (str(self.sprung), "w"))


class TestNoCodeIsLoaded:
    FORBIDDEN = frozenset({"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "runpy"})

    def test_the_module_has_nothing_that_could_run_code(self):
        tree = ast.parse(inspect.getsource(bionet.training.checkpoints))
        words = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name)}
        words |= {name.attr for name in ast.walk(tree) if isinstance(name, ast.Attribute)}
        words |= {word.arg for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                words |= {part for name in node.names for part in name.name.split(".")}
            elif isinstance(node, ast.ImportFrom):
                words |= {*(node.module or "").split("."), *(name.name for name in node.names)}
        assert "restore" in words
        assert not words & (self.FORBIDDEN | {"eval", "exec", "compile", "allow_pickle"})

    def test_no_file_of_a_checkpoint_is_a_pickle(self, saved):
        found = files(saved)
        assert len(found) > 5
        for path in found:
            content = path.read_bytes()
            assert not (content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05"), path
            assert b"__reduce__" not in content

    def test_restoring_unpickles_nothing(self, saved, state, monkeypatch):
        def refuse(*args, **kwargs):
            raise AssertionError("something was unpickled")

        for name in ("load", "loads", "Unpickler"):
            monkeypatch.setattr(pickle, name, refuse)
        found, _ = Checkpoints(saved).restore(state, KEY)
        assert bits(found) == bits(state)

    def test_a_planted_pickle_is_never_opened(self, saved, state, tmp_path):
        sprung = tmp_path / "sprung"
        trap = pickle.dumps(Trap(sprung))
        for name in ("state.pkl", "3/state.pkl", "3/about/metadata.pkl", "3/state/d/0.pickle"):
            (saved / name).write_bytes(trap)
        found, _ = Checkpoints(saved).restore(state, KEY)
        assert bits(found) == bits(state)
        assert not sprung.exists()
        pickle.loads(trap).close()
        assert sprung.exists()  # the trap works

    @ORBAX_FUTURES
    @pytest.mark.usefixtures("rubbish")
    def test_files_that_were_swapped_for_pickles_spring_no_trap(self, saved, state, tmp_path):
        sprung = tmp_path / "sprung"
        for path in files(saved / "3"):
            path.write_bytes(pickle.dumps(Trap(sprung)))
        with pytest.raises(CheckpointError, match="can't be read"):
            Checkpoints(saved).restore(state, KEY)
        assert not sprung.exists()
