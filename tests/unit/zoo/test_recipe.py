"""What `Recipe` does for every recipe, on a toy that trains in no time."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bionet.zoo.recipe
from bionet.datasets import Split, make_prototypes
from bionet.states.sequential import SequentialState
from bionet.training.checkpoints import CheckpointError
from bionet.training.control.control import Control
from bionet.training.control.frozen import frozen_control
from bionet.training.fit import fit
from bionet.training.local.readout import FreeReadout, ReadoutHinge, accuracy
from bionet.training.objective import Objective
from bionet.workloads import Workload
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe
from bionet.zoo.registry import Registry
from bionet.zoo.result import Result
from bionet.zoo.run import split_seed
from bionet.zoo.spec import RecipeSpec

SPEC = RecipeSpec(
    id="toys-local",
    application="toys",
    method="two-phase",
    architecture="binary-rnn",
    family="local",
    summary="Noisy toys, told apart.",
    entry_point="toys:RECIPE",
    datasets=("coarse", "fine"),
)
DIM, HIDDEN, CLASSES = 5, 7, 3
made: list[str] = []  # what the workload has been asked for


@dataclass(frozen=True)
class Config:
    dataset: str = "coarse"
    flip: float = 0.1
    validation: int = 13

    def __post_init__(self):
        if self.flip >= 0.5:
            raise ValueError(f"flip needs to be below 0.5, got {self.flip}.")


def data(config, seed):
    made.append("data")
    parts = {"train": 40, "validation": config.validation, "test": 11}
    splits = make_prototypes(seed, num_classes=CLASSES, dim=DIM, flip=config.flip, **parts)
    return replace(splits, name=config.dataset)


def synthetic(config, key, batch_size):
    x, labels = jax.random.split(key)
    label = jax.random.randint(labels, (batch_size,), 0, CLASSES)
    x = jax.random.rademacher(x, (batch_size, DIM), jnp.float32)
    return x, 2.0 * jax.nn.one_hot(label, CLASSES) - 1.0


def recipe_sizes(config):
    return SequentialState((DIM, HIDDEN, CLASSES))


def baselines(config, splits) -> Mapping[str, float]:
    return {"chance": 1.0 / splits.num_classes}


@pytest.fixture(scope="module")
def build_toy(make_network):
    """Small networks; the key is what draws them."""

    def network(config, key):
        seed = int(jax.random.key_data(key)[-1]) % 1000
        return make_network(1, seed=seed, exact=False).orchestrator

    return network


@pytest.fixture(scope="module")
def shared(build_toy):
    """The toy recipe; its functions are the same for all tests, so that it compiles once."""
    loss = ReadoutHinge(1.5)
    workload = Workload(
        id="toys",
        application="toys",
        architecture="binary-rnn",
        datasets=("coarse", "fine"),
        config=Config(),
        presets={"fine": {"flip": 0.2}},
        data=data,
        build=build_toy,
        objective=lambda config: Objective(FreeReadout(recipe_sizes(config), 3), loss),
        metric=accuracy,
        synthetic=synthetic,
        baselines=baselines,
        examples=lambda config: 40,
        control=Control.frozen_dynamics(),
        state=recipe_sizes,
        settling_steps=lambda config: 3,
    )
    return Recipe(
        id="toys-local",
        workload=workload,
        method="two-phase",
        budget=Budget(batch_size=8, epochs=3),
        options={"optimizer": "sgd", "learning_rate": 0.25},
        presets={"fine": {"epochs": 2}},
    )


@pytest.fixture
def toy(shared, monkeypatch):
    monkeypatch.setattr(bionet.zoo.recipe, "REGISTRY", Registry([SPEC]))
    return shared


def told(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def leaves(model):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_array))]


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(leaves(left), leaves(right), strict=True))


COARSE = {"dataset": "coarse", "flip": 0.1, "validation": 13, "epochs": 3, "learning_rate": 0.25}


def numbers(recipe):
    """Some of a recipe's numbers, from its workload, its budget and its method."""
    return {name: getattr(recipe.config, name) for name in COARSE}


