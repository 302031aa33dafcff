"""A checkpoint goes on with the run that it came from, and with no other one."""

import json
import re
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

from bionet.training.batches import ArrayBatches, Examples, GeneratedBatches
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.first_order.gradient import Gradient
from bionet.training.fit import fit
from bionet.training.objective import Objective
from bionet.training.run import fingerprint as module
from bionet.training.run.devices import ShardedBatches, batch_mesh
from bionet.training.run.fingerprint import difference, fingerprint, versions_told

KEY = jax.random.key(5)


@pytest.fixture(scope="module")
def problem(mlp_problem):
    return mlp_problem(n=32)


def descent(problem, optimizer):
    return Gradient(Objective.of(problem), optimizer)


@pytest.fixture(scope="module")
def first(problem, tmp_path_factory):
    """A run of two epochs, in its directory."""
    directory = tmp_path_factory.mktemp("run")
    method = descent(problem, optax.sgd(0.1))
    fit(problem, method, epochs=2, key=KEY, checkpoint=directory)
    return directory


def refused(directory, problem, method, sentence, *, key=KEY, epochs=3):
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        fit(problem, method, epochs=epochs, key=key, checkpoint=directory, resume=True)


class TestRefusals:
    @pytest.mark.slow
    def test_another_learning_rate(self, first, problem):
        sentence = (
            f"The checkpoint in {first} belongs to another run: "
            "`optimizer.update.update_fns[1].tx.update.step_size` of the method was -0.1 and is "
            "-0.05 here. Resume it with what it was made with, or name another directory for a "
            "new run."
        )
        refused(first, problem, descent(problem, optax.sgd(0.05)), sentence)

    @pytest.mark.slow
    def test_another_schedule_of_rates(self, first, problem, tmp_path):
        made = [descent(problem, optax.sgd(optax.cosine_decay_schedule(0.1, n))) for n in (10, 20)]
        fit(problem, made[0], epochs=1, key=KEY, checkpoint=tmp_path)
        sentence = "step_size_fn.learning_rate.decay_steps` of the method was 10 and is 20 here."
        refused(tmp_path, problem, made[1], sentence)

    def test_another_leaf_of_the_method(self, first, problem):
        method = descent(problem, optax.sgd(0.1))
        steeper = eqx.tree_at(lambda m: m.gain, method, jnp.asarray(2.0))
        sentence = "`gain` of the method was float32 1.0 and is float32 2.0 here."
        refused(first, problem, steeper, sentence)

    def test_another_loss(self, first, problem):
        other = replace(problem, loss=lambda outputs, y: jnp.mean(jnp.abs(outputs - y)))
        refused(first, other, descent(other, optax.sgd(0.1)), "`objective.loss` of the method was ")

    @pytest.mark.slow
    @pytest.mark.parametrize("split", ["train", "validation", "test"])
    def test_other_data(self, first, problem, split):
        examples = problem.train.examples if split == "train" else getattr(problem, split)
        examples = Examples(examples.x.at[3, 1].multiply(-1), examples.y)
        part = ArrayBatches(examples, 16) if split == "train" else examples
        name = "train.examples.x" if split == "train" else f"{split}.x"
        other = replace(problem, **{split: part})
        sentence = f"`{name}` of the data was float32"
        refused(first, other, descent(other, optax.sgd(0.1)), sentence)

    def test_another_batch_size(self, first, problem):
        other = replace(problem, train=ArrayBatches(problem.train.examples, 8))
        sentence = "`train.num_batches` of the data was 2 and is 4 here (and 1 more)."
        refused(first, other, descent(other, optax.sgd(0.1)), sentence)

    def test_no_test_split_any_more(self, first, problem):
        other = replace(problem, test=None)
        refused(first, other, descent(other, optax.sgd(0.1)), "` of the data was ")

    def test_another_activation(self, first, problem):
        model = eqx.nn.MLP(2, 1, 16, 1, activation=jnp.tanh, key=jax.random.key(0))
        other = replace(problem, model=model)
        refused(first, other, descent(other, optax.sgd(0.1)), "` of the model was ")

    def test_another_setting(self, first, problem, tmp_path):
        method = descent(problem, optax.sgd(0.1))
        one, another = (replace(problem, settings={"flip": flip}) for flip in (0.1, 0.2))
        fit(one, method, epochs=1, key=KEY, checkpoint=tmp_path)
        refused(tmp_path, another, method, "`flip` of the settings was 0.1 and is 0.2 here.")

    def test_fewer_epochs_than_it_has(self, first, problem):
        sentence = (
            f"The checkpoint in {first} has 2 epochs behind it, and epochs=1 asks for fewer; "
            "epochs counts from the beginning. Ask for as many at least, or name another directory."
        )
        refused(first, problem, descent(problem, optax.sgd(0.1)), sentence, epochs=1)

    @pytest.mark.slow
    def test_other_generated_batches(self, problem, tmp_path):
        def batches(low):
            def make(key):
                x = jax.random.uniform(key, (4, 2), minval=low)
                return x, jnp.ones((4, 1))

            return replace(problem, train=GeneratedBatches(make, 2))

        method = descent(problem, optax.sgd(0.1))
        fit(batches(0.0), method, epochs=1, key=KEY, checkpoint=tmp_path)
        sentence = "`train.make.low` of the data was 0 and is 0.5 here."
        refused(tmp_path, batches(0.5), method, sentence)
        again = fit(batches(0.0), method, epochs=2, key=KEY, checkpoint=tmp_path, resume=True)
        assert len(again.history) == 2

    @pytest.mark.parametrize("directory", ["file/run", "file"])
    def test_a_directory_that_can_not_be_kept_is_told_before_training(
        self, problem, tmp_path, directory
    ):
        (tmp_path / "file").touch()
        told = []
        with pytest.raises(CheckpointError, match=re.escape(str(tmp_path / directory))):
            fit(
                problem, descent(problem, optax.sgd(0.1)), epochs=1, key=KEY,
                checkpoint=tmp_path / directory, callbacks=[told.append],
            )  # fmt: skip
        assert told == []


