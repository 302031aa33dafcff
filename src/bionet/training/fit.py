"""The only Python loop that trains: it drives any method on any problem, epoch by epoch.

A whole epoch is one compiled call, which works in the arrays of the last one; nothing
crosses from the device to Python inside it. Between epochs there is evaluation on the
validation split, a line for the progress bar, a checkpoint, and the callbacks. The key
of an epoch depends on the run's key and the epoch's number alone, so a resumed run takes
the very steps that were still to come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.epoch import flags_per_step, host_copy, on_device, run_epoch
from bionet.training.evaluate import evaluate
from bionet.training.guards import check_first_batch
from bionet.training.health import finite_leaves, non_finite, nothing_evaluated
from bionet.training.method import AbstractMethod, TrainState
from bionet.training.problem import Problem
from bionet.training.progress import epoch_progress

Row = dict[str, float]


@final
@dataclass(frozen=True)
class Event:
    """What a callback is told after an epoch.

    Attributes:
        epoch: counted from 1.
        epochs: how many there will be, unless the run stops early.
        metrics: this epoch's row of the history.
        history: all rows so far.
        train_state: the state after this epoch. The next epoch works in its arrays, so
            copy what you want to keep: `jax.tree.map(jnp.copy, event.train_state.model)`.
    """

    epoch: int
    epochs: int
    metrics: Row
    history: tuple[Row, ...]
    train_state: TrainState


Callback = Callable[[Event], Any]


@final
@dataclass(frozen=True)
class FitResult:
    """What `fit` returns.

    Attributes:
        model: as the method hands it over after the last epoch; never the best one.
        train_state: to go on from.
        history: a row per epoch: "epoch", the method's own metrics averaged over the
            epoch, "loss" and the metric on the validation split, and "seconds".
        test: loss and metric on the test split; empty where there is none.
        stopped: why the run ended: "epochs", "patience" or "callback".
        seconds: of this call, with compilation.
    """

    model: PyTree
    train_state: TrainState
    history: tuple[Row, ...]
    test: Row
    stopped: str
    seconds: float


def fit(
    problem: Problem,
    method: AbstractMethod,
    *,
    epochs: int,
    key: PRNGKeyArray,
    callbacks: Sequence[Callback] = (),
    patience: int | None = None,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> FitResult:
    """Trains the problem's model by a method, and judges it on held-out data.

    Args:
        problem: model, objective and data.
        method: how to train.
        epochs: passes over the training batches; 0 evaluates the untrained model.
        key: of everything that is random in the run.
        callbacks: called after each epoch with an `Event`; one that returns True ends
            the run.
        patience: end the run when the validation metric has not risen for so many
            epochs. The model that is returned is still the last one.
        progress: a progress bar; None shows it on a terminal only.
        checkpoint: a directory for a checkpoint after each epoch.
        resume: go on from the newest checkpoint there; starts anew where there is none.

    Returns:
        The trained model, its history and its test metrics.

    Raises:
        ValueError: a negative number of epochs, `patience` without a validation split, or a
            model that lacks what the method needs; on the first batch, a loss without a slope
            for a method that descends it, a predictor that the method does not follow, or
            targets in a code that the loss or the metric does not read.
        CheckpointError: a directory that holds checkpoints already (without `resume`), or
            ones that can't be read or belong to another run.
        NonFiniteError: weights became NaN or infinite, or every single evaluation of the loss
            in an epoch was; the last checkpoint is still good.

    Example:
        ```python
        import jax
        from bionet import fit, zoo

        recipe = zoo.get("prototypes-local")
        problem, method = recipe.problem(seed=0), recipe.method()
        result = fit(problem, method, epochs=2, key=jax.random.key(0))
        print([round(row["accuracy"], 3) for row in result.history], result.test)
        ```
    """
    began = time.perf_counter()
    _check_arguments(problem, epochs, patience)
    train_state, history, checkpoints = _start(problem, method, key, checkpoint, resume)
    if len(history) < epochs:
        check_first_batch(problem, method, train_state, _key(key, "epoch", 0))
    stopped = "epochs"
    with epoch_progress(epochs, len(history), progress, problem.metric_name) as tell:
        for epoch in range(len(history) + 1, epochs + 1):
            if _out_of_patience(history, problem.metric_name, patience):
                stopped = "patience"
                break
            train_state, row = _train_epoch(problem, method, train_state, key, epoch, checkpoints)
            history.append(row)
            tell(epoch, row)
            if checkpoints is not None:
                checkpoints.save(epoch, train_state, key, {"history": history})
            event = Event(epoch, epochs, row, tuple(history), train_state)
            answers = [callback(event) for callback in callbacks]  # each one is to be told
            if any(answer is True for answer in answers):
                stopped = "callback"
                break
    model = method.finish(train_state)
    test = {}
    if problem.test is not None:
        test = evaluate(problem, model, problem.test, _key(key, "test", 0))
    return FitResult(model, train_state, tuple(history), test, stopped, time.perf_counter() - began)


def _check_arguments(problem: Problem, epochs: int, patience: int | None) -> None:
    if epochs < 0:
        raise ValueError(f"fit: epochs needs 0 or more, got {epochs}.")
    if patience is not None and patience < 1:
        raise ValueError(f"fit: patience needs 1 epoch or more, got {patience}.")
    if patience is not None and problem.validation is None:
        raise ValueError(
            "fit: patience needs a validation split to watch, but the problem has none; "
            "the test split is never used for it."
        )


def _start(
    problem: Problem,
    method: AbstractMethod,
    key: PRNGKeyArray,
    directory: str | Path | None,
    resume: bool,
) -> tuple[TrainState, list[Row], Checkpoints | None]:
    """The state and the history to go on from."""
    train_state = method.init(problem.model, _key(key, "init", 0))
    # The epochs work in these arrays, and the problem's model is not theirs to use up.
    train_state = jax.tree.map(
        lambda leaf: leaf.copy() if eqx.is_array(leaf) else leaf, train_state
    )
    if directory is None:
        if resume:
            raise ValueError("fit: resume=True needs checkpoint=DIR, the directory to go on from.")
        return train_state, [], None
    checkpoints = Checkpoints(directory)
    latest = checkpoints.latest()
    if latest is None:
        return train_state, [], checkpoints
    if not resume:
        raise CheckpointError(
            f"{checkpoints.directory} already holds a checkpoint, of epoch {latest}; pass "
            "resume=True to go on from it, or name another directory."
        )
    train_state, notes = checkpoints.restore(train_state, key)
    return train_state, list(notes["history"]), checkpoints


def _train_epoch(
    problem: Problem,
    method: AbstractMethod,
    before: TrainState,
    key: PRNGKeyArray,
    epoch: int,
    checkpoints: Checkpoints | None,
) -> tuple[TrainState, Row]:
    began = time.perf_counter()
    epoch_key = _key(key, "epoch", epoch)
    kept = host_copy(before)
    after, metrics = run_epoch(method, before, problem.train, epoch_key)
    row: Row = {"epoch": epoch} | {name: float(value.mean()) for name, value in metrics.items()}
    if 0 < row.get("evaluations", 0) <= row.get("failed", 0):
        raise nothing_evaluated(epoch, _kept(checkpoints))
    if not finite_leaves(after.model).all():
        raise _diagnosed(problem, method, on_device(kept, after), epoch_key, checkpoints)
    if problem.validation is not None:
        model = method.finish(after)
        row |= evaluate(problem, model, problem.validation, _key(key, "validation", epoch))
    return after, row | {"seconds": time.perf_counter() - began}


def _diagnosed(
    problem: Problem,
    method: AbstractMethod,
    before: TrainState,
    key: PRNGKeyArray,
    checkpoints: Checkpoints | None,
) -> Exception:
    """The error that names the first edge to fail and the step in which it did."""
    flags = flags_per_step(method, before, problem.train, key)
    first = int(jnp.argmin(flags.all(axis=1)))  # the first step with a flag down
    return non_finite(before.model, flags[first], int(before.step) + first + 1, _kept(checkpoints))


def _kept(checkpoints: Checkpoints | None) -> str:
    """What the user still has of a run that has failed, as a sentence."""
    if checkpoints is None:
        return "No checkpoint was kept; pass checkpoint=DIR to have one."
    latest = checkpoints.latest()
    if latest is None:
        return "It was the first epoch, so there is no checkpoint yet."
    return f"The last good checkpoint, of epoch {latest}, is in {checkpoints.directory}."


def _out_of_patience(history: Sequence[Row], metric: str, patience: int | None) -> bool:
    if patience is None or len(history) <= patience:
        return False
    values = [row[metric] for row in history]
    return max(values[-patience:]) <= max(values[:-patience])


def _key(key: PRNGKeyArray, purpose: str, number: int) -> PRNGKeyArray:
    """A key of its own for each purpose and epoch."""
    purposes = ("init", "epoch", "validation", "test")
    return jax.random.fold_in(jax.random.fold_in(key, purposes.index(purpose)), number)
