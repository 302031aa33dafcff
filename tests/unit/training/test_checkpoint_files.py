"""Checkpoints on disk: every bit comes back, damage is told in one sentence, no code is run."""

import ast
import gc
import inspect
import json
import pickle
import re
import shutil
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import bionet.training.checkpoints
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.method import TrainState

KEY = jax.random.key(5)


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
    def test_every_bit_comes_back(self, state, saved, bits):
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
    def test_any_kind_of_leaf_comes_back(self, leaf, tmp_path, bits):
        state = TrainState({"leaf": leaf}, None, jnp.asarray(0))
        Checkpoints(tmp_path / "run").save(1, state, KEY, {"history": []})
        found, _ = Checkpoints(tmp_path / "run").restore(state, KEY)
        assert bits(found) == bits(state)

    def test_the_newest_counts_as_a_number(self, state, tmp_path, on_disk):
        checkpoints = Checkpoints(tmp_path / "run")
        for epoch in (8, 9, 10):
            checkpoints.save(epoch, state, KEY, {"history": [epoch]})
        assert checkpoints.latest() == 10
        assert on_disk(tmp_path / "run") == ["10", "9"]
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
    gc.freeze()  # what was there before need not be looked through
    yield
    gc.collect()
    gc.unfreeze()


class TestCutOff:
    """A process was killed between the commit of the arrays and the seal on them."""

    def cut(self, saved, state, epoch):
        Checkpoints(saved).save(epoch, state, KEY, {"history": [epoch]})
        (saved / str(epoch) / "sha256.json").unlink()

    def test_the_newest_sealed_one_is_taken(self, saved, state):
        self.cut(saved, state, 4)
        checkpoints = Checkpoints(saved)
        assert (checkpoints.latest(), checkpoints.cut_off()) == (3, [4])
        assert checkpoints.restore(state, KEY)[1] == {"history": [{"loss": 0.5}]}
        assert checkpoints.notes() == {"history": [{"loss": 0.5}]}

    def test_its_epoch_is_saved_again(self, saved, state, on_disk):
        self.cut(saved, state, 4)
        checkpoints = Checkpoints(saved)
        checkpoints.save(4, state, KEY, {"history": ["again"]})
        assert on_disk(saved) == ["3", "4"]
        assert (checkpoints.latest(), checkpoints.cut_off()) == (4, [])
        assert checkpoints.restore(state, KEY)[1] == {"history": ["again"]}

    def test_where_none_is_sealed_there_is_none(self, saved, state, says):
        (saved / "3" / "sha256.json").unlink()
        assert (Checkpoints(saved).latest(), Checkpoints(saved).cut_off()) == (None, [3])
        with says(CheckpointError, f"There is no checkpoint in {saved}."):
            Checkpoints(saved).restore(state, KEY)

    def test_reading_removes_nothing(self, saved, state):
        self.cut(saved, state, 4)
        before = files(saved)
        Checkpoints(saved).restore(state, KEY)
        assert files(saved) == before

    @pytest.mark.parametrize("moment", ["before the seal", "in the seal"])
    def test_whole_ones_stay_until_the_next_is_sealed(self, saved, state, monkeypatch, moment):
        """Orbax' own limit would remove one of the two before there is a seal on the third."""
        Checkpoints(saved).save(4, state, KEY, {"history": []})

        def killed(path, value):
            if moment == "in the seal":
                (path.parent / ".sha256.77.json").write_text("{")
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(bionet.training.checkpoints, "write_json", killed)
            with pytest.raises(KeyboardInterrupt):
                Checkpoints(saved).save(5, state, KEY, {"history": []})
        sealed = [path.parent.name for path in saved.glob("*/sha256.json")]
        assert sorted(sealed) == ["3", "4"]
        assert Checkpoints(saved).latest() == 4

    def test_what_earlier_saves_have_left_is_cleared_by_the_next(self, saved, state, on_disk):
        (saved / "4.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
        assert Checkpoints(saved).latest() == 3
        Checkpoints(saved).save(4, state, KEY, {"history": []})
        assert on_disk(saved) == ["3", "4"]

    def test_a_damaged_one_is_an_error_also_where_there_is_an_earlier_one(self, saved, state, says):
        Checkpoints(saved).save(4, state, KEY, {"history": []})
        next(path for path in files(saved / "4" / "state") if path.stat().st_size).write_text("{}")
        with says(CheckpointError, f"The checkpoint {saved / '4'} can't be read ("):
            Checkpoints(saved).restore(state, KEY)

    def test_a_folder_of_somebody_elses_is_never_removed(self, saved, state, says):
        (saved / "2024").mkdir()
        (saved / "2024" / "photo.jpg").touch()
        with says(CheckpointError, f"The checkpoint {saved / '2024'} can't be read ("):
            Checkpoints(saved).save(4, state, KEY, {"history": []})
        assert (saved / "2024" / "photo.jpg").exists()


class TestDirectory:
    CLUTTER = (".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep", "._1", ".nfs0001")

    @pytest.mark.parametrize("name", CLUTTER)
    def test_what_a_system_leaves_does_not_count(self, state, tmp_path, name):
        (tmp_path / name).touch()
        checkpoints = Checkpoints(tmp_path)
        assert checkpoints.latest() is None
        checkpoints.save(1, state, KEY, {"history": []})
        assert checkpoints.latest() == 1
        assert (tmp_path / name).exists()

    def test_home_is_expanded(self, state, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert Checkpoints("~/run").directory == tmp_path / "run"

    def test_one_that_can_not_be_made_is_told(self, tmp_path, says):
        (tmp_path / "file").touch()
        where = tmp_path / "file" / "run"
        sentence = (
            f"Checkpoints can't be kept in {where} (Not a directory). Name a directory that can be "
            "made and written."
        )
        with says(CheckpointError, sentence):
            Checkpoints(where).check_writable()

    def test_the_check_leaves_an_empty_directory(self, tmp_path, on_disk):
        Checkpoints(tmp_path / "a" / "b").check_writable()
        assert on_disk(tmp_path / "a" / "b") == []

    def test_another_generator_is_refused(self, state, tmp_path, says):
        """Keys of `rbg` and `unsafe_rbg` are the same numbers, and draw others."""
        rbg, unsafe = (jax.random.key(5, impl=name) for name in ("rbg", "unsafe_rbg"))
        Checkpoints(tmp_path / "run").save(1, state, rbg, {"history": []})
        sentence = (
            f"The checkpoint in {tmp_path / 'run'} was made with the generator 'rbg', and the key "
            "of this run is one of 'unsafe_rbg'; resume it with a key of that generator."
        )
        with says(CheckpointError, sentence):
            Checkpoints(tmp_path / "run").restore(state, unsafe)


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

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"about/metadata": "0"}', "null"])
    def test_a_broken_seal(self, saved, state, content):
        (saved / "3" / "sha256.json").write_text(content)
        with pytest.raises(CheckpointError, match=self.unreadable(saved)):
            Checkpoints(saved).restore(state, KEY)

    def test_any_file_cut_short_is_refused_or_does_not_matter(self, saved, state, bits):
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

    def test_one_flipped_bit_is_never_taken_for_a_weight(self, saved, state, bits):
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

    def test_restoring_unpickles_nothing(self, saved, state, monkeypatch, bits):
        def refuse(*args, **kwargs):
            raise AssertionError("something was unpickled")

        for name in ("load", "loads", "Unpickler"):
            monkeypatch.setattr(pickle, name, refuse)
        found, _ = Checkpoints(saved).restore(state, KEY)
        assert bits(found) == bits(state)

    def test_a_planted_pickle_is_never_opened(self, saved, state, tmp_path, bits):
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
