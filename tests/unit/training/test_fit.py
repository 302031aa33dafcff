"""The training loop: what it compiles, what it counts, when it ends, and what it tells."""

import math
from collections import Counter
from dataclasses import replace
from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training.batches import (
    AbstractBatches,
    ArrayBatches,
    Examples,
    GeneratedBatches,
    StackedBatches,
)
from bionet.training.epoch import run_epoch
from bionet.training.evaluate import evaluate
from bionet.training.fit import fit
from bionet.training.method import AbstractMethod, MethodSpec, TrainState

KEY = jax.random.key(0)
passes: Counter[str] = Counter()


@final
class Noted(AbstractBatches):
    """Other batches; notes each time that Python runs through them."""

    inner: ArrayBatches
    num_batches: int = eqx.field(static=True)

    def __init__(self, inner):
        self.inner, self.num_batches = inner, inner.num_batches

    def plan(self, key):
        passes["plan"] += 1
        return self.inner.plan(key)

    def batch(self, plan, index):
        passes["batch"] += 1
        return self.inner.batch(plan, index)


class TestCompilation:
    def test_python_runs_through_an_epoch_once_in_a_whole_run(self, mlp_problem, sgd):
        problem = mlp_problem(n=160)
        problem = replace(problem, train=Noted(problem.train))
        method = sgd(0.1, "once in a run")
        passes.clear()
        after_each = []

        def look(event):
            steps = method.traces[method.name]
            after_each.append((steps, passes["plan"], passes["batch"]))

        fit(problem, method, epochs=3, key=KEY, callbacks=[look])
        assert after_each[0] == after_each[1] == after_each[2]
        assert all(1 <= count <= 2 for count in after_each[0])  # of an epoch with ten steps

    def test_nothing_is_traced_again_for_other_values(self, mlp_problem, sgd):
        fit(mlp_problem(), sgd(0.1), epochs=1, key=KEY)
        first = sgd.traces["shared"]
        assert first >= 1
        fit(mlp_problem(), sgd(0.1), epochs=2, key=jax.random.key(7))
        fit(mlp_problem(seed=1), sgd(0.025), epochs=1, key=KEY)
        assert sgd.traces["shared"] == first


class TestAnyModel:
    def test_a_perceptron_that_is_no_bionet_module_learns(self, mlp_problem, sgd):
        problem = mlp_problem()
        untrained = fit(problem, sgd(0.5), epochs=0, key=KEY)
        trained = fit(problem, sgd(0.5), epochs=150, key=KEY)
        assert trained.test["accuracy"] == 1.0 > untrained.test["accuracy"] + 0.2
        assert trained.test["loss"] < 0.2 * untrained.test["loss"]
        assert trained.history[-1]["error"] < 0.2 * trained.history[0]["error"]

    def test_all_its_inexact_arrays_learn(self, mlp_problem, sgd):
        problem = mlp_problem()
        model = fit(problem, sgd(0.5), epochs=1, key=KEY).model
        before, after = (
            jax.tree.leaves(eqx.filter(m, eqx.is_array)) for m in (problem.model, model)
        )
        assert len(before) == 4
        assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))

    def test_the_model_that_came_is_left_as_it_was(self, mlp_problem, sgd):
        problem = mlp_problem()
        fit(problem, sgd(0.5), epochs=1, key=KEY)
        again = mlp_problem().model
        for kept, fresh in zip(jax.tree.leaves(problem.model), jax.tree.leaves(again), strict=True):
            assert not eqx.is_array(kept) or np.array_equal(kept, fresh)


