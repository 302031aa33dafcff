"""The frozen control for any model: its own features at the random start, and a ridge readout.

`bionet.training.frozen` does this for orchestrators, whose readout can be found. Another model
says by a `LinearReadout` what its readout listens to and how solved weights are put into it. The
sums over the training batches are gathered once and solved exactly, with a bias that carries no
penalty, so there is no rate to tune.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple, final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.training.evaluate import evaluate
from bionet.training.fit import fit
from bionet.training.frozen import RIDGES, FrozenControl
from bionet.training.health import comparable
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.problem import Problem


class LinearReadout(NamedTuple):
    """Where a model's linear readout is.

    Attributes:
        features: `(model, x, key) -> (n, d)`, what the readout listens to.
        solved: `(model, W, b) -> model` with the readout `features @ W + b`, for `W` of shape
            (d, outputs) and `b` of shape (outputs,).
        widths: `model -> (d, outputs)`.
    """

    features: Callable[[PyTree, Array, PRNGKeyArray], Float[Array, "n d"]]
    solved: Callable[[PyTree, Array, Array], PyTree]
    widths: Callable[[PyTree], tuple[int, int]]


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

        Returns:
            The next state, and the root mean square of the features.
        """
        x, y = batch
        model, (squares, products) = train_state.model, train_state.memory
        seen = self.readout.features(model, x, key)
        feature_size = jnp.sqrt(jnp.mean(seen**2))
        seen = jnp.concatenate([seen, jnp.ones((len(seen), 1))], axis=-1)
        sums = (squares + seen.T @ seen, products + seen.T @ y)
        return TrainState(model, sums, train_state.step + 1), {"feature_size": feature_size}

    def finish(self, train_state: TrainState) -> PyTree:
        """The model with the readout that the sums so far ask for."""
        import scipy.linalg  # takes a while, and control runs alone need it

        ridge = float(self.ridge)
        if not ridge >= 0:
            raise ValueError(f"FrozenReadout: ridge needs 0 or more, got {ridge}.")
        squares, products = (np.asarray(part, np.float64) for part in train_state.memory)
        penalty = np.diag([ridge] * (len(squares) - 1) + [0.0])
        try:
            weights = scipy.linalg.solve(squares + penalty, products, assume_a="sym")
        except np.linalg.LinAlgError:
            raise ValueError(
                f"FrozenReadout: with ridge={ridge} the readout has no single solution; take a "
                "larger one."
            ) from None
        W, b = (jnp.asarray(part, jnp.float32) for part in (weights[:-1], weights[-1]))
        return self.readout.solved(train_state.model, W, b)


def frozen_readout_control(
    problem: Problem,
    readout: LinearReadout,
    *,
    key: PRNGKeyArray,
    ridges: Sequence[float] = RIDGES,
) -> FrozenControl:
    """The control of a model whose hidden layers stay at their random start.

    Args:
        problem: with the untrained model, and a validation split.
        readout: where its readout is.
        key: of the order of the batches, and of models that use randomness.
        ridges: the penalties to choose from, on the validation split.

    Raises:
        ValueError: no validation split, or no penalty to choose from.
    """
    examples = problem.validation
    if examples is None or len(ridges) == 0:
        raise ValueError(
            "frozen_readout_control: needs a validation split and one penalty at least to choose "
            "the ridge on."
        )
    method = FrozenReadout(readout)
    untested = replace(problem, validation=None, test=None)
    gathered = fit(untested, method, epochs=1, key=key, progress=False).train_state
    found: list[FrozenControl] = []
    for ridge in ridges:
        model = FrozenReadout(readout, ridge=ridge).finish(gathered)
        scores = evaluate(problem, model, examples, key)
        found.append(FrozenControl(model, "features", ridge, scores, {}))
    best = max(found, key=lambda one: comparable(one.validation[problem.metric_name]))
    if problem.test is None:
        return best
    return replace(best, test=evaluate(problem, best.model, problem.test, key))