class TestConfig:
    def test_the_spec_is_its_entry_in_the_registry(self, toy):
        assert toy.spec is SPEC

    def test_defaults_then_the_preset_then_changes(self, toy):
        assert numbers(toy) == COARSE
        fine = COARSE | {"dataset": "fine", "flip": 0.2, "epochs": 2}
        assert numbers(toy.on("fine")) == fine
        assert numbers(toy.replace(dataset="fine")) == fine
        changed = toy.replace(epochs=9)
        assert numbers(changed) == COARSE | {"epochs": 9}
        # What the user said wins over a preset, whichever came first.
        for recipe in (changed.on("fine"), toy.on("fine").replace(epochs=9)):
            assert numbers(recipe) == fine | {"epochs": 9}

    def test_a_workload_gets_its_own_numbers_alone(self, toy):
        assert toy.on("fine").network_config == Config(dataset="fine", flip=0.2)

    def test_going_back_takes_the_preset_back(self, toy):
        assert numbers(toy.on("fine").on("coarse")) == COARSE

    def test_a_default_that_is_asked_for_wins_over_the_preset(self, toy):
        assert toy.replace(epochs=3).on("fine").config.epochs == 3

    def test_a_recipe_is_never_changed(self, toy):
        toy.replace(epochs=9)
        toy.on("fine")
        assert numbers(toy) == COARSE
        assert toy.changes == {}

    def test_no_data_set_means_its_own(self, toy):
        assert toy.on(None) is toy
        assert toy.on("fine").on(None).config.dataset == "fine"

    def test_an_unknown_field_is_told_the_nearest(self, toy, says):
        sentence = "In recipe 'toys-local': No field is named 'epoch'. Did you mean 'epochs'?"
        with says(ValueError, sentence):
            toy.replace(flip=0.1, epoch=3)

    @pytest.mark.parametrize("ask", ["on", "fit", "replace"])
    def test_an_unknown_data_set_is_told_the_nearest(self, toy, says, ask):
        asked = {
            "on": lambda: toy.on("coars"),
            "fit": lambda: toy.fit("coars"),
            "replace": lambda: toy.replace(dataset="coars"),
        }
        sentence = "For recipe 'toys-local': No data set is named 'coars'. Did you mean 'coarse'?"
        with says(ValueError, sentence):
            asked[ask]()

    def test_a_value_that_the_config_refuses_is_refused_at_once(self, toy, says):
        with says(ValueError, "flip needs to be below 0.5, got 0.75."):
            toy.replace(flip=0.75)


class TestBuild:
    def test_the_key_decides(self, toy):
        assert same(toy.build(), toy.build())
        assert same(toy.build(jax.random.key(4)), toy.build(jax.random.key(4)))
        assert not same(toy.build(), toy.build(jax.random.key(4)))

    def test_the_method_is_made_once_for_a_config(self, toy):
        same_numbers = toy.replace(learning_rate=0.5).replace(learning_rate=0.25)
        assert toy.build_method() is toy.build_method() is same_numbers.build_method()
        assert toy.replace(learning_rate=0.75).build_method() is not toy.build_method()

    def test_the_problem_belongs_to_the_seed(self, toy):
        first, again, other = (toy.problem(seed=seed) for seed in (0, 0, 1))
        assert same(first.model, again.model)
        assert same(first.train, again.train)
        assert not same(first.model, other.model)
        assert not same(first.train, other.train)

    def test_the_problem_has_all_its_parts(self, toy):
        problem = toy.problem()
        splits = data(toy.config, 0)
        assert np.array_equal(problem.train.examples.x, splits.train.x)
        assert np.array_equal(problem.validation.x, splits.validation.x)
        assert np.array_equal(problem.test.x, splits.test.x)
        assert np.array_equal(problem.test.y.argmax(1), splits.test.y)
        assert set(np.unique(problem.test.y)) == {-1.0, 1.0}
        assert problem.train.batch_size == 8
        assert problem.metric_name == "accuracy"

    def test_other_data_can_be_given(self, toy):
        splits = data(toy.config, 5)
        assert np.array_equal(toy.problem(0, splits).train.examples.x, splits.train.x)

    def test_synthetic_batches(self, toy):
        x, y = toy.synthetic_batch(batch_size=6)
        assert (x.shape, y.shape) == ((6, DIM), (6, CLASSES))
        assert np.array_equal(x, toy.synthetic_batch(jax.random.key(0), 6)[0])
        assert not np.array_equal(x, toy.synthetic_batch(jax.random.key(1), 6)[0])

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_batch_of_nothing_is_refused(self, toy, says, size):
        with says(ValueError, f"synthetic_batch: batch_size needs 1 or more, got {size}."):
            toy.synthetic_batch(batch_size=size)

    def test_the_loss_is_the_objective_of_its_answers(self, toy):
        model, (x, y) = toy.build(), toy.synthetic_batch(batch_size=6)
        outputs = FreeReadout(recipe_sizes(None), 3)(model, x, jax.random.key(0))
        assert float(toy.loss(model, x, y)) == pytest.approx(
            float(jnp.maximum(1.5 - y * outputs, 0).mean())
        )


