"""Data that nothing can be learned from are refused at the door, wherever they stand."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet._core.checks import BadValuesError
from bionet.cli.errors import is_user_error
from bionet.experimental.hybrid import LocalES, SelfGuidedES, local_direction
from bionet.training import (
    Evolution,
    GeneratedBatches,
    Objective,
    StackedBatches,
    evaluate,
    fit,
    frozen_control,
)
from bionet.training.checks.data_checks import is_local
from bionet.training.control.restricted import inside

KEY = jax.random.key(0)
UNLABELLED = "FullyConnected: labels need to be -1 or +1, got others;"


def spoil(batches, part, row, value):
    """Batches with one number changed behind the back of their checks."""
    where = lambda b: getattr(b.examples, part)  # noqa: E731
    return eqx.tree_at(where, batches, where(batches).at[row, 0].set(value))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["validation", "test"])
def test_nan_in_data_that_are_only_looked_at(task, two_phase, says, split):
    """`evaluate` has no check inside: it would give a number."""
    problem = task()
    examples = getattr(problem, split)
    bad = eqx.tree_at(lambda e: e.x, examples, examples.x.at[1, 0].set(jnp.nan))
    with says(RuntimeError, "state.init: x holds NaN or infinity"):
        fit(replace(problem, **{split: bad}), two_phase, epochs=1, key=KEY)


def test_a_label_that_comes_late_in_the_epoch(task, two_phase, says):
    """The guard looks at the first batch, and the step at none."""
    problem = task()
    train = spoil(problem.train, "y", len(problem.train.examples) - 1, 0.5)
    with pytest.raises((RuntimeError, ValueError), match="labels need to be|targets need"):
        fit(replace(problem, train=train), two_phase, epochs=1, key=KEY)


@pytest.mark.slow
def test_labels_are_the_matter_of_rules_that_learn_from_them(task, says):
    """A method that only looks at the loss may take other targets."""
    problem = task()
    method = Evolution(Objective(problem.predict, squares), population=4, sigma=0.1)
    train = spoil(problem.train, "y", 3, 0.5)
    problem = replace(problem, loss=squares, train=train)
    assert len(fit(problem, method, epochs=1, key=KEY).history) == 1


def squares(outputs, y):
    return jnp.mean((outputs - y) ** 2)


@pytest.fixture
def stream(task):
    """Makes problems whose batches are made, with one change in the batch of one step."""
    problem = task()
    x, y = problem.train.examples.x[:8], problem.train.examples.y[:8]

    def make(change, at=2):
        def batch(key):
            number = jax.random.randint(key, (), 0, 3)
            return change(x, y, number == at)

        return replace(problem, train=GeneratedBatches(batch, num_batches=6), loss=squares)

    return make


@pytest.mark.slow
def test_nan_in_a_batch_that_is_made(stream, two_phase, says):
    spoiled = stream(lambda x, y, now: (x.at[0, 0].set(jnp.where(now, jnp.nan, x[0, 0])), y))
    with says(RuntimeError, "state.init: x holds NaN or infinity"):
        fit(spoiled, two_phase, epochs=2, key=KEY)


@pytest.mark.slow
def test_labels_of_a_batch_that_is_made(stream, two_phase, says):
    spoiled = stream(lambda x, y, now: (x, jnp.where(now, 0.5 * y, y)))
    with pytest.raises((RuntimeError, ValueError), match="labels need to be -1 or \\+1"):
        fit(spoiled, two_phase, epochs=2, key=KEY)


def test_good_batches_that_are_made_have_no_flag_in_the_history(stream, two_phase):
    result = fit(stream(lambda x, y, now: (x, y)), two_phase, epochs=1, key=KEY)
    assert "faulty_batch" not in result.history[0]


def test_stacked_batches_are_looked_at_whole(task, two_phase, says):
    problem = task()
    x, y = (np.array(part[:8]) for part in (problem.train.examples.x, problem.train.examples.y))
    late = x.copy()
    late[3, 1] = np.inf
    train = StackedBatches.from_iterable([(x, y), (x, y), (late, y)], shuffle=False)
    with says(RuntimeError, "state.init: x holds NaN or infinity"):
        fit(replace(problem, train=train), two_phase, epochs=1, key=KEY)


@pytest.mark.slow
def test_another_model_takes_what_it_likes(mlp_problem, sgd):
    """A predictor of one's own may know what to do with a missing number."""
    problem = mlp_problem()
    train = spoil(problem.train, "x", 5, jnp.nan)
    known = lambda model, x, key: jax.vmap(model)(jnp.nan_to_num(x))  # noqa: E731
    problem = replace(problem, train=train, predict=known)
    method = Evolution(Objective(known, squares), population=4, sigma=0.1)
    assert len(fit(problem, method, epochs=1, key=KEY).history) == 1


def test_weights_that_are_no_numbers_are_told_where_a_network_is_judged(task, says):
    problem = task()
    model = problem.model
    last = model.lmap.last
    where = lambda o: o.lmap[last, last - 1].W  # noqa: E731
    broken = eqx.tree_at(where, model, where(model).at[0, 0].set(jnp.nan))
    with says(RuntimeError, f"The local field of row {last} is NaN or infinite"):
        evaluate(problem, broken, problem.test, KEY)


def test_data_that_are_given_to_evaluate_itself(task, says):
    """The sign of a unit would hide the NaN, and a number would come out."""
    problem = task()
    bad = eqx.tree_at(lambda e: e.x, problem.test, problem.test.x.at[0, 0].set(jnp.nan))
    with says(BadValuesError, "state.init: x holds NaN or infinity"):
        evaluate(problem, problem.model, bad, KEY)


def test_data_are_looked_at_where_nothing_is_trained(task, two_phase, says):
    problem = task()
    bad = eqx.tree_at(lambda e: e.x, problem.test, problem.test.x.at[0, 0].set(jnp.nan))
    with says(BadValuesError, "Look at the test data."):
        fit(replace(problem, test=bad), two_phase, epochs=0, key=KEY)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_control_does_not_hide_nan(task, one_hidden, says, split):
    problem = task()
    examples = getattr(problem, split)
    bad = eqx.tree_at(lambda e: e.x, examples, examples.x.at[0, 0].set(jnp.nan))
    with says(BadValuesError, "state.init: x holds NaN or infinity"):
        frozen_control(replace(problem, **{split: bad}), one_hidden.state, steps=2, key=KEY)


def test_a_model_of_which_a_part_learns_is_a_network_too(task, says):
    problem = task()
    last = problem.model.lmap.last
    method = Evolution(Objective(problem.predict, squares), population=4, sigma=0.1)
    train = spoil(problem.train, "x", 17, jnp.nan)
    part = lambda o: o.lmap[last, last - 1]  # noqa: E731
    inner, restricted = inside(replace(problem, train=train, loss=squares), method, part)
    with says(BadValuesError, "Look at the training data."):
        fit(inner, restricted, epochs=1, key=KEY)


def test_a_local_method_inside_another_learns_from_labels(task, two_phase):
    """Also as the direction of a hybrid, which holds it somewhere inside."""
    problem = task()
    objective = Objective(problem.predict, problem.loss)
    hybrids = (
        LocalES(objective, two_phase),
        SelfGuidedES(objective, bulk=local_direction(two_phase)),
    )
    assert [is_local(each) for each in (two_phase, *hybrids)] == [True] * 3
    assert not is_local(Evolution(objective, population=4, sigma=0.1))


@pytest.mark.slow
def test_a_user_is_told_that_the_data_are_at_fault():
    """Exit code 2 and a sentence, and no fault in bionet."""
    assert is_user_error(BadValuesError("x"))
