"""Weights that are no numbers any more: named by edge and step, and the last good ones kept."""

import re
from dataclasses import replace
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from bionet.modules.trained import apply_trained, partition_trained
from bionet.training.batches import ArrayBatches
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.checks.health import NonFiniteError, finite_leaves, leaf_names, non_finite
from bionet.training.fit import fit
from bionet.training.local.two_phase import TwoPhase

KEY = jax.random.key(0)
LEAVES = {(1, 0): "W", (1, 1): "J", (2, 1): "W"}
PER_EPOCH = 5  # steps


@final
class Spoil(eqx.Module):
    """Descends with a rate, and spoils one weight of an edge in a step, for each fault given.

    Steps, values and rate are arrays, so that all the tests share one compiled epoch.
    """

    steps: Array
    values: Array
    rate: Array

    def __init__(self, *faults, rate=0.05):
        of = {edge: (step, value) for edge, step, value in faults}
        table = [of.get(edge, (0, 0.0)) for edge in LEAVES]
        self.steps, self.values = jnp.array(table, jnp.float32).T
        self.rate = jnp.asarray(rate, jnp.float32)

    def __call__(self, updates, count, params=None):
        updates = jax.tree.map(lambda leaf: -self.rate * leaf, updates)
        places = [lambda o, e=edge: getattr(o.lmap[e], LEAVES[e]) for edge in LEAVES]
        for place, step, value in zip(places, self.steps, self.values, strict=True):
            old = place(updates)
            spoiled = jnp.where(count + 1 == step, old.at[2, 1].set(value), old)
            updates = eqx.tree_at(place, updates, spoiled)
        return updates, count + 1


def counter(params):
    return jnp.asarray(0)


@pytest.fixture
def spoiled(one_hidden):
    """`spoiled((edge, step, value), ...)`: a method whose weights go wrong there."""

    def make(*faults, **options):
        transformation = optax.GradientTransformation(counter, Spoil(*faults, **options))
        return TwoPhase(one_hidden.state, optimizer=transformation, clamped=2, free=2)

    return make


def message(edge, step, rest):
    return (
        f"Training stopped: edge {edge}, leaf {LEAVES[edge]}, became NaN or infinite in step "
        f"{step}. Lower the learning rate, or sigma where members of a population are "
        f"drawn, or look at the data and the loss. {rest}"
    )


NOTHING_KEPT = "No checkpoint was kept; pass checkpoint=DIR to have one."


@pytest.mark.parametrize(
    ("edge", "step", "value"),
    [
        ((1, 1), 1, np.nan),  # the very first
        ((2, 1), PER_EPOCH, np.inf),  # the last of an epoch
        ((1, 0), PER_EPOCH + 1, -np.inf),  # the first of the next
    ],
)
def test_the_error_names_the_edge_and_the_step(task, spoiled, says, edge, step, value):
    with says(NonFiniteError, message(edge, step, NOTHING_KEPT)):
        fit(task(), spoiled((edge, step, value)), epochs=3, key=KEY)


def test_the_first_edge_to_fail_is_named_and_not_those_that_follow(task, spoiled, says):
    method = spoiled(((1, 0), 9, np.nan), ((2, 1), 7, np.nan), ((1, 1), 8, np.inf))
    with says(NonFiniteError, message((2, 1), 7, NOTHING_KEPT)):
        fit(task(), method, epochs=3, key=KEY)


def test_an_infinite_learning_rate_stops_in_the_first_step(task, spoiled):
    with pytest.raises(NonFiniteError, match=r"^Training stopped: edge \(1, 0\), .* in step 1\."):
        fit(task(), spoiled(rate=np.inf), epochs=1, key=KEY)


def test_the_diagonal_that_never_learns_can_not_be_spoiled(one_hidden):
    diagonal = jnp.where(jnp.eye(7, dtype=bool), jnp.nan, 0.0)
    updates = jax.tree.map(jnp.zeros_like, partition_trained(one_hidden.orchestrator)[0])
    updates = eqx.tree_at(lambda o: o.lmap[1, 1].J, updates, diagonal)
    assert finite_leaves(apply_trained(one_hidden.orchestrator, updates)).all()