class TestSameRun:
    def test_made_anew_it_goes_on(self, mlp_problem, first, tmp_path):
        """New functions, new arrays, a longer run: the same run all the same."""
        import shutil

        shutil.copytree(first, tmp_path / "run")
        again = mlp_problem(n=32)
        method = descent(again, optax.sgd(0.1))
        result = fit(again, method, epochs=3, key=KEY, checkpoint=tmp_path / "run", resume=True)
        assert (len(result.history), result.notes) == (3, ())

    def test_the_plan_of_the_first_part_is_kept(self, problem, tmp_path):
        method = descent(problem, optax.sgd(0.1))
        for epochs in (1, 2):
            fit(problem, method, epochs=epochs, key=KEY, checkpoint=tmp_path, resume=True)
        assert Checkpoints(tmp_path).notes()["planned"] == 1

    def test_a_raw_key_and_a_new_one_are_of_one_generator(self, problem):
        method = descent(problem, optax.sgd(0.1))
        raw, new = (
            fingerprint(problem, method, make(3)) for make in (jax.random.PRNGKey, jax.random.key)
        )
        assert raw == new

    def test_the_devices_of_a_run_are_not_in_it(self, problem):
        method = descent(problem, optax.sgd(0.1))
        shared = replace(problem, train=ShardedBatches(problem.train, batch_mesh()))
        assert fingerprint(shared, method, KEY) == fingerprint(problem, method, KEY)

    def test_it_is_json(self, problem):
        found = fingerprint(problem, descent(problem, optax.adam(1e-3)), KEY)
        assert json.loads(json.dumps(found)) == found

    def test_a_checkpoint_from_before_fingerprints_goes_on_and_says_so(self, problem, tmp_path):
        method = descent(problem, optax.sgd(0.1))
        done = fit(problem, method, epochs=1, key=KEY)
        notes = {"history": list(done.history)}
        Checkpoints(tmp_path).save(1, done.train_state, KEY, notes)
        result = fit(problem, method, epochs=2, key=KEY, checkpoint=tmp_path, resume=True)
        assert len(result.history) == 2
        assert result.notes == (
            f"The checkpoint in {tmp_path} was written before checkpoints had a fingerprint: "
            "nothing could be compared but the arrays and the seed.",
        )


class TestVersions:
    def test_other_versions_are_told_and_not_refused(self, problem, tmp_path, monkeypatch):
        method = descent(problem, optax.sgd(0.1))
        with monkeypatch.context() as patch:
            patch.setattr(module, "version", lambda package: "0.0.1")
            fit(problem, method, epochs=1, key=KEY, checkpoint=tmp_path)
        result = fit(problem, method, epochs=2, key=KEY, checkpoint=tmp_path, resume=True)
        (note,) = result.notes
        assert note.startswith("The run began with bionet 0.0.1 (now ")
        assert note.endswith("it went on, but maybe not bit for bit.")

    def test_code_and_what_only_one_has_are_not_compared_between_versions(self):
        then = {"method": {"optimizer()": "sha256:1", "optimizer.old": "1", "optimizer.rate": "2"}}
        here = {part: {} for part in ("settings", "data", "model", "objective", "generator")}
        here["method"] = {"optimizer()": "sha256:9", "optimizer.rate": "2"}
        assert difference(then, here, same_versions=False) is None
        assert difference(then, here, same_versions=True) is not None
        here["method"] = {"optimizer.rate": "3"}
        told = "`optimizer.rate` of the method was 2 and is 3 here"
        assert difference(then, here, same_versions=False) == told

    def test_the_same_versions_say_nothing(self):
        assert versions_told({"jax": "1"}, {"jax": "1"}) is None
