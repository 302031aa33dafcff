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
from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.modules.trained import apply_trained, partition_trained
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.settle import Phase, Settled, settle
from bionet.states.sequential import SequentialState
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet


@final
class TwoPhase(AbstractMethod):
    """The two-phase method with any Optax transformation and a learning rate per edge.

    Args:
        state: gives the sizes of the buffers.
        optimizer: descends the pseudo-gradients of the trained leaves; it never sees the
            others, so weight decay is safe. Make it once and reuse it: Optax makes new
            functions each time, and new functions are compiled anew.
        warmup: free steps before the label comes.
        clamped: the most steps with the label.
        free: the most steps after it has been taken away.
        edge_rates: by (receiver, sender), a factor on what the optimiser wants to add to
            that edge; edges without one have 1.

    Raises:
        ValueError: a negative number of steps; at `init`, a model without local rules, or a
            rate for an edge that the model does not have.

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
        (2025, arXiv:2509.05041). Ours stops a phase as soon as no unit of the batch
        changes, which leaves the numbers as they are.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="two-phase",
        family="local",
        summary="Settle with the label, settle without it, and hold the state by a margin.",
        needs=("an orchestrator, whose modules have local rules",),
        sources=("arXiv:2509.05041",),
    )

    state: SequentialState
    optimizer: optax.GradientTransformation
    edge_rates: dict[Edge, Float[Array, ""]]
    warmup: int = eqx.field(static=True)
    clamped: int = eqx.field(static=True)
    free: int = eqx.field(static=True)

    def __init__(
        self,
        state: SequentialState,
        *,
        optimizer: optax.GradientTransformation | None = None,
        warmup: int = 0,
        clamped: int = 10,
        free: int = 10,
        edge_rates: Mapping[Edge, ArrayLike] | None = None,
    ) -> None:
        for name, steps in (("warmup", warmup), ("clamped", clamped), ("free", free)):
            if steps < 0:
                raise ValueError(f"TwoPhase: {name} needs 0 steps or more, got {steps}.")
        self.state = state
        self.optimizer = optax.adam(5e-3) if optimizer is None else optimizer
        self.warmup, self.clamped, self.free = warmup, clamped, free
        self.edge_rates = {
            edge: jnp.asarray(rate, jnp.float32) for edge, rate in (edge_rates or {}).items()
        }

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The state before the first step; optimiser memory for the trained leaves alone."""
        if not isinstance(model, AbstractOrchestrator):
            raise unmet(self.spec, self.spec.needs[0], model)
        for edge in self.edge_rates:
            if edge not in model.lmap:
                raise ValueError(
                    f"TwoPhase: edge_rates names {edge}, but the model has no such edge."
                )
        learning, _ = partition_trained(model)
        return TrainState(model, self.optimizer.init(learning), jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """Settles on the batch (inputs, labels in {-1, +1}), and moves the weights once.

        Returns:
            The next state, and for both phases whether the batch settled and in how many
            steps.
        """
        network = train_state.model
        settling, learning_key = jax.random.split(key)
        state, metrics = self._settle(network, batch, settling)
        pseudo_gradient, _ = partition_trained(network.backward(state, learning_key))
        learning, _ = partition_trained(network)
        updates, memory = self.optimizer.update(pseudo_gradient, train_state.memory, learning)
        network = apply_trained(network, self._rated(updates))
        return TrainState(network, memory, train_state.step + 1), metrics

    def finish(self, train_state: TrainState) -> PyTree:
        """The network as it is."""
        return train_state.model

    def _settle(
        self, network: AbstractOrchestrator, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[SequentialState, dict[str, Array]]:
        x, y = batch
        keys = jax.random.split(key, 3)
        phases: tuple[tuple[str, int, Phase], ...] = (
            ("warmup", self.warmup, "free"),
            ("clamped", self.clamped, "clamped"),
            ("free", self.free, "free"),
        )
        state, metrics = self.state.init(x, y), {}
        for (name, steps, phase), rng in zip(phases, keys, strict=True):
            if steps == 0:
                continue
            state, result = settle(network, state, rng=rng, max_steps=steps, phase=phase)
            metrics |= _told(name, result)
        return state, metrics

    def _rated(self, updates: PyTree) -> PyTree:
        if not self.edge_rates:
            return updates

        def rated(edge: Edge, module: PyTree) -> PyTree:
            rate = self.edge_rates.get(edge)
            if rate is None:
                return module
            return jax.tree.map(lambda leaf: leaf * rate.astype(leaf.dtype), module)

        lmap: LayerMap = updates.lmap
        return eqx.tree_at(lambda o: o.lmap, updates, lmap.map_edges(rated))


def _told(phase: str, result: Settled) -> dict[str, Array]:
    return {
        f"{phase}_settled": result.settled.astype(jnp.float32),
        f"{phase}_steps": result.steps.astype(jnp.float32),
    }
