"""Looks at a method and a problem on a first batch, before anything is trained.

What a pair gets wrong without a word is found here: a method that trains another function than
the one that is evaluated, a loss without a slope, weights that the loss does not depend on, and
targets in a code that nobody reads. A method that can get something wrong has a `guard`, and
calls what it needs of the checks below. All of them run once, outside of the compiled epochs.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal
from jaxtyping import Array, PRNGKeyArray, PyTree

from bionet.modules.trained import partition_trained
from bionet.training.checks.target_codes import check_targets, first_batch
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.problem import Predict, Problem

Batch = tuple[Array, ...]
TOLERANCE = 1e-5
RANDOM_OUTPUTS = 2


@runtime_checkable
class Guarded(Protocol):
    """A method that looks at a first batch before it trains."""

    def guard(
        self, train_state: TrainState, batch: Batch, key: PRNGKeyArray, predict: Predict
    ) -> None:
        """Raises a ValueError where the method cannot train what `predict` evaluates."""
        ...


def check_first_batch(
    problem: Problem, method: AbstractMethod, train_state: TrainState, key: PRNGKeyArray
) -> None:
    """Refuses a problem and a method that do not go together.

    Args:
        problem: gives the batch, and how its models are evaluated.
        method: any; one without a `guard` is not asked.
        train_state: where it starts.
        key: of the batch, and of what is random in the model.

    Raises:
        ValueError: what does not fit, and what to do.
    """
    check_targets(problem, key)
    if not isinstance(method, Guarded):
        return
    batch = first_batch(problem.train, key)
    method.guard(train_state, batch, key, problem.predict)


def check_slope(
    spec: MethodSpec, objective: Objective, model: PyTree, batch: Batch, key: PRNGKeyArray
) -> None:
    """Refuses a loss whose derivative by the outputs is zero wherever it is looked at.

    It is looked at for two random outputs, and for those of the model.

    Args:
        spec: of the method that descends the loss.
        objective: the loss.
        model: as it is trained.
        batch: inputs and targets.
        key: of the random outputs, and of what is random in the model.

    Raises:
        ValueError: such a loss, or outputs that have no derivative.
    """
    x, y = batch
    like = eqx.filter_eval_shape(objective.predict, model, x, key)
    if not any(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.tree.leaves(like)):
        raise ValueError(
            f"The method {spec.name!r} needs outputs with a derivative, but the predictor returns "
            f"{_dtypes(like)}. Let it return scores, and leave an argmax to the metric."
        )
    drawn = (_draw(k, like) for k in jax.random.split(key, RANDOM_OUTPUTS))
    if any(_has_slope(objective, outputs, y) for outputs in drawn):
        return
    outputs = _predict(objective.predict, model, x, key)
    if _has_slope(objective, outputs, y):
        return
    if not jnp.isfinite(objective.judged(outputs, y)):
        return  # a loss without a value is another fault, which training tells of
    raise ValueError(
        f"The method {spec.name!r} needs a loss with a slope, but the derivative of this loss by "
        "the outputs is zero at the model's outputs and at random ones, as that of a count is. "
        "Take a loss that is smooth, or a method that only compares losses, such as 'es'."
    )


def check_descent(
    spec: MethodSpec, objective: Objective, model: PyTree, batch: Batch, key: PRNGKeyArray
) -> None:
    """Refuses what no gradient can train: `check_slope`, and `check_dependence` of the gradient."""
    check_slope(spec, objective, model, batch, key)
    check_dependence(spec, objective, model, batch, key, descends=True)


def check_forward(
    spec: MethodSpec, own: Any, predict: Predict, model: PyTree, x: Array, key: PRNGKeyArray
) -> None:
    """Refuses a predictor whose outputs are not those that the method computes by itself.

    Args:
        spec: of the method.
        own: `(model, x) -> outputs`, the method's own forward pass.
        predict: how the model answers where it is evaluated.
        model: as it is trained.
        x: a batch of inputs.
        key: of what is random in the predictor.

    Raises:
        ValueError: outputs that differ by more than 1e-5 of the largest one.
    """
    with jax.default_matmul_precision("highest"):
        wanted = jnp.asarray(_predict(predict, model, x, key))
        try:
            found = _own(own, model, x)
        except (TypeError, ValueError) as error:
            raise _unfollowed(spec, f"and cannot do so on inputs of shape {x.shape}") from error
    if found.shape != wanted.shape:
        raise _unfollowed(
            spec, f"of shape {found.shape}, where the predictor returns {wanted.shape}"
        )
    wide = jnp.promote_types(wanted.dtype, jnp.float32)
    difference = float(jnp.abs(found.astype(wide) - wanted.astype(wide)).max())
    size = float(jnp.abs(wanted.astype(wide)).max())
    if not difference <= max(TOLERANCE, 8 * float(jnp.finfo(found.dtype).eps)) * size:
        raise _unfollowed(
            spec, f"and they differ by up to {difference:.4g}, where the largest is {size:.4g}"
        )


def check_dependence(
    spec: MethodSpec,
    objective: Objective,
    model: PyTree,
    batch: Batch,
    key: PRNGKeyArray,
    *,
    descends: bool = False,
) -> None:
    """Refuses a loss that depends on no trained leaf, as far as its traced program shows.

    Values are not looked at, so this costs a trace and nothing else.

    Args:
        spec: of the method.
        objective: the loss.
        model: as it is trained.
        batch: inputs and targets.
        key: of what is random in the model.
        descends: whether it is the derivative that has to depend on them; behind a
            `stop_gradient`, a sign or an argmax it is zero by construction.

    Raises:
        ValueError: such a loss.
    """
    learning, rest = partition_trained(model)
    arrays, static = eqx.partition((rest, batch, key), eqx.is_array)

    def loss(learning: PyTree, arrays: PyTree) -> Array:
        rest, batch, key = eqx.combine(arrays, static)
        return objective(eqx.combine(learning, rest), batch, key)

    if not descends:
        sources = len(jax.tree.leaves(learning))
        if _touched(jax.make_jaxpr(loss)(learning, arrays).jaxpr, sources):
            return
        raise ValueError(
            f"The method {spec.name!r} cannot train this model: the loss depends on no trained "
            "leaf. Look for a predictor that takes no weights of the model."
        )
    slope = jax.grad(loss)
    if _touched(jax.make_jaxpr(slope)(learning, arrays).jaxpr):
        return
    if any((leaf != 0).any() for leaf in jax.tree.leaves(slope(learning, arrays))):
        return  # it is constant, and not zero: a loss that is linear in the weights alone
    raise ValueError(
        f"The method {spec.name!r} cannot train this model: the loss has no derivative by any "
        "trained leaf. Look for a sign, an argmax or a stop_gradient on the way, or for a "
        "predictor that takes no weights of the model."
    )


def _draw(key: PRNGKeyArray, like: PyTree) -> PyTree:
    """Outputs of the same shapes; those that have no derivative are zero."""

    def draw(leaf: Any) -> Array:
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            return jax.random.normal(key, leaf.shape, leaf.dtype)
        return jnp.zeros(leaf.shape, leaf.dtype)

    return jax.tree.map(draw, like)


@eqx.filter_jit
def _slope(objective: Objective, outputs: PyTree, y: Array) -> Array:
    inexact, rest = eqx.partition(outputs, eqx.is_inexact_array)
    slope = jax.grad(lambda part: objective.judged(eqx.combine(part, rest), y))(inexact)
    return jnp.stack([(leaf != 0).any() for leaf in jax.tree.leaves(slope)]).any()


def _has_slope(objective: Objective, outputs: PyTree, y: Array) -> bool:
    return bool(_slope(objective, outputs, y))


@eqx.filter_jit
def _predict(predict: Predict, model: PyTree, x: Array, key: PRNGKeyArray) -> Any:
    return predict(model, x, key)


@eqx.filter_jit
def _own(forward: Any, model: PyTree, x: Array) -> Array:
    return forward(model, x)


def _dtypes(like: PyTree) -> str:
    return " and ".join(sorted({str(leaf.dtype) for leaf in jax.tree.leaves(like)}))


def _unfollowed(spec: MethodSpec, difference: str) -> ValueError:
    return ValueError(
        f"The method {spec.name!r} computes the outputs by itself, {difference}: the predictor "
        "does something else than the model alone. Put what it does into the data or the model, or "
        "take a method that follows any predictor, such as 'backprop'."
    )


def _touched(traced: Jaxpr, sources: int | None = None) -> bool:
    """Returns whether the result of a traced program depends on the first so many of its inputs."""
    seen = set(traced.invars[:sources])
    for eqn in traced.eqns:
        if any(not isinstance(var, Literal) and var in seen for var in eqn.invars):
            seen |= set(eqn.outvars)
    return any(not isinstance(var, Literal) and var in seen for var in traced.outvars)
