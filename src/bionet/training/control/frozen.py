"""The control: a hidden layer that stays at its random start, and the best linear readout.

A random layer with a good readout is a strong learner by itself, so a method that
trains the hidden layer has shown something only where it beats this. The readout is the
ridge regression of the labels on what the output row listens to. Its sums are gathered
batch by batch and it is solved once, exactly, so there is no rate to tune and one pass
is enough.

`frozen_control` is the better of two, by validation: the hidden layers with their
dynamics, and the same without recurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet._core.names import unknown
from bionet.layer_maps.sparse import Edge
from bionet.modules.dense import Dense
from bionet.modules.interfaces import AbstractModule
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.settle import settle
from bionet.states.sequential import SequentialState
from bionet.training.batches import AbstractBatches
from bionet.training.control.frozen_control import (
    FrozenControl,
    Hidden,
    choose_control,
    gather_sums,
    judge_control,
    solve_control,
    with_ridge,
)
from bionet.training.control.ridge import solve_ridge
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.options import Pairs, as_pairs, later
from bionet.training.problem import Problem
from bionet.training.workload import WorkloadLike


@dataclass(frozen=True)
class FrozenOptions:
    """Options of the frozen control as a method."""

    ridge: float = 100.0  # penalty on the readout weights; nothing to a readout that is trained
    method: str | None = later(None)  # trains a readout that can't be solved; None is the recipe's
    method_options: Pairs = later(())  # options of that method

    def __post_init__(self) -> None:
        object.__setattr__(self, "method_options", as_pairs(self.method_options))

    def completed(self, own: str, own_options: Any) -> FrozenOptions:
        """The options with the recipe's own method as the one that trains, if none is named."""
        if self.method is not None:
            return self
        kept = {each.name: getattr(own_options, each.name) for each in fields(own_options)}
        return replace(self, method=own, method_options=as_pairs(kept))


