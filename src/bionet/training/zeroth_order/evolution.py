"""Evolution strategies of evosax on any model: only the loss is looked at, never a gradient.

A strategy keeps a distribution over the vector of all trained numbers. In each step it asks for
the losses of a population drawn from it, all on the same batch with the same randomness, and is
told them; low is good. The model of the training state is the mean of the distribution, the best
guess that there is now.

The whole population exists as weights while it is evaluated, so memory grows as the number of
members times the number of weights. `LowRankES` is for larger networks.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
from dataclasses import dataclass
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet._core.names import unknown
from bionet.modules.parameters import positive
from bionet.training.checks.guards import check_dependence
from bionet.training.first_order.optimizers import note, noting
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.options import Descent, Pairs, as_pairs, later
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike
from bionet.training.zeroth_order.population import Population, finite_losses, loss_metrics
from bionet.training.zeroth_order.ties import hold_state, is_undecided, weighing
from bionet.training.zeroth_order.trained_vector import (
    check_trained,
    trained_entries,
    trained_vector,
    with_trained,
)

# They keep several means, or none at all; a model is one.
WITHOUT_A_MEAN = ("RandomSearch", "SV_CMA_ES", "SV_Open_ES")
Settings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class EvolutionOptions(Descent):
    """Options of `Evolution`."""

    learning_rate: float = 1e-2  # of the optimiser, for strategies that have one
    strategy: str = "Open_ES"  # the strategy, by its name in evosax
    population: int = 64  # members per generation
    sigma: float | None = 0.05  # standard deviation of the first population; None is the strategy's
    chunk: int | None = None  # members that exist at a time; None is all
    settings: Pairs = later(())  # what else the strategy takes, by its name in evosax

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", as_pairs(self.settings))


@final
class Evolution(AbstractMethod):
    """Any distribution-based strategy of evosax, by its name.

    Args:
        objective: the loss; the strategy makes it small.
        strategy: its name in evosax, such as "Open_ES", "SNES", "CMA_ES", "Sep_CMA_ES" or
            "CR_FM_NES".
        population: how many members are evaluated in each step.
        sigma: the standard deviation of the first population; None leaves it to the strategy.
        chunk: how many members exist as models at a time; None is all. It has to divide them.
        mesh: devices that share the members, as `batch_mesh` makes them.
        options: what the strategy itself takes, its arguments in evosax ("optimizer", made by
            Optax, for many; one that asks for the loss sees the mean over the members) or its
            parameters ("lr_std_init").

    Raises:
        ValueError: a strategy or option that evosax does not have, a sigma that is not above 0
            or that the strategy does not use, a population that it refuses.

    Example:
        ```python
        import equinox as eqx
        import jax
        import optax
        from bionet import zoo
        from bionet.training import Evolution, Objective

        recipe = zoo.get("prototypes-local")
        objective = Objective.of(recipe.problem(seed=0))
        method = Evolution(objective, "Open_ES", population=8, optimizer=optax.adam(0.01))
        train_state = method.init(recipe.build(), jax.random.key(0))
        step = eqx.filter_jit(method.step)
        train_state, metrics = step(train_state, recipe.synthetic_batch(), jax.random.key(1))
        print(float(metrics["training_loss"]), int(metrics["evaluations"]))
        ```

    Source:
        Lange, "evosax: JAX-based evolution strategies" (2022) [lange2022evosax], whose
        strategies these are; Salimans et al. (2017) [salimans2017evolution] for Open_ES. Ours gives
        a member whose loss is not finite the worst loss of the others, lets members that tie
        share the weights of their ranks, stays where it is if all of them tie, and holds
        entries that a model's masks exclude.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="es",
        family="zeroth-order",
        summary="Evaluate a population around the mean, and move the mean to where losses are low.",
        needs=("a model with trained leaves",),
        sources=("lange2022evosax", "salimans2017evolution"),
    )
    Options: ClassVar[type] = EvolutionOptions

    objective: Objective
    sigma: Float[Array, ""] | None
    parameters: dict[str, Any]
    population: Population
    strategy: str = eqx.field(static=True)
    settings: Settings = eqx.field(static=True)

    def __init__(
        self,
        objective: Objective,
        strategy: str = "Open_ES",
        *,
        population: int = 64,
        sigma: ArrayLike | None = 0.05,
        chunk: int | None = None,
        mesh: Mesh | None = None,
        **options: Any,
    ) -> None:
        self.objective, self.strategy = objective, strategy
        self.population = Population("Evolution", population, chunk, mesh)
        self.sigma = None
        if sigma is not None:
            self.sigma = positive("Evolution", "sigma", jnp.asarray(sigma, jnp.float32))
        kind = _kind(strategy)
        taken, fields = _arguments(kind), _fields(kind)
        for name in options:
            if name not in {*taken, *fields} - {"std_init"}:
                known = sorted({*taken, *fields} - {"std_init"} | {"sigma"})
                raise ValueError(f"Evolution, {strategy}: {unknown('option', name, known)}")
        settings = {name: value for name, value in options.items() if name in taken}
        self.settings = tuple(sorted(settings.items()))
        self.parameters = {name: value for name, value in options.items() if name not in taken}
        self._check_sigma(taken, fields)

    def _check_sigma(self, taken: set[str], fields: set[str]) -> None:
        if self.sigma is None:
            return
        if "std_schedule" in dict(self.settings):
            raise ValueError(
                "Evolution: std_schedule says how wide the population is; pass sigma=None with it."
            )
        if not {"std_schedule"} & taken and "std_init" not in fields:
            raise ValueError(f"Evolution: {self.strategy} has no sigma; pass sigma=None.")

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: EvolutionOptions, steps: int
    ) -> Evolution:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        settings = dict(options.settings)
        if takes_optimizer(options.strategy):
            settings["optimizer"] = options.build_optimizer(steps)
        return cls(
            workload.objective(config),
            options.strategy,
            population=options.population,
            sigma=options.sigma,
            chunk=options.chunk,
            **settings,
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model as the mean, and the strategy's own state."""
        check_trained(model, self.spec)
        mean = trained_vector(model)
        algorithm, parameters = self._algorithm(mean.size)
        state = self._with_sigma(algorithm.init(key, mean, parameters))
        # Weak types, which evosax leaves here and there, would not survive a checkpoint.
        state = jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype), state)
        return TrainState(model, state, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One generation: ask for members, evaluate them on the batch, and tell their losses.

        Returns:
            The next state, and the `loss_metrics` of the population.
        """
        model, before = train_state.model, train_state.memory
        asking, telling, shared = jax.random.split(key, 3)
        algorithm, parameters = self._algorithm(before.mean.size)
        members, state = algorithm.ask(asking, self._with_sigma(before), parameters)
        entries = trained_entries(model)
        if entries is not None:
            members = jnp.where(entries, members, before.mean)

        def loss(member: Array) -> Array:
            return self.objective(with_trained(model, member), batch, shared)

        losses = self.population.each(jax.vmap(loss), members)
        # evosax calls it fitness and minimises it.
        fitness = finite_losses(losses)
        asked = _note_loss(state, fitness.mean())
        state, _ = algorithm.tell(telling, members, fitness, asked, parameters)
        state = hold_state(is_undecided(fitness), state, asked)
        if entries is not None:
            state = state.replace(mean=jnp.where(entries, state.mean, before.mean))
        state = jax.tree.map(
            lambda new, old: jnp.asarray(new, old.dtype), self._with_sigma(state), before
        )
        model = with_trained(model, state.mean)
        return TrainState(model, state, train_state.step + 1), loss_metrics(losses)

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
        """The model at the mean of the distribution."""
        return train_state.model

    def _algorithm(self, size: int) -> tuple[Any, Any]:
        """The strategy of evosax for so many numbers, and its parameters."""
        dtype, settings = jnp.result_type(float), dict(self.settings)
        if "optimizer" in settings:
            vector = jax.ShapeDtypeStruct((size,), dtype)
            settings["optimizer"] = noting("Evolution", settings["optimizer"], vector)
        made = _built(
            self.strategy, self.population.size, size, dtype, tuple(sorted(settings.items()))
        )
        algorithm, parameters = made
        changed = dict(self.parameters)
        if self.sigma is not None and not self._is_scheduled:
            changed["std_init"] = self.sigma
        return algorithm, dataclasses.replace(parameters, **changed)

    @property
    def _is_scheduled(self) -> bool:
        """True if the strategy asks a function of the generation for its sigma."""
        return "std_schedule" in _arguments(_kind(self.strategy))

    def _with_sigma(self, state: Any) -> Any:
        """The state with our sigma in it, which may be traced, as no schedule of evosax may be."""
        if self.sigma is None or not self._is_scheduled:
            return state
        return state.replace(std=self.sigma.astype(jnp.result_type(float)))


def _kind(strategy: str) -> type:
    """The class of that name."""
    from evosax.algorithms import distribution_based_algorithms as algorithms

    if strategy in WITHOUT_A_MEAN:
        raise ValueError(
            f"Evolution: {strategy} does not keep one mean, which the model would be; take "
            "another strategy, or bionet.training.RandomSearch."
        )
    known = [name for name in algorithms if name not in WITHOUT_A_MEAN]
    if strategy not in known:
        raise ValueError(f"Evolution: {unknown('strategy of evosax', strategy, known)}")
    return algorithms[strategy]


def takes_optimizer(strategy: str) -> bool:
    """Returns whether the strategy leaves its step to an Optax optimiser.

    Raises:
        ValueError: evosax has no strategy of that name; the nearest are loss_metrics.
    """
    return "optimizer" in _arguments(_kind(strategy))


def _arguments(kind: type) -> set[str]:
    """Lists what can be set when a strategy is made."""
    return set(inspect.signature(kind).parameters) - {"population_size", "solution", "metrics_fn"}


def _fields(kind: type) -> set[str]:
    """The numbers that it calls its parameters."""
    return {field.name for field in dataclasses.fields(sys.modules[kind.__module__].Params)}


def _weigh(strategy: str) -> dict[str, Any]:
    """Returns the argument by which a strategy that weighs by rank treats ties."""
    from evosax.core.fitness_shaping import weights_fitness_shaping_fn

    shaping = inspect.signature(_kind(strategy)).parameters["fitness_shaping_fn"].default
    if shaping is not weights_fitness_shaping_fn:
        return {}
    return {"fitness_shaping_fn": weighing(strategy)}


def _note_loss(state: Any, loss: Array) -> Any:
    """The state of a strategy whose optimiser is to see the loss."""
    if not hasattr(state, "opt_state"):
        return state
    return state.replace(opt_state=note(state.opt_state, loss))


@functools.lru_cache(maxsize=32)
def _built(
    strategy: str, population: int, size: int, dtype: Any, settings: Settings
) -> tuple[Any, Any]:
    """One object for all traces, since evosax compiles anew for each object."""
    given = _weigh(strategy) | dict(settings)
    with jax.ensure_compile_time_eval():
        try:
            made = _kind(strategy)(population, jnp.zeros(size, dtype), **given)
        except AssertionError as refusal:
            raise ValueError(
                f"Evolution: {strategy} refuses a population of {population} for {size} trained "
                f"numbers. evosax says: {refusal}"
            ) from None
        return made, made.default_params
