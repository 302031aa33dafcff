"""Error feedback as a phase: the network answers, and what the answer lacks kicks the units.

One step on a batch is

    warm-up   the network settles on the input alone, and answers,
    error     what each class lacks, `(y + 1) / 2 - softmax(scores)`, takes the place of the
              answer, and acts on the hidden units through the feedback couplings,
    free      the error is taken away, and the network settles again (may be left out),

and then each hidden unit takes the state it has reached as its target, as in two-phase
dynamics. The error is small where the answer is good, so an image that is known well moves
nobody, and a gate leaves out those that are right by a margin. The readout learns from the
labels in the state before the error came: that is the state in which it will be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.layer_maps.shared import Edge
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.interfaces import AbstractModule
from bionet.modules.trained import partition_trained
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import clamped_messages
from bionet.orchestrators.settle import Phase, Settled, settle
from bionet.rules.softmax import class_margin, softmax_error
from bionet.states.sequential import SequentialState
from bionet.training.first_order.optimizers import start_optimizer
from bionet.training.local.edge_scales import EdgeScales
from bionet.training.local.local_guard import check_local
from bionet.training.local.local_method import AbstractLocalMethod
from bionet.training.method import MethodSpec, TrainState, unmet
from bionet.training.options import Settling, later
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike, settling

Known = Mapping[Edge, Array]


class _Reached(NamedTuple):
    """The states at which the three kinds of edges learn, and who teaches the hidden units."""

    before: SequentialState
    error: Array
    after: SequentialState
    gate: Array | None
    known: Known


@dataclass(frozen=True)
class ErrorPhaseOptions(Settling):
    """Options of `ErrorPhase`."""

    clamped: int | None = None  # most steps with the error; None is one
    free: int | None = None  # most steps after it; None is none
    warmup: int | None = later(None)  # most steps before the error; None is as an answer takes
    margin: float | None = later(None)  # from which on an example teaches no hidden unit; or none
    beta: float = later(1.0)  # factor on the error that enters


@final
class ErrorPhase(AbstractLocalMethod):
    """Error feedback through the dynamics, with any Optax transformation that needs no loss.

    Edges among and into hidden rows learn at the state that the error has brought about,
    which is also their target; they are gated. Edges into the last row learn from the labels
    at the state before. Edges from the last row learn at that state too, with the error as
    what they are sent. Each module learns by its own rule.

    Args:
        state: gives the sizes of the buffers.
        optimizer: descends the pseudo-gradients of the trained leaves. Make it once and
            reuse it: Optax makes new functions each time, and new functions are compiled
            anew.
        warmup: the most steps on the input alone, before the network answers.
        clamped: the most steps with the error in the output buffer.
        free: the most steps after it has been taken away.
        margin: a sample teaches the hidden rows if the score of its class exceeds the best
            of the others by no more than this; None lets every sample teach.
        beta: how sharply the scores are turned into probabilities, for the error.
        edge_rates: by (receiver, sender), a factor on what the optimiser wants to add.
        edge_decays: by (receiver, sender), the share of itself that each trained entry loses
            per step.
        early_stop: stop a phase as soon as no unit of the batch changes.

    Raises:
        ValueError: a negative number of steps; at `init`, a model that is no orchestrator or
            whose output talks back to no hidden row, or a rate or decay for an edge that the
            model does not have.

    Example:
        ```python
        import jax
        from bionet import zoo
        from bionet.training import ErrorPhase

        recipe = zoo.get("prototypes-local")
        method = ErrorPhase(recipe.state(), warmup=2, clamped=1, margin=4.0)
        train_state = method.init(recipe.build(), jax.random.key(0))
        batch = recipe.synthetic_batch(batch_size=16)
        train_state, metrics = method.step(train_state, batch, jax.random.key(1))
        print(int(train_state.step), float(metrics["taught"]))
        ```

    Source:
        The phases are those of Badalotti et al. (2025) [badalotti2025dynamical]. That the error and
        not the label is sent back is Lillicrap et al., "Random synaptic feedback weights
        support error backpropagation for deep learning" (2016); there it makes a graded
        correction, here it kicks binary units, and the perceptron makes them hold what came
        out. The gate is that of the margin perceptron, applied to a whole sample.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="error-phase",
        family="local",
        summary="Answer, let the error act on the hidden units, and hold the state by a margin.",
        needs=(
            "an orchestrator, whose modules have local rules",
            "feedback from the output row to a hidden row",
        ),
        sources=("badalotti2025dynamical", "lillicrap2016random"),
    )
    Options: ClassVar[type] = ErrorPhaseOptions

    state: SequentialState
    optimizer: optax.GradientTransformation
    scales: EdgeScales
    margin: Float[Array, ""] | None
    beta: Float[Array, ""]
    warmup: int = eqx.field(static=True)
    clamped: int = eqx.field(static=True)
    free: int = eqx.field(static=True)
    early_stop: bool = eqx.field(static=True)

    def __init__(
        self,
        state: SequentialState,
        *,
        optimizer: optax.GradientTransformation | None = None,
        warmup: int = 1,
        clamped: int = 1,
        free: int = 0,
        margin: ArrayLike | None = None,
        beta: ArrayLike = 1.0,
        edge_rates: Mapping[Edge, ArrayLike] | None = None,
        edge_decays: Mapping[Edge, ArrayLike] | None = None,
        early_stop: bool = True,
    ) -> None:
        for name, steps in (("warmup", warmup), ("clamped", clamped), ("free", free)):
            if steps < 0:
                raise ValueError(f"ErrorPhase: {name} needs 0 steps or more, got {steps}.")
        self.state = state
        self.optimizer = optax.adam(5e-3) if optimizer is None else optimizer
        self.warmup, self.clamped, self.free = warmup, clamped, free
        self.margin = None if margin is None else jnp.asarray(margin, jnp.float32)
        self.beta = jnp.asarray(beta, jnp.float32)
        self.scales = EdgeScales(edge_rates, edge_decays)
        self.early_stop = early_stop

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: ErrorPhaseOptions, steps: int
    ) -> ErrorPhase:
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
            warmup=most if options.warmup is None else options.warmup,
            clamped=1 if options.clamped is None else options.clamped,
            free=options.free or 0,
            margin=options.margin,
            beta=options.beta,
            early_stop=options.early_stop,
            **options.edge_scales(workload, config),
        )

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state before the first step; optimiser memory for the trained leaves alone."""
        if not isinstance(model, AbstractOrchestrator):
            raise unmet(self.spec, self.spec.needs[0], model)
        *hidden, last = model.lmap.rows()
        if hidden and not any((i, last) in model.lmap for i in hidden):
            raise unmet(self.spec, self.spec.needs[1], model)
        self.scales.check("ErrorPhase", model.lmap)
        learning, _ = partition_trained(model)
        memory = start_optimizer("ErrorPhase", self.optimizer, learning, gives=())
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
        """Answers, lets the error act, and asks each edge what it would learn.

        Returns:
            The pseudo-gradients of all edges; the share of units that the error moved, the
            share of samples that taught the hidden rows, and for each phase whether it settled
            and in how many steps.
        """
        x, y = batch
        settling, learning_key = jax.random.split(key)
        labels = self.state.place(x, y).readout
        reached, metrics = self._phases(network, x, labels, settling)
        return _learn(network, reached, labels, learning_key), metrics

    def _phases(
        self, network: AbstractOrchestrator, x: Array, labels: Array, key: PRNGKeyArray
    ) -> tuple[_Reached, dict[str, Array]]:
        keys = jax.random.split(key, 4)
        state, last = self.state.place(x), network.lmap.last
        known = clamped_messages(network.lmap, state, "forward")
        state, warmup = self._settle(network, state, self.warmup, "free", known, keys[0])
        before, _ = network.predict(state, keys[1], check=False)
        error = softmax_error(labels, before.readout, self.beta.astype(labels.dtype))
        state = before.replace(last, error)
        sent_back = _from_output(network.lmap, state)
        state, clamped = self._settle(
            network, state, self.clamped, "clamped", {**known, **sent_back}, keys[2]
        )
        state, free = self._settle(network, state, self.free, "free", known, keys[3])
        gate = None
        if self.margin is not None:
            gate = (class_margin(labels, before.readout) <= self.margin).astype(labels.dtype)
        moved = [(before[i] != state[i]).mean() for i in network.lmap.rows()[:-1]]
        metrics = {
            "moved": jnp.stack(moved).mean() if moved else jnp.zeros(()),
            "taught": jnp.ones(()) if gate is None else gate.mean(),
            **_describe("warmup", warmup),
            **_describe("clamped", clamped),
            **_describe("free", free),
        }
        return _Reached(before, error, state, gate, known), metrics

    def _settle(
        self,
        network: AbstractOrchestrator,
        state: SequentialState,
        steps: int,
        phase: Phase,
        known: Known,
        key: PRNGKeyArray,
    ) -> tuple[SequentialState, Settled | None]:
        if steps == 0:
            return state, None
        return settle(
            network,
            state,
            rng=key,
            max_steps=steps,
            phase=phase,
            early_stop=self.early_stop,
            known=known,
        )


def _learn(
    network: AbstractOrchestrator, reached: _Reached, labels: Array, key: PRNGKeyArray
) -> AbstractOrchestrator:
    """The pseudo-gradients, each edge's at the state at which it learns.

    The halves that are not picked are never computed: the compiler leaves them out.
    """
    last, keys = network.lmap.last, jax.random.split(key, 3)

    def at(state: SequentialState, gate: Array | None, rng: PRNGKeyArray) -> LayerMap:
        told = state.replace(last, labels)
        learned = network.backward(
            state, rng, gate=gate, known=reached.known, targets=told, check=False
        )
        return learned.lmap

    hidden = at(reached.after, reached.gate, keys[0])
    readout = at(reached.before, None, keys[1])
    feedback = at(reached.before.replace(last, reached.error), None, keys[2])

    def picked(edge: Edge, module: AbstractModule) -> AbstractModule:
        receiver, sender = edge
        if receiver == last:
            return readout[edge]
        return feedback[edge] if sender == last else hidden[edge]

    return eqx.tree_at(lambda o: o.lmap, network, network.lmap.map_edges(picked))


def _from_output(lmap: LayerMap, state: SequentialState) -> dict[Edge, Array]:
    """The messages that the hidden rows are sent from the output buffer as it is."""
    return {
        edge: message
        for edge, message in clamped_messages(lmap, state).items()
        if edge[1] == lmap.last
    }


def _describe(phase: str, result: Settled | None) -> dict[str, Array]:
    if result is None:
        return {}
    return {
        f"{phase}_settled": result.settled.astype(jnp.float32),
        f"{phase}_steps": result.steps.astype(jnp.float32),
    }