@final
class FrozenHidden(AbstractMethod):
    """Trains the readout alone, by ridge regression on the frozen hidden activity.

    Args:
        state: gives the sizes of the buffers.
        steps: the most steps in which the hidden layers settle.
        ridge: the penalty on the readout weights, added to the diagonal of the sum of
            squares over all examples.
        hidden: "dynamics" as they are, or "feed-forward", with the couplings among and
            back to hidden layers taken out.

    Raises:
        ValueError: at `init`, a model whose output row does not listen through dense adapters
            that learn a leaf `W`, as `FullyConnected` and `SoftmaxReadout` do.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="frozen",
        family="control",
        summary="Leave the hidden layers at their random start and solve the readout.",
        needs=("an orchestrator whose output row listens through dense adapters that learn",),
    )
    Options: ClassVar[type] = FrozenOptions

    state: SequentialState
    ridge: Float[Array, ""]
    steps: int = eqx.field(static=True)
    hidden: Hidden = eqx.field(static=True)

    def __init__(
        self,
        state: SequentialState,
        *,
        steps: int = 10,
        ridge: ArrayLike = 100.0,
        hidden: Hidden = "dynamics",
    ) -> None:
        if hidden not in get_args(Hidden):
            raise ValueError(f"FrozenHidden: {unknown('hidden', hidden, get_args(Hidden))}")
        if steps < 0:
            raise ValueError(f"FrozenHidden: steps needs 0 or more, got {steps}.")
        self.state, self.steps, self.hidden = state, steps, hidden
        self.ridge = jnp.asarray(ridge, jnp.float32)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: FrozenOptions, steps: int
    ) -> AbstractMethod:
        """The method that leaves a workload's network as its frozen control does.

        Args:
            workload: what is left at its random start, but for its readout.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, for a readout that is trained.

        Raises:
            ValueError: the workload has no frozen control.
        """
        if workload.control is None:
            raise ValueError(
                "The method 'frozen' needs a hidden layer to freeze and a readout to solve or "
                f"train, but workload {workload.id!r} has no frozen control: all weights of its "
                "network are what is to be learned. Its baselines say what can be had without "
                "training them."
            )
        return workload.control.as_method(workload, config, options, steps)

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, without recurrence if asked for, and empty sums."""
        if not isinstance(model, AbstractOrchestrator) or not _linear_readout(model):
            raise unmet(self.spec, self.spec.needs[0], model)
        if self.hidden == "feed-forward":
            model = without_recurrence(model)
        widths = [model.lmap[edge].W.shape for edge in _readout_edges(model)]
        features, classes = sum(shape[0] for shape in widths), widths[0][1]
        sums = (jnp.zeros((features, features)), jnp.zeros((features, classes)))
        return TrainState(model, sums, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """Adds a batch (inputs, labels) to the sums; no weight moves."""
        x, y = batch
        network = train_state.model
        state, result = settle(
            network, self.state.place(x), rng=key, max_steps=self.steps, phase="free"
        )
        seen = jnp.concatenate([state[j] for _, j in _readout_edges(network)], axis=-1)
        squares, products = train_state.memory
        sums = (squares + seen.T @ seen, products + seen.T @ y)
        told = {"free_settled": result.settled.astype(jnp.float32)}
        return TrainState(network, sums, train_state.step + 1), told

    def finish(self, train_state: TrainState) -> PyTree:
        """The network with the readout that the sums so far ask for."""
        ridge = float(self.ridge)
        weights = solve_ridge("FrozenHidden", train_state.memory, ridge, bias=False)
        return _with_readout(train_state.model, weights)


def frozen_control(
    problem: Problem,
    state: SequentialState,
    *,
    steps: int,
    key: PRNGKeyArray,
    ridges: Sequence[float] | None = None,
    refit: AbstractBatches | None = None,
) -> FrozenControl:
    """The frozen-hidden control of a problem, at the width of its model.

    Both frozen networks see every training batch once. Variant and ridge penalty are
    chosen on the validation split, never on the test split.

    Args:
        problem: with the untrained model, and a validation split.
        state: gives the sizes of the buffers.
        steps: the most steps in which the hidden layers settle.
        key: of the order of the batches, and of modules that use randomness.
        ridges: the penalties to choose from; None is `bionet.training.control.ridge.RIDGES`, and
            beyond either end of them by tens for as long as that is better on the validation split.
        refit: batches over which the chosen readout is solved once more, where the final
            run may learn from the validation split too.

    Raises:
        ValueError: no validation split, or a model without a linear readout.
    """
    if ridges is not None and len(ridges) == 0:
        raise ValueError("frozen_control: ridges needs one penalty at least to choose from.")
    if problem.validation is None:
        raise ValueError("frozen_control: needs a validation split to choose the ridge on.")
    methods = {kind: FrozenHidden(state, steps=steps, hidden=kind) for kind in get_args(Hidden)}
    best = choose_control(
        problem,
        [solve_control(problem, each, hidden, key, ridges) for hidden, each in methods.items()],
    )
    if refit is not None:
        method = with_ridge(methods[best.hidden], best.ridge)
        sums = gather_sums(replace(problem, train=refit), method, key)
        best = replace(best, model=method.finish(sums))
    return judge_control(problem, best, key)


def without_recurrence(model: AbstractOrchestrator) -> AbstractOrchestrator:
    """The model with every coupling from a layer to itself or to an earlier one at zero."""
    last = model.lmap.last

    def cut(edge: Edge, module: AbstractModule) -> AbstractModule:
        i, j = edge
        if i == last or j < i:
            return module
        if isinstance(module, NestedNetwork):  # a node stays; what is cut lies inside it
            return eqx.tree_at(lambda node: node.inner, module, without_recurrence(module.inner))
        return jax.tree.map(
            lambda leaf: jnp.zeros_like(leaf) if eqx.is_inexact_array(leaf) else leaf, module
        )

    return eqx.tree_at(lambda o: o.lmap, model, model.lmap.map_edges(cut))


def _readout_edges(model: AbstractOrchestrator) -> list[Edge]:
    last = model.lmap.last
    return [(last, j) for j in model.lmap.cols_of(last) if j != last]


def _linear_readout(model: AbstractOrchestrator) -> bool:
    edges = _readout_edges(model)
    return bool(edges) and all(_solvable(model.lmap[edge]) for edge in edges)


def _solvable(module: AbstractModule) -> bool:
    """Returns whether the message is `x @ W`, and all of the leaf `W` learns."""
    return isinstance(module, Dense) and module.trained().get("W") is True and _plain(module)


def _plain(module: AbstractModule) -> bool:
    """Returns whether the matrix is the leaf `W` itself, and not made of it, by normalising say."""
    return module.matrix is module.W  # pyright: ignore[reportAttributeAccessIssue]


def _with_readout(model: AbstractOrchestrator, weights: np.ndarray) -> AbstractOrchestrator:
    edges = _readout_edges(model)
    old = [model.lmap[edge].W for edge in edges]
    cuts = np.cumsum([w.shape[0] for w in old])[:-1]
    new = [jnp.asarray(part, w.dtype) for part, w in zip(np.split(weights, cuts), old, strict=True)]
    return eqx.tree_at(lambda o: [o.lmap[edge].W for edge in edges], model, new)
