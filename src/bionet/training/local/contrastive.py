"""The two-phase method turned round: free first, then clamped, and the difference is learned.

One step on a batch is

    free      the network settles on the input alone, and answers,
    clamped   the label takes the place of the answer and joins in through the feedback,

and then each unit takes what it did *with* the label as its target, while what it hears
and how it scores are those of the phase *without*. A unit that would have done the same
by itself, by its margin, learns nothing. The modules' own rules do the rest.
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
from bionet.orchestrators.settle import settle
from bionet.states.sequential import SequentialState
from bionet.training.first_order.optimizers import start_optimizer
from bionet.training.local.edge_scales import EdgeScales
from bionet.training.local.local_guard import check_local
from bionet.training.local.local_method import AbstractLocalMethod
from bionet.training.method import MethodSpec, TrainState, unmet
from bionet.training.options import Settling
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike, settling


@dataclass(frozen=True)
class ContrastiveOptions(Settling):
    """Options of `Contrastive`."""


@final
class Contrastive(AbstractLocalMethod):
    """Teaches the free phase what the clamped phase did, by any Optax optimiser without a loss.

    Args:
        state: gives the sizes of the buffers.
        optimizer: descends the pseudo-gradients of the trained leaves. Make it once and
            reuse it: Optax makes new functions each time, and new functions are compiled
            anew.
        free: the most steps without the label.
        clamped: the most steps with the label, from where the free phase ended.
        edge_rates: by (receiver, sender), a factor on what the optimiser wants to add.
        edge_decays: by (receiver, sender), the share of itself that each trained entry loses
            per step.
        early_stop: stop a phase as soon as no unit of the batch changes.

    Raises:
        ValueError: a negative number of steps; at `init`, a model that is no orchestrator,
            or a rate or decay for an edge that the model does not have.

    Example:
        ```python
        import equinox as eqx
        import jax
        from bionet import zoo
        from bionet.training import Contrastive

        recipe = zoo.get("prototypes-local")
        method = Contrastive(recipe.state(), free=5, clamped=5)
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(int(train_state.step), float(metrics["moved"]) > 0)
        ```

    Source:
        O'Reilly, "Biologically plausible error-driven learning using local activation
        differences" (Neural Computation, 1996): a synapse sees its sender in the free phase
        and the change of its receiver from free to clamped. There the change is a
        difference of graded activities; here each module's rule takes the clamped activity
        as target and the free local field as score, for binary units the margin perceptron.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="contrastive",
        family="local",
        summary="Settle without the label, then with it, and learn the difference.",
        needs=("an orchestrator, whose modules have local rules",),
        sources=("oreilly1996biologically",),
    )
    Options: ClassVar[type] = ContrastiveOptions

    state: SequentialState
    optimizer: optax.GradientTransformation
    scales: EdgeScales
    free: int = eqx.field(static=True)
    clamped: int = eqx.field(static=True)
    early_stop: bool = eqx.field(static=True)

    def __init__(
        self,
        state: SequentialState,
        *,
        optimizer: optax.GradientTransformation | None = None,
        free: int = 10,
        clamped: int = 10,
        edge_rates: Mapping[Edge, ArrayLike] | None = None,
        edge_decays: Mapping[Edge, ArrayLike] | None = None,
        early_stop: bool = True,
    ) -> None:
        for name, steps in (("free", free), ("clamped", clamped)):
            if steps < 0:
                raise ValueError(f"Contrastive: {name} needs 0 steps or more, got {steps}.")
        self.state, self.free, self.clamped = state, free, clamped
        self.optimizer = optax.adam(5e-3) if optimizer is None else optimizer
        self.scales = EdgeScales(edge_rates, edge_decays)
        self.early_stop = early_stop

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: ContrastiveOptions, steps: int
    ) -> Contrastive:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        state, most = settling(workload, config, cls.spec.name)
        return cls(
            state,
            optimizer=options.build_optimizer(steps),
            clamped=most if options.clamped is None else options.clamped,
            free=most if options.free is None else options.free,
            early_stop=options.early_stop,
            **options.edge_scales(workload, config),
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state before the first step; optimiser memory for the trained leaves alone."""
        if not isinstance(model, AbstractOrchestrator):
            raise unmet(self.spec, self.spec.needs[0], model)
        self.scales.check("Contrastive", model.lmap)
        learning, _ = partition_trained(model)
        memory = start_optimizer("Contrastive", self.optimizer, learning, gives=())
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
        """Settles without the labels and with them, and asks each edge what it would learn.

        Returns:
            The pseudo-gradients of all edges, whether the phases settled, and the share of
            units that the label moved.
        """
        free, clamped, metrics = self._phases(network, batch, key)
        return network.backward(free, key, targets=clamped, check=False), metrics

    def _phases(
        self, network: AbstractOrchestrator, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[SequentialState, SequentialState, dict[str, Array]]:
        keys = jax.random.split(key, 3)
        labelled = self.state.place(*batch)
        known = clamped_messages(network.lmap, labelled)
        free, in_free = settle(
            network,
            labelled,
            rng=keys[0],
            max_steps=self.free,
            phase="free",
            early_stop=self.early_stop,
            known=known,
        )
        clamped, in_clamped = settle(
            network,
            free,
            rng=keys[1],
            max_steps=self.clamped,
            phase="clamped",
            early_stop=self.early_stop,
            known=known,
        )
        # The answer is given as without a label, which would else answer for itself.
        unlabelled = free.replace(-1, jnp.zeros_like(free.readout))
        free, _ = network.predict(unlabelled, keys[2], check=False)
        moved = [(free[i] != clamped[i]).mean() for i in network.lmap.rows()[:-1]]
        metrics = {
            "free_settled": in_free.settled.astype(jnp.float32),
            "clamped_settled": in_clamped.settled.astype(jnp.float32),
            "moved": jnp.stack(moved).mean() if moved else jnp.zeros(()),
        }
        return free, clamped, metrics