@pytest.fixture(scope="module")
def run(shared):
    """One whole run of the toy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bionet.zoo.recipe, "REGISTRY", Registry([SPEC]))
        return shared.fit(seed=1, progress=False)


class TestFit:
    @pytest.mark.slow
    def test_it_says_what_was_run(self, run):
        assert isinstance(run, Result)
        assert (run.recipe, run.seed, run.stopped) == ("toys-local", 1, "epochs")
        assert len(run) == 3
        assert [row["epoch"] for row in run.history] == [1, 2, 3]
        assert list(run) == [row["loss"] for row in run.history]
        assert set(run.metrics) == {"loss", "accuracy"}
        assert run.baselines == {"chance": pytest.approx(1 / 3)}
        assert run.seconds > 0

    def test_the_data_set_is_that_of_the_config(self, toy, run):
        assert run.dataset == run.control.dataset == "coarse"

    def test_it_is_fit_on_the_problem(self, toy, run):
        problem = toy.problem(seed=1)
        key = jax.random.split(jax.random.key(1))[1]
        plain = fit(problem, toy.build_method(), epochs=3, key=key)
        assert told(plain.history) == told(run.history)
        assert plain.test == run.metrics
        assert same(plain.model, run.model)

    def test_its_control_is_the_frozen_one_of_the_same_problem(self, toy, run):
        problem = toy.problem(seed=1)
        key = jax.random.split(jax.random.key(1))[1]
        expected = frozen_control(problem, toy.state(), steps=3, key=key)
        control = run.control
        assert control.metrics == expected.test
        assert control.history[-1]["accuracy"] == expected.validation["accuracy"]
        assert control.seed == 1
        assert run.gain == run.metrics["accuracy"] - expected.test["accuracy"]
        assert f"penalty {expected.ridge:g} chosen on validation data" in run.details["control"]
        words = {"dynamics": "with its dynamics", "feed-forward": "without recurrence"}
        assert words[expected.hidden] in run.details["control"]

    def test_the_test_labels_are_looked_at_only_at_the_end(self, toy, run, monkeypatch):
        def poisoned(config, seed):
            splits = data(config, seed)
            turned = Split(splits.test.x, (splits.test.y + 1) % CLASSES)
            return replace(splits, test=turned)

        swapped = replace(toy, workload=replace(toy.workload, data=poisoned))
        found = swapped.fit(seed=1, progress=False)
        assert told(found.history) == told(run.history)
        assert same(found.model, run.model)
        assert found.details == run.details
        assert same(found.control.model, run.control.model)
        assert found.metrics != run.metrics

    def test_one_seed_gives_one_run_and_another_another(self, toy, run):
        again, other = (toy.fit(seed=seed, progress=False) for seed in (1, 2))
        assert list(again) == list(run) != list(other)
        assert again.metrics == run.metrics

    def test_epochs_can_be_given(self, toy):
        assert len(toy.fit(epochs=1, progress=False)) == 1

    def test_no_epochs_measure_the_untrained_network(self, toy):
        result = toy.fit(epochs=0, progress=False)
        assert len(result) == 0
        assert same(result.model, toy.problem(0).model)
        assert set(result.metrics) == {"loss", "accuracy"}

    def test_a_negative_number_of_epochs_is_refused(self, toy, says):
        with says(ValueError, "fit: epochs needs 0 or more, got -1."):
            toy.fit(epochs=-1)

    def test_another_data_set_brings_its_preset(self, toy):
        result = toy.fit("fine", progress=False)
        assert len(result) == 2
        assert result.control.dataset == result.dataset == "fine"

    def test_callbacks_and_patience_are_handed_on(self, toy):
        seen = []
        result = toy.fit(
            epochs=3, callbacks=[seen.append, lambda event: event.epoch == 2], progress=False
        )
        assert [event.epoch for event in seen] == [1, 2]
        assert (result.stopped, len(result)) == ("callback", 2)
        with pytest.raises(ValueError, match="patience needs 1 epoch or more"):
            toy.fit(patience=0)

    def test_progress_is_shown_only_if_asked_for(self, toy, capfd):
        toy.fit(epochs=1)
        assert capfd.readouterr() == ("", "")
        toy.fit(epochs=1, progress=True)
        assert "1/1" in capfd.readouterr().err

    def test_without_validation_data_it_says_so_before_it_trains(self, toy, says):
        seen = []
        sentence = (
            "Recipe 'toys-local' needs a validation split, which its control is tuned on and its "
            "curve is drawn from. Hold some of the training data out."
        )
        with says(ValueError, sentence):
            toy.replace(validation=0).fit(callbacks=[seen.append], progress=False)
        assert seen == []

    def test_it_goes_on_where_it_was_cut_off(self, toy, run, tmp_path):
        def cut(event):
            if event.epoch == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            toy.fit(seed=1, checkpoint=tmp_path, callbacks=[cut], progress=False)
        resumed = toy.fit(seed=1, checkpoint=tmp_path, resume=True, progress=False)
        assert told(resumed.history) == told(run.history)
        assert resumed.metrics == run.metrics
        assert resumed.control.metrics == run.control.metrics
        assert same(resumed.model, run.model)

    def test_a_checkpoint_of_another_seed_or_of_this_run_is_refused(self, toy, tmp_path):
        toy.fit(seed=1, epochs=1, checkpoint=tmp_path, progress=False)
        with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path} already holds")):
            toy.fit(seed=1, checkpoint=tmp_path, progress=False)
        with pytest.raises(CheckpointError, match="made with another seed"):
            toy.fit(seed=2, checkpoint=tmp_path, resume=True, progress=False)

    def test_another_setting_is_refused_by_name(self, toy, tmp_path):
        toy.fit(epochs=1, checkpoint=tmp_path, progress=False)
        for fields, differs in (
            ({"flip": 0.2}, "`flip` of the settings was 0.1 and is 0.2 here"),
            ({"learning_rate": 0.5}, "`learning_rate` of the settings was 0.25 and is 0.5 here"),
        ):
            with pytest.raises(CheckpointError, match=re.escape(differs)):
                toy.replace(**fields).fit(checkpoint=tmp_path, resume=True, progress=False)

    def test_fewer_epochs_than_were_run_are_refused(self, toy, tmp_path):
        toy.fit(epochs=2, checkpoint=tmp_path, progress=False)
        with pytest.raises(CheckpointError, match="has 2 epochs behind it, and epochs=1 asks"):
            toy.fit(epochs=1, checkpoint=tmp_path, resume=True, progress=False)

    @pytest.mark.slow
    def test_a_longer_run_keeps_its_schedule_and_says_so(self, scheduled, tmp_path):
        """A schedule of its new length would start again high up: neither the one nor the other."""
        scheduled.fit(epochs=1, checkpoint=tmp_path, progress=False)
        longer = scheduled.fit(epochs=3, checkpoint=tmp_path, resume=True, progress=False)
        problem, plan = scheduled.problem(0), scheduled.replace(epochs=1).build_method()
        key = jax.random.split(jax.random.key(0))[1]
        assert told(longer.history) == told(fit(problem, plan, epochs=3, key=key).history)
        note = (
            "The schedule of learning rates was planned for 1 epoch: epochs 2 to 3 ran at its "
            "last value. A run that is planned for 3 epochs from its beginning may come out "
            "otherwise."
        )
        assert longer.details["notes"] == [note]
        assert note in longer._caption().splitlines()

    @pytest.mark.slow
    def test_a_run_cut_short_of_its_schedule_says_so(self, scheduled, tmp_path):
        def cut(event):
            return event.epoch == 1

        scheduled.fit(checkpoint=tmp_path, callbacks=[cut], progress=False)
        ended = scheduled.fit(epochs=2, checkpoint=tmp_path, resume=True, progress=False)
        (note,) = ended.details["notes"]
        assert "planned for 3 epochs: the run ended after 2, before the schedule did." in note

    def test_a_longer_run_without_a_schedule_has_nothing_to_say(self, toy, tmp_path):
        toy.fit(epochs=1, checkpoint=tmp_path, progress=False)
        longer = toy.fit(epochs=2, checkpoint=tmp_path, resume=True, progress=False)
        whole = toy.fit(epochs=2, progress=False)
        assert told(longer.history) == told(whole.history)
        assert "notes" not in longer.details

    def test_it_becomes_json(self, run):
        assert json.loads(json.dumps(run.to_dict()))["control"]["metrics"] == run.control.metrics


@pytest.fixture
def scheduled(toy):
    """The toy with a rate that falls over the epochs of its budget."""
    return replace(toy, options={**toy.options, "schedule": "cosine"})


class TestDemo:
    def test_it_prints_its_table(self, toy, capfd):
        result = toy.demo(1)
        out, err = capfd.readouterr()
        assert err == ""
        assert len(result) == 1
        assert "toys-local on coarse, seed 0" in " ".join(out.split())
        assert "test, last epoch" in out

    def test_it_is_the_run_of_its_seed(self, toy, run):
        assert list(toy.demo(seed=1, progress=False)) == list(run)

    def test_a_brief_demo_says_what_it_leaves_out(self, toy, capfd):
        brief = replace(toy, brief={"epochs": 1})
        assert len(brief.demo()) == 1
        whole = toy.config.epochs
        told = f"A brief demo: 1 epochs of {whole}. `bionet run` takes them all."
        assert told in " ".join(capfd.readouterr().out.split())

    def test_a_user_who_asks_for_more_gets_it(self, toy, capfd):
        brief = replace(toy, brief={"epochs": 1})
        assert len(brief.demo(2)) == len(brief.replace(epochs=2).demo()) == 2
        assert "A brief demo" not in capfd.readouterr().out

    def test_no_steps_print_the_untrained_network(self, toy, capfd):
        assert len(toy.demo(0)) == 0
        assert "validation, epoch" not in capfd.readouterr().out

    @pytest.mark.parametrize("steps", [-1, -100])
    def test_a_negative_number_of_steps_is_refused_before_anything_is_done(self, toy, says, steps):
        made.clear()
        with says(ValueError, f"demo of 'toys-local': steps needs 0 or more, got {steps}."):
            toy.demo(steps)
        assert made == []


def test_a_seed_has_a_key_for_the_weights_and_another_for_training(toy):
    weights, training = split_seed(3)
    expected = jax.random.split(jax.random.key(3))
    assert jax.random.key_data(weights).tolist() == jax.random.key_data(expected[0]).tolist()
    assert jax.random.key_data(training).tolist() == jax.random.key_data(expected[1]).tolist()
    assert same(toy.problem(3).model, toy.build(weights))
