"""The frozen control for any model: its own features at the random start, and a ridge readout.

`bionet.training.control.frozen` does this for orchestrators, whose readout can be found. Another
model says by a `LinearReadout` what its readout listens to and how solved weights are put into it.
The sums over the training batches are gathered once and solved exactly, with a bias that carries no
penalty, so there is no rate to tune. A readout that answers at each step of a sequence is solved
over all steps: each counts as an example, and no feature is kept once it is in the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.training.control.frozen_control import (
    FrozenControl,
    choose_control,
    judge_control,
    solve_control,
)
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.control.ridge import solve_ridge
from bionet.training.control.softmax_readout import fit_softmax
from bionet.training.evaluate import evaluate
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.problem import Problem


@final
class FrozenReadout(AbstractMethod):
    """Leaves a model as it is and solves its readout by ridge regression of the targets.

    Args:
        readout: where the readout is.
        ridge: the penalty on its weights; its bias has none.

    Raises:
        ValueError: at `init`, a model without that readout; at `finish`, a negative penalty, or
            one with which there is no solution.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="frozen-readout",
        family="control",
        summary="Leave the model at its random start and solve its linear readout.",
        needs=("a model with a linear readout",),
    )

    readout: LinearReadout
    ridge: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def __init__(self, readout: LinearReadout, *, ridge: ArrayLike = 100.0) -> None:
        self.readout, self.ridge = readout, jnp.asarray(ridge, jnp.float32)

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, and empty sums."""
        try:
            d, outputs = self.readout.widths(model)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise unmet(self.spec, self.spec.needs[0], model) from None
        sums = (jnp.zeros((d + 1, d + 1)), jnp.zeros((d + 1, outputs)))
        return TrainState(model, sums, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """Adds a batch (inputs, targets) to the sums; no weight moves.

        Targets are a row of numbers per example, or per step of it, or class numbers, which count
        as rows of zeros with a one.

        Returns:
            The next state, and the root mean square of the features.
        """
        x, y = batch
        model, (squares, products) = train_state.model, train_state.memory
        seen = self.readout.features(model, x, key)
        feature_size = jnp.sqrt(jnp.mean(seen**2))
        seen = seen.reshape(-1, seen.shape[-1])
        seen = jnp.concatenate([seen, jnp.ones((len(seen), 1))], axis=-1)
        sums = (squares + seen.T @ seen, products + seen.T @ _rows(y, products.shape[1]))
        return TrainState(model, sums, train_state.step + 1), {"feature_size": feature_size}

    def finish(self, train_state: TrainState) -> PyTree:
        """The model with the readout that the sums so far ask for."""
        ridge = float(self.ridge)
        weights = solve_ridge("FrozenReadout", train_state.memory, ridge, bias=True)
        W, b = (jnp.asarray(part, jnp.float32) for part in (weights[:-1], weights[-1]))
        return self.readout.solved(train_state.model, W, b)


def frozen_readout_control(
    problem: Problem,
    readout: LinearReadout,
    *,
    key: PRNGKeyArray,
    ridges: Sequence[float] | None = None,
) -> FrozenControl:
    """The control of a model whose hidden layers stay at their random start.

    Where targets are class numbers, the metric is that of the ridge, and the loss that of a softmax
    readout on the same features, see `bionet.training.control.softmax_readout`.

    Args:
        problem: with the untrained model, and a validation split.
        readout: where its readout is.
        key: of the order of the batches, and of models that use randomness.
        ridges: the penalties to choose from, on the validation split; None is
            `bionet.training.control.ridge.RIDGES`, and beyond either end of them by tens for as
            long as that is better.

    Raises:
        ValueError: no validation split, or no penalty to choose from.
    """
    if problem.validation is None or (ridges is not None and len(ridges) == 0):
        raise ValueError(
            "frozen_readout_control: needs a validation split and one penalty at least to choose "
            "the ridge on."
        )
    method, calm = FrozenReadout(readout), None
    controls = [solve_control(problem, method, "features", key, ridges)]
    if readout.without_recurrence is not None:
        calm = replace(problem, model=readout.without_recurrence(problem.model))
        controls.append(solve_control(calm, method, "feed-forward", key, ridges))
    best = judge_control(problem, choose_control(problem, controls), key)
    if not jnp.issubdtype(problem.validation.y.dtype, jnp.integer):
        return best
    chosen = calm if calm is not None and best.hidden == "feed-forward" else problem
    return _with_softmax_loss(chosen, readout, best, key)


def _with_softmax_loss(
    problem: Problem, readout: LinearReadout, control: FrozenControl, key: PRNGKeyArray
) -> FrozenControl:
    """The control with the loss of a softmax readout in place of the ridge's.

    The softmax readout's own metric stands beside that of the ridge, as "softmax accuracy" say.
    """
    softmax = fit_softmax(problem, readout, key=key)

    def beside(ridge: dict[str, float], scores: dict[str, float]) -> dict[str, float]:
        named = {f"softmax {problem.metric_name}": scores[problem.metric_name]}
        return ridge | {"loss": scores["loss"]} | named

    validation, test = beside(control.validation, softmax.validation), control.test
    if problem.test is not None:
        test = beside(test, evaluate(problem, softmax.model, problem.test, key))
    return replace(control, validation=validation, test=test, softmax=softmax)


def _rows(y: Array, outputs: int) -> Float[Array, "rows outputs"]:
    """Targets as a row of numbers each."""
    if jnp.issubdtype(y.dtype, jnp.integer):
        return jax.nn.one_hot(y.reshape(-1), outputs)
    return y.reshape(-1, outputs)
