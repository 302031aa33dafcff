"""Gradient descent on the loss, with any Optax optimiser: backprop, and through time.

The whole forward pass is differentiated in reverse. For a network that runs over time, or
that settles in so many steps, this is backpropagation through time, and the memory of a
training step grows with the number of steps. Spiking units bring a surrogate derivative of
their own along (`bionet.modules.through_time.surrogates`), so for them the same step is
surrogate-gradient learning. Networks of signs have no slope at all: for them the smooth twin is
trained, see `bionet.training.first_order.twin`, and it is the twin that is handed over and
evaluated.

Reverse mode has to know the number of steps beforehand, so no phase stops early here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray, PyTree

from bionet.modules.trained import apply_trained, partition_trained, trained_mask
from bionet.training.checks.guards import check_descent
from bionet.training.first_order.optimizers import start_optimizer, update_with_loss
from bionet.training.first_order.twin import smooth_twin, unroll
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.objective import Objective
from bionet.training.options import Descent
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike


@dataclass(frozen=True)
class GradientOptions(Descent):
    """Options of `Gradient`."""

    gain: float = 1.0  # steepness of the tanh that stands for a sign in a binary network


@final
class Gradient(AbstractMethod):
    """Descends the gradient of the loss; for a network of signs, that of its smooth twin.

    Args:
        objective: the loss. If its predictor is a `FreeReadout`, all its steps are run.
        optimizer: any Optax transformation without a line search; it sees the trained leaves
            alone, and the loss if it asks for it. Make it once and reuse it: Optax makes new
            functions each time, which are compiled anew.
        gain: the steepness of the twin's tanh, in place of each sign.

    Raises:
        ValueError: at `init`, a model without a trained leaf.

    Example:
        ```python
        import equinox as eqx
        import jax
        import optax
        from bionet import zoo
        from bionet.training import Gradient, Objective

        recipe = zoo.get("prototypes-local")
        method = Gradient(Objective.of(recipe.problem(seed=0)), optax.adam(1e-3))
        train_state = method.init(recipe.build(), jax.random.key(0))
        step = eqx.filter_jit(method.step)
        train_state, metrics = step(train_state, recipe.synthetic_batch(), jax.random.key(1))
        print(float(metrics["training_loss"]))
        ```

    Source:
        Werbos, "Backpropagation through time: what it does and how to do it" (1990). The
        derivative is JAX's own.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="backprop",
        family="first-order",
        summary="Descend the gradient of the loss, through time where there is any.",
        needs=(
            "a model with trained leaves and a differentiable forward pass",
            "memory that grows with the number of steps",
        ),
        sources=("werbos1990backpropagation",),
    )
    Options: ClassVar[type] = GradientOptions

    objective: Objective
    optimizer: optax.GradientTransformation
    gain: Array = eqx.field(converter=jnp.asarray)

    def __init__(
        self,
        objective: Objective,
        optimizer: optax.GradientTransformation | None = None,
        *,
        gain: float = 1.0,
    ) -> None:
        self.objective = eqx.tree_at(
            lambda one: one.predict,
            objective,
            unroll(objective.predict),
            is_leaf=lambda node: node is objective.predict,
        )
        self.optimizer = optax.adam(1e-3) if optimizer is None else optimizer
        self.gain = jnp.asarray(gain, jnp.float32)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: GradientOptions, steps: int
    ) -> Gradient:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        optimizer = options.build_optimizer(steps)
        return cls(workload.objective(config), optimizer, gain=options.gain)

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, or its smooth twin, and the optimiser's memory of the trained leaves."""
        model = smooth_twin(model, self.gain)
        learning, _ = partition_trained(model)
        if not jax.tree.leaves(learning):
            raise unmet(self.spec, self.spec.needs[0], model)
        memory = start_optimizer("Gradient", self.optimizer, learning)
        return TrainState(model, memory, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step of the optimiser along the gradient on this batch.

        Returns:
            The next state, and the loss before the step and the norm of the gradient.
        """
        loss, gradient = loss_and_gradient(self.objective, train_state.model, batch, key)
        learning, _ = partition_trained(train_state.model)
        updates, memory = update_with_loss(
            "Gradient", self.optimizer, gradient, train_state.memory, learning, loss
        )
        model = apply_trained(train_state.model, updates)
        told = {"training_loss": loss, "gradient_norm": optax.tree.norm(gradient)}
        return TrainState(model, memory, train_state.step + 1), told

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses a loss without a slope, and one that no trained leaf reaches."""
        check_descent(self.spec, self.objective, train_state.model, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The model as it is; for a network of signs, its twin as trained."""
        return train_state.model


def loss_and_gradient(
    objective: Objective, model: PyTree, batch: tuple[Array, ...], key: PRNGKeyArray
) -> tuple[Array, PyTree]:
    """The loss of a model on a batch, and its gradient for the trained entries alone.

    Args:
        objective: the loss.
        model: any model with a differentiable forward pass.
        batch: what `objective` takes.
        key: of what is random in the forward pass.

    Returns:
        The loss, and a tree of the structure of the model's trained leaves. Entries that do
        not learn, such as a fixed diagonal, have a zero, so that norms count what moves.
    """
    learning, rest = partition_trained(model)

    def loss(learning: PyTree) -> Array:
        return objective(eqx.combine(learning, rest), batch, key)

    value, gradient = jax.value_and_grad(loss)(learning)
    return value, jax.tree.map(_mask, trained_mask(model), gradient, is_leaf=_is_none)


def _mask(mask: bool | Array, gradient: Array | None) -> Array | None:
    if gradient is None or isinstance(mask, bool):
        return gradient
    return jnp.where(mask, gradient, jnp.zeros_like(gradient))


def _is_none(leaf: object) -> bool:
    return leaf is None