def test_the_last_good_checkpoint_is_kept_and_can_be_restored(task, spoiled, says, tmp_path):
    problem, method = task(), spoiled(((1, 1), 2 * PER_EPOCH + 3, np.nan))
    good, told = [], []

    def keep(event):
        told.append(event)
        good[:] = [np.array(leaf) for leaf in jax.tree.leaves(event.train_state)]

    kept = f"The last good checkpoint, of epoch 2, is in {tmp_path}."
    with says(NonFiniteError, message((1, 1), 2 * PER_EPOCH + 3, kept)):
        fit(problem, method, epochs=9, key=KEY, checkpoint=tmp_path, callbacks=[keep])
    assert [event.epoch for event in told] == [1, 2]
    state, notes = Checkpoints(tmp_path).restore(method.init(problem.model, KEY), KEY)
    assert len(notes["history"]) == 2
    assert int(state.step) == 2 * PER_EPOCH
    for found, expected in zip(jax.tree.leaves(state), good, strict=True):
        assert np.isfinite(found).all()
        assert np.array_equal(found, expected)


@pytest.mark.slow
def test_another_method_goes_on_from_its_weights_in_a_run_of_its_own(task, spoiled, says, tmp_path):
    problem, healed = task(), spoiled()
    with pytest.raises(NonFiniteError):
        fit(problem, spoiled(((1, 1), 8, np.nan)), epochs=2, key=KEY, checkpoint=tmp_path)
    with says(CheckpointError, "belongs to another run: `optimizer."):
        fit(problem, healed, epochs=2, key=KEY, checkpoint=tmp_path, resume=True)
    state, _ = Checkpoints(tmp_path).restore(healed.init(problem.model, KEY), KEY)
    result = fit(replace(problem, model=healed.finish(state)), healed, epochs=1, key=KEY)
    assert len(result.history) == 1


def test_in_the_first_epoch_there_is_no_checkpoint_yet(task, spoiled, says, tmp_path):
    rest = "It was the first epoch, so there is no checkpoint yet."
    with says(NonFiniteError, message((1, 1), 3, rest)):
        fit(task(), spoiled(((1, 1), 3, np.nan)), epochs=2, key=KEY, checkpoint=tmp_path / "new")


@pytest.mark.slow
def test_the_step_is_counted_over_a_resumed_run(task, spoiled, says, tmp_path):
    problem, method = task(), spoiled(((2, 1), 12, np.nan))
    fit(problem, method, epochs=1, key=KEY, checkpoint=tmp_path)
    with says(NonFiniteError, "edge (2, 1), leaf W, became NaN or infinite in step 12."):
        fit(problem, method, epochs=5, key=KEY, checkpoint=tmp_path, resume=True)


@pytest.fixture
def in_order(mlp_problem):
    """A perceptron whose epoch is one batch, always the same."""
    problem = mlp_problem()
    return replace(problem, train=ArrayBatches(problem.train.examples, 64, shuffle=False))


@pytest.mark.slow
def test_leaves_of_other_models_go_by_their_path(in_order, sgd):
    with pytest.raises(NonFiniteError, match=r"leaf \.layers\[0\]\.weight, became") as caught:
        fit(in_order, sgd(float("nan")), epochs=1, key=KEY)
    assert "in step 1." in str(caught.value)


def test_an_exploding_run_is_stopped_at_the_step_that_a_plain_loop_finds(in_order, sgd):
    examples, method = in_order.train.examples, sgd(60.0)
    step = eqx.filter_jit(method.step)
    state, first = method.init(in_order.model, KEY), 0
    while bool(finite_leaves(state.model).all()):
        state, first = step(state, (examples.x, examples.y), KEY)[0], first + 1
    assert first > 1
    with pytest.raises(NonFiniteError, match=rf"in step {first}\."):
        fit(in_order, method, epochs=first + 1, key=KEY)


def test_only_leaves_that_learn_are_looked_at(one_hidden):
    network = one_hidden.orchestrator
    assert leaf_names(network) == [f"edge {edge}, leaf {leaf}" for edge, leaf in LEAVES.items()]
    assert finite_leaves(network).tolist() == [True] * 3
    broken = eqx.tree_at(
        lambda o: (o.lmap[1, 2].W, o.lmap[2, 1].W), network, (jnp.full((3, 7), jnp.nan),) * 2
    )
    assert finite_leaves(broken).tolist() == [True, True, False]


def test_a_model_where_nothing_learns_is_finite():
    assert finite_leaves({"count": jnp.asarray(3)}).tolist() == [True]
    assert leaf_names({"count": jnp.asarray(3)}) == []


def test_the_sentence(one_hidden):
    error = non_finite(one_hidden.orchestrator, [True, False, False], 12, "Nothing is lost.")
    assert isinstance(error, ArithmeticError)
    assert re.fullmatch(
        r"Training stopped: edge \(1, 1\), leaf J, .* Nothing is lost\.", str(error)
    )
