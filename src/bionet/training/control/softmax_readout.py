"""A softmax readout on frozen features, for the loss of a control whose metric is a ridge's.

Ridge regression of class numbers guesses well, and its scores are no chances: as logits they would
cost far more nats than the same features allow. So where targets are class numbers, multinomial
logistic regression on the same features gives the loss. It is convex, so L-BFGS finds its minimum;
the features are whitened for that, and the L2 penalty on the weights of the whitened features is
chosen on the validation split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int, PRNGKeyArray, PyTree

from bionet._core.grids import search_grid
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.evaluate import evaluate
from bionet.training.problem import Problem

PENALTIES = (100.0, 1.0, 0.01)  # each search begins where the one before has ended
MOST = 200_000
ITERATIONS = 100
_FLAT = 1e-6  # of the largest variance; directions with less are rounding errors


class SoftmaxFit(NamedTuple):
    """A softmax readout on frozen features.

    Attributes:
        model: with that readout.
        penalty: that validation data has chosen.
        targets: how many it was fitted to.
        validation: its loss and metric on the validation split.
    """

    model: PyTree
    penalty: float
    targets: int
    validation: dict[str, float]


class _Whitened(NamedTuple):
    features: Float[Array, "n directions"]
    targets: Int[Array, " n"]
    mean: Float64[np.ndarray, " d"]
    whiten: Float64[np.ndarray, "d directions"]


def fit_softmax(
    problem: Problem, readout: LinearReadout, *, key: PRNGKeyArray, most: int = MOST
) -> SoftmaxFit:
    """Fits a softmax readout of class numbers on the features of an untrained model.

    Args:
        problem: with the untrained model, class numbers as targets, and a validation split; its
            loss judges the penalties.
        readout: where the readout is.
        key: of the order of the batches, and of models that use randomness.
        most: targets at most; the features of so many are held in memory. Whole batches are taken,
            in the order of an epoch.

    Raises:
        ValueError: no validation split, or no penalty with a finite loss.
    """
    examples = problem.validation
    if examples is None:
        raise ValueError("fit_softmax: needs a validation split to choose the penalty on.")
    outputs = readout.widths(problem.model)[1]
    data = _whiten(*_gather(problem, readout, key, most))
    fits: dict[float, SoftmaxFit] = {}
    solve = _solver(data, outputs)

    def score(penalty: float) -> float:
        W, b = (jnp.asarray(part, jnp.float32) for part in solve(penalty))
        model = readout.solved(problem.model, W, b)
        scores = evaluate(problem, model, examples, key)
        fits[penalty] = SoftmaxFit(model, penalty, len(data.targets), scores)
        return -scores["loss"]

    best, _ = search_grid(score, PENALTIES)
    return fits[best]


def _gather(
    problem: Problem, readout: LinearReadout, key: PRNGKeyArray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The features and targets of an epoch's first batches."""
    train, d = problem.train, readout.widths(problem.model)[0]
    order, draws = jax.random.split(key)
    plan = train.plan(order)

    @eqx.filter_jit
    def one(model: PyTree, index: Array) -> tuple[Array, Array]:
        x, y = train.batch(plan, index)
        seen = readout.features(model, x, jax.random.fold_in(draws, index))
        return seen.reshape(-1, d), y.reshape(-1)

    features, targets, count = [], [], 0
    for index in range(train.num_batches):
        if count >= most:
            break
        seen, wanted = map(np.asarray, one(problem.model, jnp.asarray(index)))
        features.append(seen)
        targets.append(wanted)
        count += len(wanted)
    return np.concatenate(features), np.concatenate(targets)


def _whiten(features: np.ndarray, targets: np.ndarray) -> _Whitened:
    """Features without correlations, each with a variance of 1."""
    mean = features.mean(0, dtype=np.float64)
    centred = features - mean.astype(np.float32)
    variances, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(centred))
    kept = variances > _FLAT * max(variances[-1], np.finfo(np.float64).tiny)
    whiten = directions[:, kept] / np.sqrt(variances[kept])
    seen = centred @ whiten.astype(np.float32)
    return _Whitened(jnp.asarray(seen), jnp.asarray(targets), mean, whiten)


def _solver(
    data: _Whitened, outputs: int
) -> Callable[[float], tuple[Float64[np.ndarray, "d outputs"], Float64[np.ndarray, " outputs"]]]:
    """From a penalty to weights and biases; each search begins where the last one ended."""
    import scipy.optimize  # takes a while, and control runs alone need it

    directions = data.features.shape[1]
    start = np.zeros((directions + 1) * outputs)

    @jax.jit
    def loss(
        weights: Array, penalty: Array, features: Array, targets: Array
    ) -> tuple[Array, Array]:
        logits = features @ weights[:-1] + weights[-1]
        truth = jax.nn.one_hot(targets, outputs)
        nats = jnp.mean(jax.nn.logsumexp(logits, -1) - jnp.sum(truth * logits, -1))
        errors = (jax.nn.softmax(logits) - truth) / len(targets)
        shrunk = penalty * weights[:-1] / len(targets)
        slope = jnp.concatenate([features.T @ errors + shrunk, errors.sum(0)[None]])
        return nats + 0.5 * jnp.sum(shrunk * weights[:-1]), slope

    def solve(penalty: float) -> tuple[np.ndarray, np.ndarray]:
        nonlocal start

        def scored(flat: np.ndarray) -> tuple[float, np.ndarray]:
            at = jnp.asarray(flat.reshape(directions + 1, outputs), jnp.float32)
            value, slope = loss(at, jnp.float32(penalty), data.features, data.targets)
            return float(value), np.asarray(slope, np.float64).ravel()

        limits = {"maxiter": ITERATIONS, "ftol": 1e-8, "gtol": 1e-6}
        start = scipy.optimize.minimize(
            scored, start, jac=True, method="L-BFGS-B", options=limits
        ).x
        weights = start.reshape(directions + 1, outputs)
        W = data.whiten @ weights[:-1]
        return W, weights[-1] - data.mean @ W

    return solve
