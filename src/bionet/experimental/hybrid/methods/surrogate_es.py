"""A surrogate gradient that is corrected by evolution strategies, as a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import equinox as eqx
import optax
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, Loss, surrogate_direction
from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import correct, hybrid
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
class SurrogateESOptions(Descent):
    """Options of `SurrogateES`."""

    num_samples: int = 8  # pairs of evaluations per step
    sigma: float = 0.05  # standard deviation of the perturbations
    lam: float = 0.2  # how much of what lies beside the direction is added
    normalize: bool = True  # whether that is a share of the direction's length; False is raw
    snr: bool = False  # whether it is scaled by the correction's share of signal
    chunk: int | None = None  # perturbed models that exist at a time; None is all
    eps: float = later(1e-8)  # added to a length where it is divided by
    gain: float = later(1.0)  # steepness of the tanh that stands for a sign in a binary network


@final
class SurrogateES(AbstractMethod):
    """A surrogate gradient, corrected by evolution strategies on the true loss.

    Args:
        objective: the true loss.
        optimizer: any Optax transformation without a line search; it sees the trained leaves
            alone, and the mean of the evaluations if it asks for the loss.
        surrogate: `surrogate(model, *batch, key=key)`, the loss that is differentiated. None is
            the objective itself, with the surrogate derivatives that spiking modules bring, and
            with the smooth twin of a network of signs.
        gain: the steepness of the twin's tanh.
        num_samples: the number K of pairs; this and all that follows as in `LocalES`.
        sigma: the standard deviation of the perturbations.
        lam: how much of the correction is added.
        normalize: take `lam` as a fraction of the length of the surrogate gradient.
        eps: is added to that length where it is divided by.
        snr: scale `lam` by the share of signal in the correction.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.

    Raises:
        ValueError: no pair, a sigma that is not above 0; at `init`, a model without trained
            leaves.

    Example:
        ```python
        import jax
        import optax
        from bionet import zoo
        from bionet.experimental.hybrid import SurrogateES
        from bionet.training import Objective

        recipe = zoo.get("prototypes-local")
        method = SurrogateES(Objective.of(recipe.problem(seed=0)), optax.adam(1e-3), sigma=0.1)
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(float(metrics["training_loss"]), float(metrics["cosine"]))
        ```

    Source:
        As for `hybrid_gradient`.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="surrogate-es",
        family="hybrid",
        summary="Correct a surrogate gradient by what evolution strategies find orthogonal to it.",
        needs=(
            "a model with trained leaves",
            "a differentiable stand-in for the loss",
            "values of the loss",
        ),
        sources=("salimans2017evolution",),
    )
    Options: ClassVar[type] = SurrogateESOptions

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
        surrogate: Loss | None = None,
        gain: ArrayLike = 1.0,
        num_samples: int = 8,
        sigma: ArrayLike = 0.01,
        lam: ArrayLike = 0.2,
        normalize: bool = True,
        eps: ArrayLike = 1e-8,
        snr: bool = False,
        chunk: int | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        self.objective = objective
        self.optimizer = optax.adam(1e-3) if optimizer is None else optimizer
        stand_in = TwinLoss(objective, gain) if surrogate is None else surrogate
        self.bulk = surrogate_direction(stand_in)
        self.pairs = Pairs("SurrogateES", num_samples, sigma, chunk, mesh, check=False)
        self.correction = Correction("SurrogateES", lam, normalize, eps, snr)
        self.correction.check_halves("SurrogateES", self.pairs.num_samples)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: SurrogateESOptions, steps: int
    ) -> SurrogateES:
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
            gain=options.gain,
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
        return start("SurrogateES", self.spec, self.optimizer, model)

    @eqx.filter_jit
    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step of the optimiser along the corrected gradient.

        Returns:
            The next state, and the metrics of the correction.
        """
        loss = LossOnBatch(self.objective)
        given = (train_state.model, self.bulk, loss, key, batch)
        found = correct(hybrid, self.pairs, self.correction, *given)
        return take_step("SurrogateES", self.optimizer, train_state, *found)

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
