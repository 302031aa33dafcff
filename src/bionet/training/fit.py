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

from bionet.training.checks.data_checks import FLAG, check_batch, check_data
from bionet.training.checks.guards import check_first_batch
from bionet.training.checks.health import finite_leaves, non_finite, nothing_evaluated
from bionet.training.epoch import draw_batch, flags_per_step, host_copy, on_device, run_epoch
from bionet.training.evaluate import evaluate
from bionet.training.method import AbstractMethod, TrainState
from bionet.training.problem import ROW_NAMES, Problem
from bionet.training.run.checkpoints_of_run import Row, RunCheckpoints
from bionet.training.run.progress import epoch_progress
from bionet.training.run.stopping import ends_the_run, out_of_patience, tell_of_nan


@final
@dataclass(frozen=True)
class Event:
    """The news of an epoch, for callbacks.

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
    """The result of `fit`.

    Attributes:
        model: as the method hands it over after the last epoch; never the best one.
        train_state: to go on from.
        history: a row per epoch: "epoch", the method's own metrics averaged over the
            epoch, "loss" and the metric on the validation split, and "seconds".
        test: loss and metric on the test split; empty where there is none.
        stopped: why the run ended: "epochs", "patience" or "callback".
        seconds: of this call, with compilation.
        notes: sentences on what the numbers do not show, a resume from an older checkpoint or
            a validation metric that was never a number. Most runs have none.
    """

    model: PyTree
    train_state: TrainState
    history: tuple[Row, ...]
    test: Row
    stopped: str
    seconds: float
    notes: tuple[str, ...] = ()


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
        callbacks: called after each epoch with an `Event`; one that returns True, of Python,
            NumPy or JAX, ends the run.
        patience: end the run when the validation metric has not risen for so many
            epochs; NaN is no rise. The model that is returned is still the last one.
        progress: a progress bar; None shows it on a terminal only.
        checkpoint: a directory for a checkpoint after each epoch; `~` is the user's home.
        resume: go on from the newest whole checkpoint there, of the same run; starts anew where
            there is none.

    Returns:
        The trained model, its history and its test metrics.

    Raises:
        ValueError: a negative number of epochs, `patience` without a validation split, a
            model that lacks what the method needs, or a method whose metrics have a name that
            `fit` gives to its own; on the first batch, a loss without a slope for a method that
            descends it, a predictor that the method does not follow, or targets in a code that
            the loss or the metric does not read.
        CheckpointError: a directory that can't be written or holds checkpoints already (without
            `resume`), or ones that can't be read or belong to another run: other data, another
            method, setting or key, or fewer epochs than it has; what differs is named.
        NonFiniteError: weights became NaN or infinite, or every single evaluation of the loss
            in an epoch was; the last checkpoint is still good.

    Example:
        ```python
        import jax
        from bionet import fit, zoo

        recipe = zoo.get("prototypes-local")
        problem, method = recipe.problem(seed=0), recipe.build_method()
        result = fit(problem, method, epochs=2, key=jax.random.key(0))
        print([round(row["accuracy"], 3) for row in result.history], result.test)
        ```
    """
    began = time.perf_counter()
    _check_arguments(problem, epochs, patience, checkpoint, resume)
    train_state, history, kept, notes = _start(problem, method, key, checkpoint, resume, epochs)
    if len(history) < epochs:
        check_first_batch(problem, method, train_state, _key(key, "epoch", 0))
    check_data(problem, method)
    if len(history) < epochs:
        _check_names(problem, method, train_state, key)
    stopped = "epochs"
    with epoch_progress(epochs, len(history), progress, problem.metric_name) as show:
        for epoch in range(len(history) + 1, epochs + 1):
            if out_of_patience(history, problem.metric_name, patience):
                stopped = "patience"
                break
            train_state, row = _train_epoch(problem, method, train_state, key, epoch, kept)
            history.append(row)
            show(epoch, row)
            if kept is not None:
                kept.save(epoch, train_state, history)
            event = Event(epoch, epochs, row, tuple(history), train_state)
            answers = [callback(event) for callback in callbacks]  # each one is to be told
            if any(ends_the_run(answer) for answer in answers):
                stopped = "callback"
                break
    tell_of_nan(problem, history, notes)
    model = method.finish(train_state)
    test = {}
    if problem.test is not None:
        test = evaluate(problem, model, problem.test, _key(key, "test", 0))
    seconds = time.perf_counter() - began
    return FitResult(model, train_state, tuple(history), test, stopped, seconds, tuple(notes))


