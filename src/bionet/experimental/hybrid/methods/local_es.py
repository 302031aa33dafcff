"""A local method whose direction is corrected by evolution strategies, as a method.

With `lam=0` it is the local method, step for step.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, final

import equinox as eqx
import jax
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import hybrid, scalars
from bionet.experimental.hybrid.estimate.pairs import Pairs
from bionet.experimental.hybrid.estimate.vectors import as_learning, as_vector
from bionet.modules.trained import partition_trained
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.training.checks.guards import Guarded, check_dependence
from bionet.training.first_order.optimizers import note, noting
from bionet.training.local.local_method import AbstractLocalMethod
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.objective import Objective
from bionet.training.options import Pairs as NamedValues
from bionet.training.options import as_pairs, later
from bionet.training.problem import Predict
from bionet.training.registry import METHODS, make_options
from bionet.training.workload import WorkloadLike, settling


@dataclass(frozen=True)
class LocalESOptions:
    """Options of `LocalES`."""

    num_samples: int = 8  # pairs of evaluations per step
    sigma: float = 0.05  # standard deviation of the perturbations
    lam: float = 0.2  # how much of the correction is added
    normalize: bool = True  # whether that is a share of the local direction's length; False is raw
    snr: bool = False  # whether it is scaled by the correction's share of signal
    chunk: int | None = None  # perturbed models that exist at a time; None is all
    eps: float = later(1e-8)  # added to a length where it is divided by
    local: str | None = later(None)  # the method that is corrected; None is the recipe's, if local
    local_options: NamedValues = later(())  # options of that method

    def __post_init__(self) -> None:
        object.__setattr__(self, "local_options", as_pairs(self.local_options))

    def completed(self, own: str, own_options: Any) -> LocalESOptions:
        """The options with the recipe's own method as the local one, if none is named."""
        if self.local is not None or not issubclass(METHODS[own], AbstractLocalMethod):
            return self
        kept = {each.name: getattr(own_options, each.name) for each in fields(own_options)}
        return replace(self, local=own, local_options=as_pairs(kept))


@final
class LocalES(AbstractMethod):
    """A local method, corrected by evolution strategies on the true loss.

    The local method says how the network settles, what each edge would learn, and what an
    optimiser with a rate per edge makes of that. In between, its direction is corrected.

    Args:
        objective: the true loss.
        local: such as `TwoPhase`, with its optimiser and its rates.
        num_samples: the number K of pairs; the loss is evaluated twice for each.
        sigma: the standard deviation of the perturbations.
        lam: how much of the correction is added.
        normalize: take `lam` as a fraction of the length of the local direction; False is the
            raw form, in which a noisy estimate can be many times as long as the direction.
        eps: is added to that length where it is divided by.
        snr: scale `lam` by the share of signal in the correction.
        chunk: how many perturbed models exist at a time; None is all.
        mesh: devices that share the evaluations, as `batch_mesh` makes them.

    Raises:
        TypeError: a method without local rules.
        ValueError: no pair, a sigma that is not above 0; at `init`, a model that the local
            method refuses.

    Example:
        ```python
        import jax
        from bionet import TwoPhase, zoo
        from bionet.experimental.hybrid import LocalES
        from bionet.training import Objective

        recipe = zoo.get("prototypes-local")
        objective = Objective.of(recipe.problem(seed=0))
        method = LocalES(objective, TwoPhase(recipe.state(), clamped=5, free=5), sigma=0.1)
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(float(metrics["training_loss"]), float(metrics["cosine"]))
        ```

    Source:
        As for `hybrid_gradient`; there the direction is a surrogate gradient.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="local-es",
        family="hybrid",
        summary="Correct a local rule by what evolution strategies find orthogonal to it.",
        needs=("an orchestrator, whose modules have local rules", "values of the loss"),
        sources=("badalotti2025dynamical", "salimans2017evolution"),
    )
    Options: ClassVar[type] = LocalESOptions

    objective: Objective
    local: AbstractLocalMethod
    pairs: Pairs
    correction: Correction

    def __init__(
        self,
        objective: Objective,
        local: AbstractLocalMethod,
        *,
        num_samples: int = 8,
        sigma: ArrayLike = 0.01,
        lam: ArrayLike = 0.2,
        normalize: bool = True,
        eps: ArrayLike = 1e-8,
        snr: bool = False,
        chunk: int | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        if not isinstance(local, AbstractLocalMethod):
            raise TypeError(
                "LocalES: local needs a method with local rules, such as TwoPhase, got "
                f"{type(local).__name__}. Where there is a gradient, take SurrogateES."
            )
        self.objective, self.local = objective, local
        self.pairs = Pairs("LocalES", num_samples, sigma, chunk, mesh, check=False)
        self.correction = Correction("LocalES", lam, normalize, eps, snr)
        self.correction.check_halves("LocalES", self.pairs.num_samples)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: LocalESOptions, steps: int
    ) -> LocalES:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        settling(workload, config, cls.spec.name)
        word = options.local or "two-phase"
        of_local = make_options(word, dict(options.local_options))
        local: Any = METHODS[word].from_workload(workload, config, of_local, steps)
        return cls(
            workload.objective(config),
            local,
            num_samples=options.num_samples,
            sigma=options.sigma,
            lam=options.lam,
            normalize=options.normalize,
            eps=options.eps,
            snr=options.snr,
            chunk=options.chunk,
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state that the local method starts from."""
        if not isinstance(model, AbstractOrchestrator):
            raise unmet(self.spec, self.spec.needs[0], model)
        return self._local(model).init(model, key)

    @eqx.filter_jit
    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step of the local method along its corrected direction.

        Returns:
            The next state; the metrics of the local method, and of the correction.

        Raises:
            ValueError: the two have a name in common.
        """
        model = train_state.model
        noise, settling, evaluation = jax.random.split(key, 3)
        learned, metrics = self.local.pseudo_gradient(model, batch, settling)

        def loss(model: PyTree) -> Array:
            return self.objective(model, batch, evaluation)

        b = as_vector("LocalES", model, learned)
        g, told = hybrid(self.pairs, self.correction, model, b, loss, noise)
        correction = scalars(told)
        shared = sorted(metrics.keys() & correction.keys())
        if shared:
            raise ValueError(
                f"LocalES: the metrics of {type(self.local).__name__} and those of the correction "
                f"both have the name {shared[0]!r}. Rename that of the local method."
            )
        memory = note(train_state.memory, told["training_loss"])
        train_state = TrainState(model, memory, train_state.step)
        descended = self._local(model).descend(train_state, as_learning(model, g))
        return descended, metrics | correction

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses what the local method refuses, and a loss that depends on no trained leaf."""
        if isinstance(self.local, Guarded):
            self.local.guard(train_state, batch, key, predict)
        check_dependence(self.spec, self.objective, train_state.model, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The network as the local method would hand it over."""
        return self.local.finish(train_state)

    def _local(self, model: PyTree) -> AbstractLocalMethod:
        """The local method, whose optimiser may ask for the loss here, since there is one."""
        optimizer = self.local.optimizer
        noted = noting("LocalES", optimizer, partition_trained(model)[0])
        if noted is optimizer:
            return self.local
        return eqx.tree_at(
            lambda local: local.optimizer, self.local, noted, is_leaf=lambda node: node is optimizer
        )
