"""Surrogate gradients: forward the hard step, backward a derivative that stands in for it.

Spiking cells bring their surrogate along (`bionet.modules.through_time.surrogates`), and this is
then plain backpropagation through time. Binary networks have signs instead: each layer of them is
given a surrogate while it is trained, and taken out of it again by `finish`, so that what is handed
over and evaluated is the network of signs itself. The smooth twin of `Gradient` is another network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from bionet.modules.interfaces import AbstractLayer
from bionet.modules.through_time.surrogates import Surrogate
from bionet.modules.trained import partition_trained
from bionet.modules.wrapper import AbstractLayerWrapper, AbstractLearningWrapper
from bionet.training.checks.guards import check_descent
from bionet.training.first_order.gradient import Gradient
from bionet.training.first_order.optimizers import start_optimizer
from bionet.training.first_order.twin import SIGNS
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.objective import Objective
from bionet.training.options import Descent
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike


@final
class SurrogateLayer(AbstractLayerWrapper, AbstractLearningWrapper):
    """A layer of signs through which a gradient goes as through its surrogate.

    Args:
        inner: a layer whose activation is a sign; it answers as it did.
        surrogate: the step whose derivative stands in, at the local field.
    """

    inner: AbstractLayer
    surrogate: Surrogate
    sender_shape: tuple[int, ...] | None = eqx.field(static=True)
    receiver_shape: tuple[int, ...] | None = eqx.field(static=True)
    needs_key: bool = eqx.field(static=True)

    def __init__(self, inner: AbstractLayer, surrogate: Surrogate) -> None:
        self.inner, self.surrogate, self.needs_key = inner, surrogate, inner.needs_key
        self.sender_shape, self.receiver_shape = inner.sender_shape, inner.receiver_shape

    def activation(self, local_field: Array) -> Array:
        """The sign of the local field, whose derivative is that of the surrogate."""
        return 2 * self.surrogate(local_field) - 1

    def inner_backward(self, x: Array, y: Array, y_hat: Array, gate: Array | None) -> Any:
        """The pseudo-gradient of the rule inside."""
        return self.inner.backward(x, y, y_hat, gate)


@dataclass(frozen=True)
class SurrogateOptions(Descent):
    """Options of `SurrogateGradient`."""

    kind: str = "arctan"  # the surrogate of a binary network's signs
    slope: float | None = None  # how steeply it falls off; None is usual for the kind


@final
class SurrogateGradient(AbstractMethod):
    """Descends a surrogate gradient of the loss of a spiking or a binary network.

    Args:
        objective: the loss. If its predictor is a `FreeReadout`, all its steps are run.
        optimizer: any Optax transformation without a line search; it sees the trained leaves
            alone, and the loss if it asks for it.
        kind: the surrogate of a binary network's signs, one of `bionet.modules.SURROGATES`.
            Spiking cells keep their own.
        slope: how steeply it falls off; None is the usual slope of the kind.

    Raises:
        ValueError: an unknown kind, with the nearest; at `init`, a model without a trained leaf.

    Example:
        ```python
        import equinox as eqx
        import jax
        import optax
        from bionet import zoo
        from bionet.training import Objective, SurrogateGradient

        recipe = zoo.get("prototypes-local")
        objective = Objective.of(recipe.problem(seed=0))
        method = SurrogateGradient(objective, optax.adam(1e-3), kind="arctan")
        train_state = method.init(recipe.build(), jax.random.key(0))
        step = eqx.filter_jit(method.step)
        train_state, metrics = step(train_state, recipe.synthetic_batch(), jax.random.key(1))
        print(float(metrics["training_loss"]), type(method.finish(train_state).lmap[1, 1]).__name__)
        ```

    Source:
        Neftci, Mostafa and Zenke, "Surrogate gradient learning in spiking neural networks"
        (2019) [neftci2019surrogate]. Ours serves layers of signs as it does spikes.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="surrogate",
        family="first-order",
        summary="Descend a gradient in which smooth derivatives stand in for those of hard steps.",
        needs=(
            "a model with trained leaves and a differentiable forward pass",
            "memory that grows with the number of steps",
        ),
        sources=("neftci2019surrogate",),
    )
    Options: ClassVar[type] = SurrogateOptions

    descent: Gradient
    surrogate: Surrogate

    def __init__(
        self,
        objective: Objective,
        optimizer: optax.GradientTransformation | None = None,
        *,
        kind: str = "arctan",
        slope: ArrayLike | None = None,
    ) -> None:
        self.descent = Gradient(objective, optimizer)
        self.surrogate = Surrogate(kind, slope)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: SurrogateOptions, steps: int
    ) -> SurrogateGradient:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        optimizer = options.build_optimizer(steps)
        kind, slope = options.kind, options.slope
        return cls(workload.objective(config), optimizer, kind=kind, slope=slope)

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, with a surrogate around each layer of signs, and the optimiser's memory."""

        def wrapped(node: Any) -> Any:
            if not isinstance(node, SIGNS):
                return node
            # Arrays of its own for each layer: an epoch works in them.
            return SurrogateLayer(node, jax.tree.map(lambda leaf: leaf.copy(), self.surrogate))

        stop = (*SIGNS, SurrogateLayer)
        model = jax.tree.map(wrapped, model, is_leaf=lambda node: isinstance(node, stop))
        learning, _ = partition_trained(model)
        if not jax.tree.leaves(learning):
            raise unmet(self.spec, self.spec.needs[0], model)
        # Not by `descent.init`, which would make a smooth twin of the signs inside.
        memory = start_optimizer("SurrogateGradient", self.descent.optimizer, learning)
        return TrainState(model, memory, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step of the optimiser along the surrogate gradient on this batch.

        Returns:
            The next state, and the loss before the step and the norm of the gradient.
        """
        return self.descent.step(train_state, batch, key)

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses a loss without a slope, and one that no trained leaf reaches."""
        check_descent(self.spec, self.descent.objective, train_state.model, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The model as it is; a network of signs without its surrogates."""

        def unwrapped(node: Any) -> Any:
            return node.inner if isinstance(node, SurrogateLayer) else node

        return jax.tree.map(
            unwrapped, train_state.model, is_leaf=lambda node: isinstance(node, SurrogateLayer)
        )