class TestExamples:
    @pytest.mark.slow
    def test_each_example_comes_once_per_epoch(self, counted, tally):
        result = fit(counted(n=12, batch_size=4), tally, epochs=3, key=KEY)
        assert result.model["seen"].tolist() == [3] * 12
        assert int(result.train_state.step) == 9

    @pytest.mark.slow
    def test_the_remainder_waits_and_takes_its_turn_in_other_epochs(self, counted, tally):
        problem = counted(n=11, batch_size=4)
        once = fit(problem, tally, epochs=1, key=KEY).model["seen"]
        assert Counter(once.tolist()) == {1: 8, 0: 3}
        often = fit(problem, tally, epochs=20, key=KEY).model["seen"]
        assert int(often.sum()) == 160
        assert int(often.min()) >= 5

    def test_each_epoch_and_each_key_has_an_order_of_its_own(self, counted, tally):
        problem = counted(n=11, batch_size=8)  # the mean number tells which eight came
        means = [
            [row["mean number"] for row in fit(problem, tally, epochs=6, key=key).history]
            for key in (KEY, KEY, jax.random.key(1))
        ]
        assert means[0] == means[1] != means[2]
        assert len(set(means[0])) > 1

    def test_a_raw_key_will_do(self, counted, tally):
        result = fit(counted(), tally, epochs=1, key=jax.random.PRNGKey(0))
        assert int(result.model["seen"].sum()) == 8

    def test_batches_that_are_generated(self, counted, tally):
        def make(key):
            return jax.random.randint(key, (4,), 0, 10), jnp.zeros(4)

        problem = replace(counted(), train=GeneratedBatches(make=make, num_batches=30))
        first, other = (fit(problem, tally, epochs=2, key=jax.random.key(seed)) for seed in (0, 1))
        assert int(first.train_state.step) == 60
        assert int(first.model["seen"].sum()) == 240
        assert int(first.model["seen"].min()) > 0
        assert first.history[0]["mean number"] != first.history[1]["mean number"]
        assert first.model["seen"].tolist() != other.model["seen"].tolist()

    def test_batches_of_somebody_elses_loader(self, counted, tally):
        loader = ((np.arange(i, i + 2), np.zeros(2)) for i in range(0, 10, 2))
        problem = replace(counted(), train=StackedBatches.from_iterable(loader))
        result = fit(problem, tally, epochs=3, key=KEY)
        assert result.model["seen"].tolist() == [3] * 10
        assert int(result.train_state.step) == 15

    def test_nan_that_gets_past_the_examples_stops_a_binary_network(self, task, two_phase, says):
        problem = task()
        x = problem.train.examples.x.at[21, 3].set(jnp.nan)  # past the check of the examples
        spoiled = eqx.tree_at(lambda batches: batches.examples.x, problem.train, x)
        with says(RuntimeError, "state.init: x holds NaN or infinity; clean the data"):
            fit(replace(problem, train=spoiled), two_phase, epochs=1, key=KEY)


