"""Two-phase learning in a network whose layers tick at rates of their own and hear each other late.

It is `TwoPhase` without a common clock. Phases last for so many steps of the supervisor, by the
end of which each row has been updated as often as its rate says. Then everybody holds what it
has reached and learns from it, against the messages that have arrived by then. A row never sees
a state that its senders hold now, only what they sent in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import equinox as eqx
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.graph.from_layer_map.network import Network
from bionet.graph.graph import Graph
from bionet.layer_maps.shared import Edge
from bionet.modules.trained import partition_trained
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.training.first_order.optimizers import start_optimizer
from bionet.training.local.edge_scales import EdgeScales
from bionet.training.local.local_guard import check_labels, check_local
from bionet.training.local.local_method import AbstractLocalMethod
from bionet.training.local.timing import Timing, run_in_time
from bionet.training.method import MethodSpec, TrainState, unmet
from bionet.training.options import EdgeRates
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike, settling


@dataclass(frozen=True)
class AsyncOptions(EdgeRates):
    """Options of `AsyncTwoPhase`; what is None is as the workload's own timing, or `Timing`'s."""

    learning_rate: float = 2e-3  # of the optimiser, at the start
    clamped: int | None = None  # steps of the output with the label
    free: int | None = None  # its steps without it; where nothing is timed, as an answer takes
    input_rate: float | None = None  # Hz at which the input is sent
    hidden_rate: float | None = None  # Hz at which the hidden rows are updated
    output_rate: float | None = None  # Hz at which the output is
    taking: float | None = None  # seconds that an update takes
    delay: float | None = None  # seconds that a message travels
    jitter: float | None = None  # standard deviation of both, as a share of them
    window: int | None = None  # messages of each sender that a row hears at once
    episodes: int | None = None  # schedules to train on

    def timing(self, workload: WorkloadLike, config: Any) -> Timing:
        """Rates, delays and phases: the options, and for the rest the workload's own."""
        _, steps = settling(workload, config, "async-two-phase")
        timed: Timing | None = getattr(workload, "timing", lambda _: None)(config)
        timed = Timing(clamped=steps, free=steps) if timed is None else timed
        given = {
            "rate_in": self.input_rate,
            "rate_hidden": self.hidden_rate,
            "rate_out": self.output_rate,
            **{name: getattr(self, name) for name in ("clamped", "free", "taking", "delay")},
            **{name: getattr(self, name) for name in ("jitter", "window", "episodes")},
        }
        return replace(timed, **{name: to for name, to in given.items() if to is not None})


