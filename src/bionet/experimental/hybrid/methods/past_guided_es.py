"""Evolution strategies that are guided by their own past estimates, as a method.

Nothing but values of the loss is looked at: there is no gradient and no local rule in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import correct, self_guided
from bionet.experimental.hybrid.estimate.pairs import Pairs
from bionet.experimental.hybrid.estimate.vectors import as_gradient
from bionet.experimental.hybrid.methods.descent import start, take_step
from bionet.experimental.hybrid.methods.objectives import LossOnBatch
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.options import Descent, later
from bionet.training.workload import WorkloadLike
from bionet.training.zeroth_order.trained_vector import trained_entries, trained_vector

Vector = Float[Array, " numbers"]


class Memory(NamedTuple):
    """The memory of the method.

    Attributes:
        optimizer: the optimiser's own memory.
        past: the running mean of the estimates, in the order of `trained_vector`.
    """

    optimizer: PyTree
    past: Vector


@dataclass(frozen=True)
class PastGuidedESOptions(Descent):
    """Options of `PastGuidedES`."""

    num_samples: int = 8  # pairs of evaluations per step
    sigma: float = 0.05  # standard deviation of the perturbations
    lam: float = 1.0  # how much of what lies beside the direction is added
    normalize: bool = False  # whether that is a share of the direction's length; False is raw
    snr: bool = False  # whether it is scaled by the correction's share of signal
    chunk: int | None = None  # perturbed models that exist at a time; None is all
    decay: float = 0.9  # share of the mean of past estimates that each step keeps
    eps: float = later(1e-8)  # added to a length where it is divided by


@final
class PastGuidedES(AbstractMethod):
    """Measures the slope along the running mean of its estimates, and samples what is orthogonal.

    Args:
        objective: the true loss.
        optimizer: any Optax transformation without a line search; it sees the trained leaves
            alone, and the mean of the evaluations if it asks for the loss.
        num_samples: the number K of pairs, of which the first one is along the past.
        sigma: the length of that step, and the standard deviation of the others.
        lam: how much of what is orthogonal to the past is added.
        normalize: take `lam` as a fraction of the length of the part along the past.
        decay: the share of the running mean that each step keeps, from 0 (the last estimate
            alone) to below 1.
        eps: is added to the length of the mean where that is divided by.
        snr: scale `lam` by the share of signal in the orthogonal part.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.

    Raises:
        ValueError: no pair, a sigma that is not above 0, a decay outside of 0 to 1; at `init`,
            a model without trained leaves.

    Example:
        ```python
        import jax
        from bionet import zoo
        from bionet.experimental.hybrid import PastGuidedES
        from bionet.training import Objective

        recipe = zoo.get("prototypes-local")
        method = PastGuidedES(Objective.of(recipe.problem(seed=0)), sigma=0.1)
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(int(metrics["evaluations"]))  # two for each pair, and no gradient beside them
        ```

    Source:
        Liu et al., "Self-Guided Evolution Strategies with Historical Estimated Gradients" (IJCAI
        2020), which draws a share of its noise from a subspace of the last estimates, and adapts
        that share. Ours keeps one direction, their running mean, and measures the slope along it
        by one pair as `sges_gradient` does. The first direction is drawn at `init`.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="past-guided-es",
        family="zeroth-order",
        summary="Measure the slope along past estimates, and sample what is orthogonal to them.",
        needs=("a model with trained leaves",),
        sources=("liu2020selfguided",),
    )
    Options: ClassVar[type] = PastGuidedESOptions

    objective: Objective
    optimizer: optax.GradientTransformation
    pairs: Pairs
    correction: Correction
    decay: Float[Array, ""]

    def __init__(
        self,
        objective: Objective,
        optimizer: optax.GradientTransformation | None = None,
        *,
        num_samples: int = 8,
        sigma: ArrayLike = 0.01,
        lam: ArrayLike = 1.0,
        normalize: bool = False,
        decay: ArrayLike = 0.9,
        eps: ArrayLike = 1e-8,
        snr: bool = False,
        chunk: int | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        self.objective = objective
        self.optimizer = optax.adam(1e-3) if optimizer is None else optimizer
        self.pairs = Pairs("PastGuidedES", num_samples, sigma, chunk, mesh, check=False)
        self.correction = Correction("PastGuidedES", lam, normalize, eps, snr)
        self.correction.check_halves("PastGuidedES", self.pairs.num_samples - 1)
        if not eqx.is_array(decay) and not 0 <= float(jnp.asarray(decay)) < 1:
            raise ValueError(
                f"PastGuidedES: `decay` must be 0 or more and below 1, got {decay}. It is the "
                "share of the running mean that each step keeps."
            )
        self.decay = jnp.asarray(decay, jnp.float32)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: PastGuidedESOptions, steps: int
    ) -> PastGuidedES:
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
            decay=options.decay,
            num_samples=options.num_samples,
            sigma=options.sigma,
            lam=options.lam,
            normalize=options.normalize,
            eps=options.eps,
            snr=options.snr,
            chunk=options.chunk,
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The model, the optimiser's memory, and a random direction in place of a past."""
        begun = start("PastGuidedES", self.spec, self.optimizer, model)
        point, entries = trained_vector(model), trained_entries(model)
        drawn = jax.random.normal(key, point.shape, point.dtype)
        drawn = drawn if entries is None else jnp.where(entries, drawn, 0.0)
        return eqx.tree_at(lambda s: s.memory, begun, Memory(begun.memory, drawn))

    @eqx.filter_jit
    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """One step of the optimiser along the estimate.

        Returns:
            The next state, and the metrics of the estimate; `proj` is the slope along the past.
        """
        model, memory = train_state.model, train_state.memory
        loss = LossOnBatch(self.objective)
        along_past = as_gradient(model, memory.past)
        given = (model, lambda _, *batch: along_past, loss, key, batch)
        g, found = correct(self_guided, self.pairs, self.correction, *given)
        before = eqx.tree_at(lambda s: s.memory, train_state, memory.optimizer)
        after, told = take_step("PastGuidedES", self.optimizer, before, g, found)
        past = self.decay * memory.past + (1 - self.decay) * g
        return eqx.tree_at(lambda s: s.memory, after, Memory(after.memory, past)), told

    def finish(self, train_state: TrainState) -> PyTree:
        """The model as it is."""
        return train_state.model