class TestHistory:
    def test_a_row_per_epoch(self, mlp_problem, sgd):
        result = fit(mlp_problem(), sgd(0.5), epochs=3, key=KEY)
        assert [row["epoch"] for row in result.history] == [1, 2, 3]
        for row in result.history:
            assert list(row) == ["epoch", "error", "loss", "accuracy", "seconds"]
            assert all(type(value) in (int, float) for value in row.values())
            assert row["seconds"] > 0
        assert result.stopped == "epochs"
        assert result.seconds >= sum(row["seconds"] for row in result.history)

    def test_the_methods_own_metrics_are_means_over_the_epoch(self, counted, tally):
        problem = counted(n=12, batch_size=3, shuffle=False)
        (row,) = fit(problem, tally, epochs=1, key=KEY).history
        assert row["mean number"] == pytest.approx(np.mean([1, 4, 7, 10]))

    def test_held_out_numbers_are_those_of_the_model_after_the_epoch(self, mlp_problem, sgd):
        problem = mlp_problem()
        result = fit(problem, sgd(0.5), epochs=2, key=KEY)
        expected = evaluate(problem, result.model, problem.validation, KEY)
        assert {name: result.history[-1][name] for name in expected} == expected
        assert result.test == evaluate(problem, result.model, problem.test, KEY)

    def test_without_held_out_data_there_are_no_held_out_numbers(self, mlp_problem, sgd):
        problem = replace(mlp_problem(), validation=None, test=None)
        result = fit(problem, sgd(0.5), epochs=1, key=KEY)
        assert list(result.history[0]) == ["epoch", "error", "seconds"]
        assert result.test == {}

    def test_the_metric_goes_by_the_problems_word(self, counted, tally):
        problem = replace(counted(scores=(0.0, 0.25)), metric_name="reward")
        assert fit(problem, tally, epochs=1, key=KEY).history[0]["reward"] == 0.25

    def test_no_epochs_judge_the_untrained_model(self, mlp_problem, sgd):
        problem = mlp_problem()
        result = fit(problem, sgd(0.5), epochs=0, key=KEY)
        assert (result.history, result.stopped) == ((), "epochs")
        assert result.test == evaluate(problem, problem.model, problem.test, KEY)
        assert int(result.train_state.step) == 0

    def test_the_model_is_what_the_method_hands_over(self, counted, tally):
        result = fit(counted(scores=(0.0, 1.0)), tally, epochs=1, key=KEY)
        assert bool(result.model["finished"])
        assert "finished" not in result.train_state.model

    @pytest.mark.parametrize("epochs", [-1, -10])
    def test_a_negative_number_of_epochs_is_refused(self, counted, tally, says, epochs):
        with says(ValueError, f"fit: epochs needs 0 or more, got {epochs}."):
            fit(counted(), tally, epochs=epochs, key=KEY)


class TestPatience:
    # Score 0 is the untrained model's; with one batch per epoch, score k is that of epoch k.
    SCORES = (0.9, 0.5, 0.6, 0.55, 0.6, 0.58, 0.99)

    @pytest.mark.slow
    @pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (3, 5), (4, 6), (6, 6)])
    def test_it_ends_when_the_metric_has_not_risen_for_so_long(
        self, counted, tally, patience, epochs
    ):
        problem = counted(n=4, batch_size=4, scores=self.SCORES)
        result = fit(problem, tally, epochs=6, key=KEY, patience=patience)
        assert len(result.history) == epochs
        assert result.stopped == ("epochs" if epochs == 6 else "patience")
        assert int(result.model["steps"]) == epochs  # the last model, not that of epoch 2

    def test_it_looks_at_the_metric_and_not_at_the_loss(self, counted, tally):
        problem = counted(n=4, batch_size=4, scores=self.SCORES)
        problem = replace(problem, loss=lambda outputs, y: 10.0 - outputs[0])  # falls for ever
        assert fit(problem, tally, epochs=6, key=KEY, patience=1).stopped == "patience"

    def test_it_needs_a_validation_split(self, counted, tally, says):
        sentence = (
            "fit: patience needs a validation split to watch, but the problem has none; "
            "the test split is never used for it."
        )
        problem = replace(counted(), test=Examples(jnp.zeros(2), jnp.zeros(2)))
        with says(ValueError, sentence):
            fit(problem, tally, epochs=2, key=KEY, patience=1)

    @pytest.mark.parametrize("patience", [0, -1])
    def test_it_is_one_epoch_at_least(self, counted, tally, says, patience):
        with says(ValueError, f"fit: patience needs 1 epoch or more, got {patience}."):
            fit(counted(scores=(0.0,) * 9), tally, epochs=2, key=KEY, patience=patience)