@final
class AsyncTwoPhase(AbstractLocalMethod):
    """The two-phase method in compiled asynchronous time.

    Args:
        network: the nodes, made from a layer map of the same edges as the model's, with
            `learning="accumulate"`.
        graph: of these nodes; each batch follows one of its episodes, drawn at random.
        optimizer: descends the pseudo-gradients of the trained leaves.
        clamped: the supervisor's steps with the label.
        free: its steps without the label.
        edge_rates: by (receiver, sender), a factor on what the optimiser wants to add.
        edge_decays: by (receiver, sender), the share of itself that each trained entry loses.

    Raises:
        ValueError: numbers of steps below 0, or more than the episodes have; at `init`, a model
            that is no orchestrator of the network's edges.

    Example:
        ```python
        import jax
        from bionet import zoo

        recipe = zoo.get("prototypes-async-local")
        method = recipe.build_own_method()
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(int(train_state.step), sorted(metrics))
        ```

    Source:
        The phases and the rule of Badalotti et al. (2025) [badalotti2025dynamical], whose network
        is updated by one clock. Rates and delays are ours.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="async-two-phase",
        family="local",
        summary="Two phases without a common clock: layers with rates and delays of their own.",
        needs=("an orchestrator, whose modules have local rules",),
        sources=("badalotti2025dynamical",),
    )
    Options: ClassVar[type] = AsyncOptions

    network: Network = eqx.field(static=True)
    graph: Graph = eqx.field(static=True)
    optimizer: optax.GradientTransformation
    scales: EdgeScales
    clamped: int = eqx.field(static=True)
    free: int = eqx.field(static=True)

    def __init__(
        self,
        network: Network,
        graph: Graph,
        *,
        optimizer: optax.GradientTransformation | None = None,
        clamped: int = 10,
        free: int = 10,
        edge_rates: Mapping[Edge, ArrayLike] | None = None,
        edge_decays: Mapping[Edge, ArrayLike] | None = None,
    ) -> None:
        for name, steps in (("clamped", clamped), ("free", free)):
            if steps < 0:
                raise ValueError(f"AsyncTwoPhase: {name} needs 0 steps or more, got {steps}.")
        _check_length("AsyncTwoPhase", graph, clamped + free + 1)
        self.network, self.graph = network, graph
        self.optimizer = optax.adam(5e-3) if optimizer is None else optimizer
        self.clamped, self.free = clamped, free
        self.scales = EdgeScales(edge_rates, edge_decays)

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: AsyncOptions, steps: int
    ) -> AsyncTwoPhase:
        """The method for a workload's network and its rates and delays.

        Args:
            workload: what is trained; its network is an orchestrator.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        timing = options.timing(workload, config)
        return cls(
            *run_in_time(workload, config, timing, learning=True),
            optimizer=options.build_optimizer(steps),
            clamped=timing.clamped,
            free=timing.free,
            **options.edge_scales(workload, config),
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state before the first step; optimiser memory for the trained leaves alone."""
        if not isinstance(model, AbstractOrchestrator):
            raise unmet(self.spec, self.spec.needs[0], model)
        if tuple(model.lmap) != tuple(self.network.lmap):
            raise ValueError(
                f"AsyncTwoPhase: the network has edges {tuple(self.network.lmap)}, but the model "
                f"has {tuple(model.lmap)}; make it by from_layer_map of the model's layer map."
            )
        self.scales.check("AsyncTwoPhase", model.lmap)
        learning, _ = partition_trained(model)
        memory = start_optimizer("AsyncTwoPhase", self.optimizer, learning, gives=())
        return TrainState(model, memory, jnp.zeros((), jnp.int32))

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses labels that the rules can't learn, and a predictor of another network."""
        if isinstance(predict, AsyncReadout):
            check_labels(train_state.model, self.network.state.init(*batch).readout)
            return
        given = (train_state.model, batch, key, predict)
        check_local(self.spec, self.network.state, *given)

    def pseudo_gradient(
        self, network: AbstractOrchestrator, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[AbstractOrchestrator, dict[str, Array]]:
        """Runs both phases and one step of learning.

        Returns:
            The pseudo-gradients of all edges, summed over the updates of a row within that step,
            and the share of units that the label has moved between the phases.
        """
        nodes, run = self.network, self.graph.rollout
        state = nodes.init(
            self.graph, *batch, rng=key, lmap=network.lmap, randomize_eps=True, check=False
        )
        state = run(nodes.phase(state, feedback=True), self.clamped)
        labelled = nodes.buffers(state)
        state = run(nodes.phase(state, feedback=False), self.free)
        reached = nodes.buffers(state)
        state = run(nodes.phase(state, moving=False, learning=1.0), 1)
        learned = eqx.tree_at(lambda o: o.lmap, network, nodes.pseudo_gradients(state))
        rows = network.lmap.rows()[:-1]
        moved = [jnp.mean(labelled[i] != reached[i]) for i in rows]
        return learned, {"moved": jnp.stack(moved).mean() if moved else jnp.zeros(())}


@final
class AsyncReadout(eqx.Module):
    """`predict` of a `Problem` in asynchronous time: clamp `x`, run freely, read the answer.

    Args:
        network: the nodes.
        graph: of these nodes; each batch follows one of its episodes, drawn by the key.
        steps: how many steps of the supervisor the network has to answer.

    Raises:
        ValueError: more steps than the episodes have.
    """

    network: Network = eqx.field(static=True)
    graph: Graph = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        _check_length("AsyncReadout", self.graph, self.steps)

    def __call__(
        self, model: AbstractOrchestrator, x: Float[Array, "n ..."], key: PRNGKeyArray
    ) -> Float[Array, "n ..."]:
        """The last row's answer after the last step: a score per class."""
        start: dict[str, Any] = {"rng": key, "lmap": model.lmap, "randomize_eps": True}
        state = self.network.init(self.graph, x, **start, check=False)
        state = self.graph.rollout(self.network.phase(state, feedback=False), self.steps)
        return self.network.answer(state)


def _check_length(where: str, graph: Graph, steps: int) -> None:
    if steps > graph.max_steps:
        raise ValueError(
            f"{where}: needs {steps} steps of the supervisor, but the shortest episode of the "
            f"graph has {graph.max_steps}; generate longer ones."
        )
