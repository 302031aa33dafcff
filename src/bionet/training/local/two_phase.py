"""Two-phase perceptron dynamics: settle with the label, settle without it, hold what came out.

One step on a batch is

    warm-up   the network settles on the input alone (may be left out),
    clamped   the label joins in through the feedback couplings,
    free      the label is taken away, and the network settles again,

and then each unit takes the state it has reached as its target and moves its incoming
weights until it would hold that state by itself, by a margin. No gradient of a loss is
ever taken, and no error is sent back: the label acts through the dynamics alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, PRNGKeyArray, PyTree

from bionet.layer_maps.shared import Edge
from bionet.modules.trained import partition_trained
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import clamped_messages
from bionet.orchestrators.settle import Phase, Settled, settle
from bionet.states.sequential import SequentialState
from bionet.training.first_order.optimizers import start_optimizer
from bionet.training.local.edge_scales import EdgeScales
from bionet.training.local.local_guard import check_local
from bionet.training.local.local_method import AbstractLocalMethod
from bionet.training.method import MethodSpec, TrainState, unmet
from bionet.training.options import Settling, later
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike, settling


@dataclass(frozen=True)
class TwoPhaseOptions(Settling):
    """Options of `TwoPhase`."""

    warmup: int = later(0)  # free steps before the label comes
    label_on: float | None = later(None)  # what enters for the label while it is clamped; or 1
    label_off: float | None = later(None)  # what enters for the other classes; None is -1


@final
class TwoPhase(AbstractLocalMethod):
    """The two-phase method, with a learning rate per edge.

    Args:
        state: gives the sizes of the buffers.
        optimizer: any Optax transformation that needs no loss; descends the pseudo-gradients
            of the trained leaves and never sees the others, so weight decay is safe. Make it
            once and reuse it: Optax makes new functions each time, which are compiled anew.
        warmup: free steps before the label comes.
        clamped: the most steps with the label.
        free: the most steps after it has been taken away.
        edge_rates: by (receiver, sender), a factor on what the optimiser wants to add to
            that edge; edges without one have 1.
        edge_decays: by (receiver, sender), the share of itself that each trained entry of
            that edge loses per step, beside what the optimiser does; edges without one
            have 0. A fixed diagonal, a threshold or a frozen matrix never shrinks.
        label_code: the numbers that stand for +1 and -1 in the output buffer during the
            clamped phase, (1.5, -1/3) for example; None leaves the labels as they are. What
            the readout learns from are the labels in any case.
        early_stop: stop a phase as soon as no unit of the batch changes.

    Raises:
        ValueError: a negative number of steps; at `init`, a model without local rules, or a
            rate or decay for an edge that the model does not have.

    Example:
        ```python
        import equinox as eqx
        import jax
        from bionet import zoo
        from bionet.training import TwoPhase

        recipe = zoo.get("prototypes-local")
        method = TwoPhase(recipe.state(), clamped=5, free=5, edge_rates={(1, 1): 0.5})
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        step = eqx.filter_jit(method.step)
        train_state, metrics = step(train_state, batch, jax.random.key(1))
        print(int(train_state.step), float(metrics["free_steps"]))
        ```

    Source:
        Badalotti et al., "Dynamical Learning in Deep Asymmetric Recurrent Neural Networks"
        (2025) [badalotti2025dynamical]. Ours stops a phase as soon as no unit of the batch
        changes, which leaves the numbers as they are.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="two-phase",
        family="local",
        summary="Settle with the label, settle without it, and hold the state by a margin.",
        needs=("an orchestrator, whose modules have local rules",),
        sources=("badalotti2025dynamical",),
    )
    Options: ClassVar[type] = TwoPhaseOptions

    state: SequentialState
    optimizer: optax.GradientTransformation
    scales: EdgeScales
    label_code: tuple[Array, Array] | None
    warmup: int = eqx.field(static=True)
    clamped: int = eqx.field(static=True)
    free: int = eqx.field(static=True)
    early_stop: bool = eqx.field(static=True)

    def __init__(
        self,
        state: SequentialState,
        *,
        optimizer: optax.GradientTransformation | None = None,
        warmup: int = 0,
        clamped: int = 10,
        free: int = 10,
        edge_rates: Mapping[Edge, ArrayLike] | None = None,
        edge_decays: Mapping[Edge, ArrayLike] | None = None,
        label_code: tuple[ArrayLike, ArrayLike] | None = None,
        early_stop: bool = True,
    ) -> None:
        for name, steps in (("warmup", warmup), ("clamped", clamped), ("free", free)):
            if steps < 0:
                raise ValueError(f"TwoPhase: {name} needs 0 steps or more, got {steps}.")
        self.state = state
        self.optimizer = optax.adam(5e-3) if optimizer is None else optimizer
        self.warmup, self.clamped, self.free = warmup, clamped, free
        self.early_stop = early_stop
        self.scales = EdgeScales(edge_rates, edge_decays)
        self.label_code = None
        if label_code is not None:
            on, off = label_code
            self.label_code = jnp.asarray(on, jnp.float32), jnp.asarray(off, jnp.float32)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: TwoPhaseOptions, steps: int
    ) -> TwoPhase:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        state, most = settling(workload, config, cls.spec.name)
        coded = (options.label_on, options.label_off) != (None, None)
        on = 1.0 if options.label_on is None else options.label_on
        off = -1.0 if options.label_off is None else options.label_off
        return cls(
            state,
            optimizer=options.build_optimizer(steps),
            warmup=options.warmup,
            clamped=most if options.clamped is None else options.clamped,
            free=most if options.free is None else options.free,
            label_code=(on, off) if coded else None,
            early_stop=options.early_stop,
            **options.edge_scales(workload, config),
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state before the first step; optimiser memory for the trained leaves alone."""
        if not isinstance(model, AbstractOrchestrator):
            raise unmet(self.spec, self.spec.needs[0], model)
        self.scales.check("TwoPhase", model.lmap)
        learning, _ = partition_trained(model)
        memory = start_optimizer("TwoPhase", self.optimizer, learning, gives=())
        return TrainState(model, memory, jnp.zeros((), jnp.int32))

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses labels that the rules can't learn, and a predictor of another network."""
        given = (train_state.model, batch, key, predict)
        check_local(self.spec, self.state, *given)

    def pseudo_gradient(
        self, network: AbstractOrchestrator, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[AbstractOrchestrator, dict[str, Array]]:
        """Settles with the labels and without them, and asks each edge what it would learn.

        Messages from the input and the label are computed once.

        Returns:
            The pseudo-gradients of all edges, and for each phase whether the batch settled and
            in how many steps.
        """
        settling, learning_key = jax.random.split(key)
        labelled = self.state.place(*batch)
        start = self._encode_labels(labelled)
        known = clamped_messages(network.lmap, start)
        state, metrics = self._settle(network, start, known, settling)
        # `fit` looks at the weights after each epoch, and then names the step.
        learned = network.backward(
            state,
            learning_key,
            known=known,
            targets=state.replace(-1, labelled.readout),
            check=False,
        )
        return learned, metrics

    def _encode_labels(self, state: SequentialState) -> SequentialState:
        """The state with the numbers in its output buffer that stand for the labels."""
        if self.label_code is None:
            return state
        on, off = (number.astype(state.dtype) for number in self.label_code)
        return state.replace(-1, off + (on - off) * (state.readout + 1) / 2)

    def _settle(
        self,
        network: AbstractOrchestrator,
        state: SequentialState,
        known: Mapping[Edge, Array],
        key: PRNGKeyArray,
    ) -> tuple[SequentialState, dict[str, Array]]:
        keys = jax.random.split(key, 3)
        phases: tuple[tuple[str, int, Phase], ...] = (
            ("warmup", self.warmup, "free"),
            ("clamped", self.clamped, "clamped"),
            ("free", self.free, "free"),
        )
        metrics: dict[str, Array] = {}
        for (name, steps, phase), rng in zip(phases, keys, strict=True):
            if steps == 0:
                continue
            state, result = settle(
                network,
                state,
                rng=rng,
                max_steps=steps,
                phase=phase,
                early_stop=self.early_stop,
                known=known,
            )
            metrics |= _describe(name, result)
        return state, metrics


def _describe(phase: str, result: Settled) -> dict[str, Array]:
    return {
        f"{phase}_settled": result.settled.astype(jnp.float32),
        f"{phase}_steps": result.steps.astype(jnp.float32),
    }
