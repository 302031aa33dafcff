"""Evolution with members that differ from their mean by a matrix of low rank.

A full perturbation of a weight matrix is as large as the matrix, for each member. Here it is
`sigma / sqrt(rank) * A @ B.T` with two thin factors, and it is never formed: the product of a
batch with the mean weights is computed once for the whole population, and each member adds its
own thin correction (`bionet.kernels.low_rank` does so for any model). The sum over many members of
rank-one matrices has full rank again, so nothing is lost but some variance.

What a member's noise was is known from its key, so it is drawn twice and never kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet._core.names import unknown
from bionet.kernels.low_rank import run_low_rank
from bionet.modules.parameters import positive, width
from bionet.modules.trained import apply_trained, partition_trained
from bionet.training.checks.guards import check_dependence
from bionet.training.first_order.optimizers import start_optimizer, update_with_loss
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.options import Descent, later
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike
from bionet.training.zeroth_order.low_rank_noise import Noise, NoiseOfModel
from bionet.training.zeroth_order.population import Population, finite_losses, loss_metrics
from bionet.training.zeroth_order.trained_vector import check_trained

Shaping = Literal["z-score", "centered-rank", "raw"]


@dataclass(frozen=True)
class LowRankOptions(Descent):
    """Options of `LowRankES`."""

    learning_rate: float = 1e-2  # of the optimiser, at the start
    rank: int = 1  # of a member's perturbation of each matrix
    population: int = 256  # members per generation
    antithetic: bool = True  # whether they come in pairs of opposite noise
    sigma: float = 0.05  # standard deviation of the perturbations
    chunk: int | None = None  # members that are evaluated at a time; None is all
    shaping: Shaping = later("z-score")  # what is made of the losses: z-score, centered-rank or raw


@final
class LowRankES(AbstractMethod):
    """Evolution strategy with low-rank perturbations, for any model and any Optax optimiser.

    Matrices are perturbed by low-rank noise, vectors and single numbers by full noise. A leaf of
    more axes, such as a kernel, and a leaf of which a mask holds some entries get low-rank
    noise too, but theirs is formed, because what is done with them is no plain product; held
    entries are neither perturbed nor moved.

    Args:
        objective: the loss.
        rank: of a member's perturbation of a matrix.
        population: how many members are evaluated in each step.
        sigma: the standard deviation of each perturbed entry.
        antithetic: whether members come in pairs, whose noise has opposite signs.
        shaping: what a member's loss counts: "z-score" (by how many standard deviations it is
            above the mean), "centered-rank" (its rank, from -1/2 to 1/2), or "raw".
        chunk: how many members are evaluated at a time; None is all. It has to divide them.
        mesh: devices that share the members, as `batch_mesh` makes them.
        optimizer: any Optax transformation without a line search, which descends the estimated
            gradient of the trained leaves; Adam unless given. If it asks for the loss, it sees
            the mean over the members.

    Raises:
        ValueError: a sigma that is not above 0, a rank below 1, fewer than two members, an odd
            number of them where they come in pairs, an unknown shaping; at `init`, a model
            without trained leaves.

    Example:
        ```python
        import equinox as eqx
        import jax
        from bionet import zoo
        from bionet.training import LowRankES, Objective

        recipe = zoo.get("prototypes-local")
        method = LowRankES(Objective.of(recipe.problem(seed=0)), population=8, sigma=0.1)
        train_state = method.init(recipe.build(), jax.random.key(0))
        step = eqx.filter_jit(method.step)
        train_state, metrics = step(train_state, recipe.synthetic_batch(), jax.random.key(1))
        print(float(metrics["training_loss"]), int(metrics["evaluations"]))
        ```

    Source:
        Sarkar et al., "Evolution Strategies at the Hyperscale" (2025) [sarkar2025evolution]. Ours
        finds the products in any model's traced program, instead of asking for special
        layers, and divides by sigma, so that "raw" estimates the gradient itself.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="lowrank-es",
        family="zeroth-order",
        summary="Evaluate a population whose members differ by matrices of low rank.",
        needs=("a model with trained leaves",),
        sources=("sarkar2025evolution", "salimans2017evolution"),
    )
    Options: ClassVar[type] = LowRankOptions

    objective: Objective
    sigma: Float[Array, ""]
    optimizer: optax.GradientTransformation
    population: Population
    rank: int = eqx.field(static=True)
    shaping: Shaping = eqx.field(static=True)

    def __init__(
        self,
        objective: Objective,
        *,
        rank: int = 1,
        population: int = 256,
        sigma: ArrayLike = 0.05,
        antithetic: bool = True,
        shaping: Shaping = "z-score",
        chunk: int | None = None,
        mesh: Mesh | None = None,
        optimizer: optax.GradientTransformation | None = None,
    ) -> None:
        if shaping not in get_args(Shaping):
            raise ValueError(f"LowRankES: {unknown('shaping', shaping, get_args(Shaping))}")
        self.objective, self.shaping = objective, shaping
        self.rank = width("LowRankES", "rank", rank)
        self.sigma = positive("LowRankES", "sigma", jnp.asarray(sigma, jnp.float32))
        self.population = Population("LowRankES", population, chunk, mesh, paired=antithetic)
        self.optimizer = optax.adam(1e-2) if optimizer is None else optimizer

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: LowRankOptions, steps: int
    ) -> LowRankES:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        return cls(
            workload.objective(config),
            rank=options.rank,
            population=options.population,
            sigma=options.sigma,
            antithetic=options.antithetic,
            shaping=options.shaping,
            chunk=options.chunk,
            optimizer=options.build_optimizer(steps),
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, and the optimiser's memory of the trained leaves."""
        check_trained(model, self.spec)
        learning, _ = partition_trained(model)
        memory = start_optimizer("LowRankES", self.optimizer, learning)
        return TrainState(model, memory, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One generation: evaluate all members on the batch, and move against the estimate.

        Returns:
            The next state, and the `loss_metrics` of the population.
        """
        gradient, losses = self.gradient(train_state.model, batch, key)
        learning, _ = partition_trained(train_state.model)
        updates, memory = update_with_loss(
            *("LowRankES", self.optimizer, gradient, train_state.memory, learning),
            finite_losses(losses).mean(),
        )
        model = apply_trained(train_state.model, updates)
        return TrainState(model, memory, train_state.step + 1), loss_metrics(losses)

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
        """The mean of the population, which is the model."""
        return train_state.model

    def gradient(
        self, model: PyTree, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[PyTree, Float[Array, "rows signs"]]:
        """The estimate of the gradient of the loss, and the loss of each member.

        With N members and perturbations `sigma * E_i` it is `sum_i s_i E_i / (N sigma)`, where
        `s_i` is the shaped loss. With "raw" shaping it has the length of the gradient: its mean
        is the gradient itself where the loss is linear or quadratic in the trained leaves, and
        that of the loss smoothed by the noise otherwise. With "z-score" it is shorter by the
        standard deviation of the losses.

        Args:
            model: the mean of the population.
            batch: what the objective takes.
            key: of the noise, and of what is random in the objective.

        Returns:
            A tree like the trained leaves of the model, and the losses: a row per member, or
            per pair with its two signs.
        """
        noise_key, shared = jax.random.split(key)
        _, rest = partition_trained(model)
        noise = NoiseOfModel(model, self.rank)
        signs = jnp.asarray([1.0, -1.0] if self.population.paired else [1.0])

        def loss(learning: PyTree) -> Array:
            return self.objective(eqx.combine(learning, rest), batch, shared)

        def loss_of(drawn: list[Noise], sign: Array) -> Array:
            return run_low_rank(loss, noise.member(drawn, sign * self.sigma))

        def losses_of(rows: Array) -> Array:
            both = jax.vmap(loss_of, in_axes=(None, 0))
            return jax.vmap(both, in_axes=(0, None))(noise.draw(noise_key, rows), signs)

        def sums_of(given: tuple[Array, Array]) -> list[Array]:
            rows, weights = given
            return noise.total(noise.draw(noise_key, rows), weights)

        rows = jnp.arange(self.population.rows)
        losses = self.population.each(losses_of, rows)
        weights = self._shape(finite_losses(losses)) @ signs / (self.population.size * self.sigma)
        return noise.learned(self.population.total(sums_of, (rows, weights))), losses

    def _shape(self, losses: Float[Array, "rows signs"]) -> Float[Array, "rows signs"]:
        """Returns the weight of each member's loss."""
        if self.shaping == "centered-rank":
            ranks = jax.scipy.stats.rankdata(losses.ravel()).reshape(losses.shape)
            return (ranks - 1) / (losses.size - 1) - 0.5
        centred = losses - losses.mean()
        if self.shaping == "raw":
            # Without pairs the mean holds a part of each member's own loss.
            own = 1 if self.population.paired else losses.size / (losses.size - 1)
            return centred * own
        spread = losses.std()
        return jnp.where(spread > 0, centred / jnp.where(spread > 0, spread, 1.0), 0.0)
