"""The evaluation of a model on a split: one compiled call, in chunks that fit into memory."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from bionet._core.checks import BadValuesError
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import not_finite_field
from bionet.training.batches import Examples
from bionet.training.checks.data_checks import check_examples
from bionet.training.problem import Predict, Problem, Score

CHUNK = 1000


def evaluate(
    problem: Problem, model: PyTree, examples: Examples, key: PRNGKeyArray
) -> dict[str, float]:
    """Loss and metric of `model` on `examples`, under the names "loss" and `metric_name`.

    Every example counts once and equally, the last incomplete chunk included.

    Raises:
        BadValuesError: examples that a network of a layer map can't take, or scores of one that
            are NaN or infinite.
    """
    check_examples(model, examples, "held-out")
    scores = (problem.loss, problem.metric)
    loss, metric = _evaluate(problem.predict, scores, model, examples, key)
    if isinstance(model, AbstractOrchestrator) and not math.isfinite(float(loss)):
        _check_scores(problem.predict, model, examples, key)
    return {"loss": float(loss), problem.metric_name: float(metric)}


def _check_scores(
    predict: Predict, model: AbstractOrchestrator, examples: Examples, key: PRNGKeyArray
) -> None:
    """Fails where it is the network, and not the loss, that gave no numbers."""
    finite = lambda outputs, y: jnp.isfinite(outputs).all().astype(float)  # noqa: E731
    (share,) = _evaluate(predict, (finite,), model, examples, key)
    if share < 1:
        raise BadValuesError(not_finite_field(model.lmap.last))


@eqx.filter_jit
def _evaluate(
    predict: Predict, scores: tuple[Score, ...], model: PyTree, examples: Examples, key: Array
) -> Float[Array, " scores"]:
    n = len(examples)
    whole = n // CHUNK

    def judged(x: Array, y: Array, key: PRNGKeyArray) -> Float[Array, " scores"]:
        outputs = predict(model, x, key)
        return len(x) * jnp.stack([score(outputs, y) for score in scores])

    total = jnp.zeros(len(scores))
    if whole:
        cut = (examples.x[: whole * CHUNK], examples.y[: whole * CHUNK])
        x, y = (array.reshape(whole, CHUNK, *array.shape[1:]) for array in cut)
        keys = jax.random.split(jax.random.fold_in(key, 0), whole)
        total += jax.lax.map(lambda args: judged(*args), (x, y, keys)).sum(0)
    if n % CHUNK:
        rest = slice(whole * CHUNK, n)
        total += judged(examples.x[rest], examples.y[rest], jax.random.fold_in(key, 1))
    return total / n
