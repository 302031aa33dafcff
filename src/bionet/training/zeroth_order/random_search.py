"""Random search: step somewhere at random, and stay there if the loss is lower.

The plainest method that looks at the loss alone, and so the control for evolution under an equal
number of evaluations. In each step the model and random neighbours of it are evaluated on the
same batch, and the best of them is the next model. It never keeps a step for a loss that
was low on another batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.modules.parameters import positive
from bionet.training.checks.guards import check_dependence
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike
from bionet.training.zeroth_order.population import Population, loss_metrics
from bionet.training.zeroth_order.trained_vector import check_trained, trained_vector, with_trained


@dataclass(frozen=True)
class SearchOptions:
    """Options of `RandomSearch`."""

    population: int = 64  # members per step
    sigma: float = 0.05  # standard deviation of the steps
    chunk: int | None = None  # members that exist at a time; None is all


@final
class RandomSearch(AbstractMethod):
    """Keeps the best of the model and its random neighbours, batch by batch.

    Args:
        objective: the loss.
        population: how many models are evaluated in each step; the present one is one of them.
        sigma: the standard deviation of the Gaussian steps.
        chunk: how many members exist as models at a time; None is all. It has to divide them.
        mesh: devices that share the members, as `batch_mesh` makes them.

    Raises:
        ValueError: fewer than two members, a sigma that is not above 0; at `init`, a model
            without trained leaves.

    Example:
        ```python
        import equinox as eqx
        import jax
        from bionet import zoo
        from bionet.training import Objective, RandomSearch

        recipe = zoo.get("prototypes-local")
        method = RandomSearch(Objective.of(recipe.problem(seed=0)), population=8)
        train_state = method.init(recipe.build(), jax.random.key(0))
        step = eqx.filter_jit(method.step)
        train_state, metrics = step(train_state, recipe.synthetic_batch(), jax.random.key(1))
        print(float(metrics["best_loss"]) <= float(metrics["training_loss"]))
        ```

    Source:
        Rastrigin, "The convergence of the random search method in the extremal control of a
        many parameter system" (1963). Ours draws Gaussian steps, and judges the present model
        anew on each batch.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="random-search",
        family="zeroth-order",
        summary="Evaluate random neighbours of the model, and keep the best.",
        needs=("a model with trained leaves",),
        sources=("rastrigin1963convergence",),
    )
    Options: ClassVar[type] = SearchOptions

    objective: Objective
    sigma: Float[Array, ""]
    population: Population

    def __init__(
        self,
        objective: Objective,
        *,
        population: int = 64,
        sigma: ArrayLike = 0.05,
        chunk: int | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        self.objective = objective
        self.sigma = positive("RandomSearch", "sigma", jnp.asarray(sigma, jnp.float32))
        self.population = Population("RandomSearch", population, chunk, mesh)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: SearchOptions, steps: int
    ) -> RandomSearch:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        return cls(
            workload.objective(config),
            population=options.population,
            sigma=options.sigma,
            chunk=options.chunk,
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model; nothing else is remembered."""
        check_trained(model, self.spec)
        return TrainState(model, None, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """Evaluates the model and its neighbours on the batch, and keeps the best.

        Returns:
            The next state, and the `loss_metrics` of the population.
        """
        model = train_state.model
        steps, shared = jax.random.split(key)
        start = trained_vector(model)

        def member(number: Array) -> PyTree:
            """Member 0 is the model itself."""
            drawn = jax.random.normal(jax.random.fold_in(steps, number), start.shape, start.dtype)
            sigma = jnp.where(number == 0, 0.0, self.sigma).astype(start.dtype)
            return with_trained(model, start + sigma * drawn)

        def loss(number: Array) -> Array:
            return self.objective(member(number), batch, shared)

        losses = self.population.each(jax.vmap(loss), jnp.arange(self.population.size))
        best = jnp.argmin(jnp.where(jnp.isfinite(losses), losses, jnp.inf))
        # Only the winner is drawn again; the others were never all there.
        return TrainState(member(best), None, train_state.step + 1), loss_metrics(losses)

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses a loss that depends on no trained leaf."""
        check_dependence(self.spec, self.objective, train_state.model, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The best model so far."""
        return train_state.model