def _check_arguments(
    problem: Problem,
    epochs: int,
    patience: int | None,
    directory: str | Path | None,
    resume: bool,
) -> None:
    if epochs < 0:
        raise ValueError(f"fit: epochs needs 0 or more, got {epochs}.")
    if patience is not None and patience < 1:
        raise ValueError(f"fit: patience needs 1 epoch or more, got {patience}.")
    if patience is not None and problem.validation is None:
        raise ValueError(
            "fit: patience needs a validation split to watch, but the problem has none; "
            "the test split is never used for it."
        )
    if resume and directory is None:
        raise ValueError("fit: resume=True needs checkpoint=DIR, the directory to go on from.")


def _start(
    problem: Problem,
    method: AbstractMethod,
    key: PRNGKeyArray,
    directory: str | Path | None,
    resume: bool,
    epochs: int,
) -> tuple[TrainState, list[Row], RunCheckpoints | None, list[str]]:
    """The state and the history to go on from, where they are kept, and the notes so far."""
    train_state = method.init(problem.model, _key(key, "init", 0))
    # The epochs work in these arrays, and the problem's model is not theirs to use up.
    train_state = jax.tree.map(
        lambda leaf: leaf.copy() if eqx.is_array(leaf) else leaf, train_state
    )
    if directory is None:
        return train_state, [], None, []
    kept = RunCheckpoints(directory, problem, method, key, epochs)
    train_state, history, notes = kept.begin(train_state, epochs, resume)
    return train_state, history, kept, notes


def _check_names(
    problem: Problem, method: AbstractMethod, train_state: TrainState, key: PRNGKeyArray
) -> None:
    """Traces an epoch, as its first call would, and refuses metrics that would hide a row's own."""
    _, metrics = eqx.filter_eval_shape(
        run_epoch, method, train_state, problem.train, _key(key, "epoch", 1)
    )
    for name in metrics:
        if name in (*ROW_NAMES, problem.metric_name):
            raise ValueError(
                f"fit: the metrics of the method {method.spec.name!r} have the name {name!r}, "
                "which a row of the history has for a number of its own. Rename it, to "
                f"'training_{name}' say."
            )


def _train_epoch(
    problem: Problem,
    method: AbstractMethod,
    before: TrainState,
    key: PRNGKeyArray,
    epoch: int,
    kept: RunCheckpoints | None,
) -> tuple[TrainState, Row]:
    began = time.perf_counter()
    epoch_key = _key(key, "epoch", epoch)
    copied = host_copy(before)
    after, metrics = run_epoch(method, before, problem.train, epoch_key)
    flags = metrics.pop(FLAG, None)
    if flags is not None and flags.any():
        faulty = draw_batch(problem.train, epoch_key, int(flags.argmax()))
        check_batch(method, after.model, faulty)
    row: Row = {"epoch": epoch} | {name: float(value.mean()) for name, value in metrics.items()}
    if 0 < row.get("evaluations", 0) <= row.get("failed", 0):
        raise nothing_evaluated(epoch, _remaining(kept))
    if not finite_leaves(after.model).all():
        raise _diagnose(problem, method, on_device(copied, after), epoch_key, kept)
    if problem.validation is not None:
        model = method.finish(after)
        row |= evaluate(problem, model, problem.validation, _key(key, "validation", epoch))
    return after, row | {"seconds": time.perf_counter() - began}


def _diagnose(
    problem: Problem,
    method: AbstractMethod,
    before: TrainState,
    key: PRNGKeyArray,
    kept: RunCheckpoints | None,
) -> Exception:
    """The error that names the first edge to fail and the step in which it did."""
    flags = flags_per_step(method, before, problem.train, key)
    first = int(jnp.argmin(flags.all(axis=1)))  # the first step with a flag down
    step = int(before.step) + first + 1
    return non_finite(before.model, flags[first], step, _remaining(kept))


def _remaining(kept: RunCheckpoints | None) -> str:
    """Says what the user still has of a run that has failed, as a sentence."""
    if kept is None:
        return "No checkpoint was kept; pass checkpoint=DIR to have one."
    latest = kept.checkpoints.latest()
    if latest is None:
        return "It was the first epoch, so there is no checkpoint yet."
    return f"The last good checkpoint, of epoch {latest}, is in {kept.checkpoints.directory}."


def _key(key: PRNGKeyArray, purpose: str, number: int) -> PRNGKeyArray:
    """A key of its own for each purpose and epoch."""
    purposes = ("init", "epoch", "validation", "test")
    return jax.random.fold_in(jax.random.fold_in(key, purposes.index(purpose)), number)
