"""The frozen readout is the ridge regression of numpy, chosen on validation data."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.training import (
    ArrayBatches,
    Examples,
    FrozenReadout,
    LinearReadout,
    Problem,
    accuracy,
    evaluate,
    frozen_readout_control,
)
from bionet.training.control.softmax_readout import fit_softmax

KEY = jax.random.key(0)
MODEL = eqx.nn.MLP(4, 2, width_size=5, depth=1, activation=jnp.tanh, key=KEY)
LINEAR = LinearReadout(
    lambda m, x, key: jnp.tanh(jax.vmap(m.layers[0])(x)),
    lambda m, W, b: eqx.tree_at(lambda o: (o.layers[1].weight, o.layers[1].bias), m, (W.T, b)),
    lambda m: m.layers[1].weight.shape[::-1],
)


@pytest.fixture(scope="module")
def problem():
    def part(seed):
        x = jax.random.normal(jax.random.key(seed), (60, 4))
        return Examples(
            x, jnp.where((x[:, :1] * x[:, 1:2] > 0) == jnp.array([True, False]), 1, -1.0)
        )

    return Problem(
        model=MODEL,
        predict=lambda model, x, key: jax.vmap(model)(x),
        loss=lambda outputs, y: ((outputs - y) ** 2).mean(),
        metric=accuracy,
        train=ArrayBatches(part(1), 20),
        validation=part(2),
        test=part(3),
    )


def test_it_is_the_ridge_of_numpy(problem):
    method = FrozenReadout(LINEAR, ridge=0.5)
    state = method.init(MODEL, KEY)
    examples = problem.train.examples
    for rows in (slice(0, 25), slice(25, 60)):
        state, _ = method.step(state, (examples.x[rows], examples.y[rows]), KEY)
    solved = method.finish(state)
    seen = np.asarray(LINEAR.features(MODEL, examples.x, KEY), np.float64)
    seen = np.concatenate([seen, np.ones((60, 1))], 1)
    penalty = np.diag([0.5] * 5 + [0.0])
    expected = np.linalg.solve(seen.T @ seen + penalty, seen.T @ np.asarray(examples.y, np.float64))
    np.testing.assert_allclose(solved.layers[1].weight.T, expected[:-1], atol=1e-4)
    np.testing.assert_allclose(solved.layers[1].bias, expected[-1], atol=1e-4)
    assert np.array_equal(solved.layers[0].weight, MODEL.layers[0].weight)


@pytest.mark.slow
def test_the_penalty_is_chosen_on_validation_data(problem):
    found = frozen_readout_control(problem, LINEAR, key=KEY, ridges=(1e-2, 1e6))
    assert (found.hidden, found.ridge) == ("features", 1e-2)
    assert set(found.test) == {"loss", "accuracy"}


def test_a_penalty_whose_metric_is_nan_is_not_chosen(problem):
    """`max` keeps a NaN that comes first."""

    def metric(outputs, y):  # NaN where the readout is as good as zero
        return jnp.where(jnp.abs(outputs).max() < 1e-2, jnp.nan, accuracy(outputs, y))

    judged = dataclasses.replace(problem, metric=metric)
    found = frozen_readout_control(judged, LINEAR, key=KEY, ridges=(1e9, 1e-2))
    assert found.ridge == 1e-2


@pytest.mark.parametrize("ridges", [(), (1.0,)])
def test_it_needs_a_split_and_a_penalty_to_choose(problem, ridges, says):
    asked = dataclasses.replace(problem, validation=None) if ridges else problem
    with says(ValueError, "frozen_readout_control: needs a validation split and one penalty"):
        frozen_readout_control(asked, LINEAR, key=KEY, ridges=ridges)


def test_a_negative_penalty_is_refused(says):
    method = FrozenReadout(LINEAR, ridge=-1.0)
    with says(ValueError, "FrozenReadout: ridge needs 0 or more, got -1.0."):
        method.finish(method.init(MODEL, KEY))


def test_a_metric_that_is_nan_is_never_chosen(problem):
    """`max` takes a NaN that comes first for the best."""
    nan_at_first = dataclasses.replace(
        problem,
        metric=lambda outputs, y: jnp.where(jnp.ptp(outputs, 0).max() > 1e-3, jnp.nan, 0.5),
    )
    found = frozen_readout_control(nan_at_first, LINEAR, key=KEY, ridges=(1e-2, 1e6))
    assert found.ridge == 1e6


def test_a_penalty_without_a_solution_is_passed_over(problem):
    """Two features that are the same: without a penalty the sums are singular."""
    twice = LinearReadout(
        lambda m, x, key: jnp.repeat(LINEAR.features(m, x, key)[:, :1], 5, axis=1),
        LINEAR.solved,
        LINEAR.widths,
    )
    assert frozen_readout_control(problem, twice, key=KEY, ridges=(0.0, 1.0)).ridge == 1.0


def test_features_that_are_not_finite_are_told(problem, says):
    broken = LinearReadout(
        lambda m, x, key: jnp.full((len(x), 5), jnp.inf), LINEAR.solved, LINEAR.widths
    )
    method = FrozenReadout(broken)
    state, _ = method.step(method.init(MODEL, KEY), (jnp.ones((2, 4)), jnp.ones((2, 2))), KEY)
    with says(ValueError, "FrozenReadout: the features that the readout listens to"):
        method.finish(state)


def test_the_best_penalty_is_followed_beyond_the_usual_ones(problem):
    """Features so small that even the smallest usual penalty is far too much."""
    tiny = LinearReadout(
        lambda m, x, key: 1e-4 * LINEAR.features(m, x, key),
        lambda m, W, b: LINEAR.solved(m, 1e-4 * W, b),
        LINEAR.widths,
    )
    smooth = dataclasses.replace(problem, metric=lambda outputs, y: -((outputs - y) ** 2).mean())
    usual, found = (frozen_readout_control(smooth, each, key=KEY) for each in (LINEAR, tiny))
    assert found.ridge < 1e-6
    assert found.validation["accuracy"] == pytest.approx(usual.validation["accuracy"], rel=1e-2)


def test_without_recurrence_is_taken_where_validation_says_so(problem):
    """Here the model as it is hears nothing, and the model "without recurrence" does."""
    deaf = dataclasses.replace(
        problem, model=eqx.tree_at(lambda m: m.layers[0].weight, MODEL, jnp.zeros((5, 4)))
    )
    found = frozen_readout_control(
        deaf, LINEAR._replace(without_recurrence=lambda model: MODEL), key=KEY
    )
    alone = frozen_readout_control(problem, LINEAR, key=KEY)
    assert (found.hidden, found.test) == ("feed-forward", alone.test)
    worse = LINEAR._replace(without_recurrence=lambda model: deaf.model)
    assert frozen_readout_control(problem, worse, key=KEY).hidden == "features"


def waves(READER, x, key):
    """Features of shape (n, time, 6)."""
    now = jnp.stack([jnp.sin(x * k) for k in (1.0, 2.0, 3.0)], -1)
    return jnp.concatenate([now, jnp.roll(now, 1, axis=1)], -1)


STEPWISE = LinearReadout(
    waves,
    lambda m, W, b: eqx.tree_at(lambda o: (o.weight, o.bias), m, (W.T, b)),
    lambda m: m.weight.shape[::-1],
)
READER = eqx.nn.Linear(6, 3, key=KEY)


@pytest.fixture(scope="module")
def task():
    """At each step of a sequence one of three classes, drawn by the wave of that step."""

    def part(seed, n):
        x = jax.random.normal(jax.random.key(seed), (n, 7))
        noise = jax.random.gumbel(jax.random.key(seed + 50), (n, 7, 3))
        return Examples(x, (2 * waves(None, x, None)[..., :3] + noise).argmax(-1).astype("int32"))

    return Problem(
        model=READER,
        predict=lambda m, x, key: jax.vmap(jax.vmap(m))(waves(m, x, key)),
        loss=lambda o, y: optax.softmax_cross_entropy_with_integer_labels(o, y).mean(),
        metric=lambda outputs, y: jnp.mean(outputs.argmax(-1) == y),
        train=ArrayBatches(part(1, 60), 20),
        validation=part(2, 40),
        test=part(3, 40),
    )


class TestOverTime:
    """A readout that answers at each step is solved over all of them."""

    def test_each_step_of_each_example_counts_and_classes_are_one_hot(self, task):
        method = FrozenReadout(STEPWISE, ridge=0.5)
        state, examples = method.init(READER, KEY), task.train.examples
        for rows in (slice(0, 25), slice(25, 60)):
            state, _ = method.step(state, (examples.x[rows], examples.y[rows]), KEY)
        # Nothing but sums is kept: no array grows with the number of examples or of steps.
        assert [part.shape for part in state.memory] == [(7, 7), (7, 3)]
        solved = method.finish(state)
        seen = np.asarray(waves(READER, examples.x, KEY), np.float64).reshape(-1, 6)
        seen = np.concatenate([seen, np.ones((len(seen), 1))], 1)
        targets = np.eye(3)[np.asarray(examples.y).ravel()]
        penalty = np.diag([0.5] * 6 + [0.0])
        expected = np.linalg.solve(seen.T @ seen + penalty, seen.T @ targets)
        np.testing.assert_allclose(solved.weight.T, expected[:-1], atol=1e-4)
        np.testing.assert_allclose(solved.bias, expected[-1], atol=1e-4)

    @pytest.mark.slow
    def test_the_metric_is_of_the_ridge_and_the_loss_of_the_softmax_readout(self, task):
        found = frozen_readout_control(task, STEPWISE, key=KEY)
        ridge, softmax = (
            evaluate(task, model, task.test, KEY) for model in (found.model, found.softmax.model)
        )
        assert found.test["accuracy"] == ridge["accuracy"]
        assert found.test["loss"] == softmax["loss"] < ridge["loss"]
        assert found.test["softmax accuracy"] == softmax["accuracy"]
        assert found.validation["loss"] == found.softmax.validation["loss"]

    @pytest.mark.slow
    def test_the_softmax_readout_is_that_of_scikit_learn(self, task):
        known = pytest.importorskip("sklearn.linear_model").LogisticRegression(
            C=np.inf, tol=1e-8, max_iter=1000
        )
        found = fit_softmax(task, STEPWISE, key=KEY)
        examples, held_out = task.train.examples, task.validation
        seen, asked = (
            np.asarray(waves(READER, each.x, KEY)).reshape(-1, 6) for each in (examples, held_out)
        )
        known.fit(seen, np.asarray(examples.y).ravel())
        truth = np.asarray(held_out.y).ravel()
        nats = -known.predict_log_proba(asked)[np.arange(len(truth)), truth].mean()
        assert found.targets == 60 * 7
        assert found.validation["loss"] <= nats + 1e-3  # a penalty may do better, none does worse

    @pytest.mark.slow
    def test_no_more_targets_are_held_than_are_asked_for(self, task):
        assert fit_softmax(task, STEPWISE, key=KEY, most=150).targets == 2 * 20 * 7