class TestCallbacks:
    def test_they_are_told_of_each_epoch(self, counted, tally):
        told, steps = [], []
        problem = counted(n=4, batch_size=4, scores=(0.0, 0.25, 0.5))

        def count(event):
            told.append(event)
            steps.append(int(event.train_state.step))

        result = fit(problem, tally, epochs=2, key=KEY, callbacks=[told.append, count])
        assert [event.epoch for event in told] == [1, 1, 2, 2]
        assert {event.epochs for event in told} == {2}
        assert [event.metrics["accuracy"] for event in told] == [0.25, 0.25, 0.5, 0.5]
        assert [len(event.history) for event in told] == [1, 1, 2, 2]
        assert told[-1].history == result.history
        assert told[-1].metrics is told[-1].history[-1]
        assert steps == [1, 2]

    def test_the_next_epoch_works_in_the_arrays_of_the_last(self, counted, tally):
        told = []
        problem = counted(n=4, batch_size=4, scores=(0.0, 0.25, 0.5))
        result = fit(problem, tally, epochs=2, key=KEY, callbacks=[told.append])
        assert told[0].train_state.step.is_deleted()
        assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(result.train_state))

    @pytest.mark.slow
    def test_the_model_of_the_problem_is_not_used_up(self, task, two_phase):
        problem = task()
        fit(problem, two_phase, epochs=2, key=KEY)
        leaves = jax.tree.leaves(problem.model)
        assert not any(leaf.is_deleted() for leaf in leaves)

    def test_true_ends_the_run_after_all_have_been_told(self, counted, tally):
        told = []
        callbacks = [lambda event: event.epoch == 2, told.append]
        result = fit(counted(), tally, epochs=5, key=KEY, callbacks=callbacks)
        assert (len(result.history), result.stopped) == (2, "callback")
        assert [event.epoch for event in told] == [1, 2]
        assert bool(result.model["finished"])

    @pytest.mark.parametrize("answer", [None, False, "on", 1, []])
    def test_any_other_answer_does_not(self, counted, tally, answer):
        result = fit(counted(), tally, epochs=2, key=KEY, callbacks=[lambda event: answer])
        assert result.stopped == "epochs"

    def test_their_errors_are_not_hidden(self, counted, tally):
        def fails(event):
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            fit(counted(), tally, epochs=2, key=KEY, callbacks=[fails])


class TestBinaryNetworks:
    def test_two_phase_learning_beats_chance_and_the_untrained_network(self, task, two_phase):
        untrained, trained = (fit(task(), two_phase, epochs=n, key=KEY) for n in (0, 12))
        assert trained.test["accuracy"] >= max(0.7, untrained.test["accuracy"] + 0.2)

    def test_its_history_says_whether_the_phases_settled(self, task, two_phase):
        (row,) = fit(task(), two_phase, epochs=1, key=KEY).history
        for phase in ("clamped", "free"):
            assert 0.0 <= row[f"{phase}_settled"] <= 1.0
            assert 1.0 <= row[f"{phase}_steps"] <= 3.0
        assert not any(name.startswith("warmup") for name in row)

    def test_progress_and_callbacks_change_no_bit(self, task, two_phase, same_bits, capfd):
        plain = fit(task(), two_phase, epochs=2, key=KEY, progress=False)
        told = fit(task(), two_phase, epochs=2, key=KEY, progress=True, callbacks=[id])
        same_bits(told.train_state, plain.train_state)
        assert "training" in capfd.readouterr().err
        assert math.isfinite(plain.test["loss"])


@final
class Drawing(AbstractMethod):
    """Learns nothing: says what it draws from the key of each step."""

    spec: ClassVar[MethodSpec] = MethodSpec("drawing", "control", "Draw a number.")

    def init(self, model, key):
        return TrainState(model, None, jnp.asarray(0, jnp.int32))

    def step(self, train_state, batch, key):
        state = TrainState(train_state.model, None, train_state.step + 1)
        return state, {"drawn": jax.random.uniform(key)}

    def finish(self, train_state):
        return train_state.model


def test_every_step_has_a_key_of_its_own(counted):
    problem, method, key = counted(n=12, batch_size=4), Drawing(), jax.random.key(5)
    state = method.init(problem.model, key)
    _, metrics = run_epoch(method, state, problem.train, key)
    steps_key = jax.random.split(key)[1]
    expected = [float(jax.random.uniform(jax.random.fold_in(steps_key, i))) for i in range(3)]
    assert metrics["drawn"].tolist() == expected
    assert len(set(expected)) == 3
