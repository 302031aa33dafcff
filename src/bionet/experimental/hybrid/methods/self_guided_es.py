"""Evolution strategies that a cheap direction guides, as a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import equinox as eqx
import optax
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, surrogate_direction
from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import correct, self_guided
from bionet.experimental.hybrid.estimate.pairs import Pairs
from bionet.experimental.hybrid.methods.descent import start, take_step
from bionet.experimental.hybrid.methods.objectives import LossOnBatch, TwinLoss, check_bulk
from bionet.training.checks.guards import check_dependence
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.options import Descent, later
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike


@dataclass(frozen=True)
class SelfGuidedESOptions(Descent):
    """Options of `SelfGuidedES`."""

    num_samples: int = 8  # pairs of evaluations per step
    sigma: float = 0.05  # standard deviation of the perturbations
    lam: float = 1.0  # how much of what lies beside the direction is added
    normalize: bool = False  # whether that is a share of the direction's length; False is raw
    snr: bool = False  # whether it is scaled by the correction's share of signal
    chunk: int | None = None  # perturbed models that exist at a time; None is all
    eps: float = later(1e-8)  # added to a length where it is divided by


@final
class SelfGuidedES(AbstractMethod):
    """Evolution strategies that measure the slope along a cheap direction, and sample the rest.

    Args:
        objective: the true loss.
        optimizer: any Optax transformation without a line search; it sees the trained leaves
            alone, and the mean of the evaluations if it asks for the loss.
        bulk: the direction that guides, by `local_direction` or `surrogate_direction`; None is
            the surrogate gradient of the objective, as in `SurrogateES`: of a network of signs
            the gradient of its smooth twin. A guide out of past estimates is `PastGuidedES`.
        num_samples: the number K of pairs, of which the first one is along the direction.
        sigma: the length of that step, and the standard deviation of the others.
        lam: how much of what is orthogonal to the direction is added.
        normalize: take `lam` as a fraction of the length of the part along it.
        eps: is added to the direction's length where that is divided by.
        snr: scale `lam` by the share of signal in the orthogonal part.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.

    Raises:
        ValueError: no pair, a sigma that is not above 0; at `init`, a model without trained
            leaves.

    Example:
        ```python
        import jax
        from bionet import TwoPhase, zoo
        from bionet.experimental.hybrid import SelfGuidedES, local_direction
        from bionet.training import Objective

        recipe = zoo.get("prototypes-local")
        guide = local_direction(TwoPhase(recipe.state(), clamped=5, free=5))
        method = SelfGuidedES(Objective.of(recipe.problem(seed=0)), bulk=guide, sigma=0.1)
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(float(metrics["proj"]))  # the slope of the true loss along the local direction
        ```

    Source:
        As for `sges_gradient`.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="self-guided-es",
        family="hybrid",
        summary="Measure the slope along a cheap direction, and sample what is orthogonal to it.",
        needs=("a model with trained leaves", "a cheap direction", "values of the loss"),
        sources=("liu2020selfguided",),
    )
    Options: ClassVar[type] = SelfGuidedESOptions

    objective: Objective
    optimizer: optax.GradientTransformation
    bulk: Direction
    pairs: Pairs
    correction: Correction

    def __init__(
        self,
        objective: Objective,
        optimizer: optax.GradientTransformation | None = None,
        *,
        bulk: Direction | None = None,
        num_samples: int = 8,
        sigma: ArrayLike = 0.01,
        lam: ArrayLike = 1.0,
        normalize: bool = False,
        eps: ArrayLike = 1e-8,
        snr: bool = False,
        chunk: int | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        self.objective = objective
        self.optimizer = optax.adam(1e-3) if optimizer is None else optimizer
        self.bulk = surrogate_direction(TwinLoss(objective)) if bulk is None else bulk
        self.pairs = Pairs("SelfGuidedES", num_samples, sigma, chunk, mesh, check=False)
        self.correction = Correction("SelfGuidedES", lam, normalize, eps, snr)
        self.correction.check_halves("SelfGuidedES", self.pairs.num_samples - 1)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: SelfGuidedESOptions, steps: int
    ) -> SelfGuidedES:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        return cls(
            workload.objective(config),
            options.build_optimizer(steps),
            num_samples=options.num_samples,
            sigma=options.sigma,
            lam=options.lam,
            normalize=options.normalize,
            eps=options.eps,
            snr=options.snr,
            chunk=options.chunk,
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, and the optimiser's memory of the trained leaves."""
        return start("SelfGuidedES", self.spec, self.optimizer, model)

    @eqx.filter_jit
    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step of the optimiser along the estimate.

        Returns:
            The next state, and the metrics of the estimate; `proj` is the slope.
        """
        loss = LossOnBatch(self.objective)
        given = (train_state.model, self.bulk, loss, key, batch)
        found = correct(self_guided, self.pairs, self.correction, *given)
        return take_step("SelfGuidedES", self.optimizer, train_state, *found)

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses a loss that depends on no trained leaf, or whose own gradient is always zero."""
        check_dependence(self.spec, self.objective, train_state.model, batch, key)
        check_bulk(self.spec, self.bulk, train_state.model, batch, key)

    def finish(self, train_state: TrainState) -> PyTree:
        """The model as it is."""
        return train_state.model
