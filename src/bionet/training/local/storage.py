"""Storing patterns in recurrent couplings, so that each becomes a fixed point of the dynamics.

A layer with recurrent couplings is shown whole patterns. Every unit asks its own couplings to
hold it where the pattern puts it, given the others: by the layer's own rule (a perceptron with a
margin, which corrects what is not yet held) or by Hebb's (which adds each pattern once and asks
nothing). No label and no error goes anywhere, and nothing settles while learning. What has been
stored is read by starting near a pattern and letting the layer settle, see `Recall`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from bionet._core.names import unknown
from bionet.modules.interfaces import AbstractLayer, reverse_sign
from bionet.modules.trained import apply_trained, partition_trained
from bionet.rules.hebbian import hebbian
from bionet.rules.targets import unit_signs
from bionet.training.first_order.optimizers import start_optimizer
from bionet.training.method import AbstractMethod, MethodSpec, TrainState, unmet
from bionet.training.options import Descent
from bionet.training.problem import Predict
from bionet.training.workload import WorkloadLike

Rule = Literal["perceptron", "hebb"]
NEED = "a layer with recurrent couplings `J` that learn, such as RecurrentDiscrete"


@dataclass(frozen=True)
class StorageOptions(Descent):
    """Options of `Storage`."""

    learning_rate: float = 1.0  # of the optimiser, at the start
    optimizer: str = "sgd"  # the optimiser, by its name in Optax
    rule: Rule = "perceptron"  # or hebb


@final
class Storage(AbstractMethod):
    """Makes patterns fixed points of a layer.

    Args:
        rule: "perceptron" is the layer's own rule, with its margin; "hebb" adds the product of
            the activities at both ends, whatever the couplings already hold.
        optimizer: descends the pseudo-gradient of the couplings.

    Raises:
        ValueError: an unknown rule; at `init`, a model that is no layer with couplings `J`.

    Example:
        ```python
        import jax
        import optax
        from bionet.modules import RecurrentDiscrete
        from bionet.training import Storage

        layer = RecurrentDiscrete(50, j_d=0.0, threshold=1.0, key=jax.random.key(0))
        patterns = jax.random.rademacher(jax.random.key(1), (5, 50), float)
        method = Storage(optimizer=optax.sgd(1.0))
        train_state = method.init(layer, jax.random.key(2))
        for _ in range(20):
            train_state, told = method.step(train_state, (patterns, patterns), jax.random.key(3))
        print(float(told["unstable"]))  # the share of units that would leave their pattern
        ```

    Source:
        Hebb: Hopfield, "Neural networks and physical systems with emergent collective
        computational abilities", PNAS 79 (1982). Perceptron: Gardner, "The space of interactions
        in neural network models", J. Phys. A 21 (1988), as learned by Diederich and Opper,
        "Learning of correlated patterns in spin-glass networks by local learning rules", PRL 58
        (1987). Ours takes batches and any Optax transformation that needs no loss.
    """

    spec: ClassVar[MethodSpec] = MethodSpec(
        name="storage",
        family="local",
        summary="Move the couplings of a layer until it holds each pattern by itself.",
        needs=(NEED,),
        sources=("hopfield1982neural", "diederich1987learning"),
    )
    Options: ClassVar[type] = StorageOptions

    rule: Rule = eqx.field(static=True)
    optimizer: optax.GradientTransformation

    def __init__(
        self, rule: Rule = "perceptron", *, optimizer: optax.GradientTransformation | None = None
    ) -> None:
        if rule not in get_args(Rule):
            raise ValueError(f"Storage: {unknown('rule', rule, get_args(Rule))}")
        self.rule = rule
        self.optimizer = optax.sgd(1.0) if optimizer is None else optimizer

    @classmethod
    def from_workload(
        cls, workload: WorkloadLike, config: Any, options: StorageOptions, steps: int
    ) -> Storage:
        """The method for a workload's network and loss.

        Args:
            workload: what is trained.
            config: of the workload.
            options: of the method.
            steps: the updates of the run, over which a schedule is planned.
        """
        return cls(options.rule, optimizer=options.build_optimizer(steps))

    def init(self, model: PyTree, key: PRNGKeyArray) -> TrainState:
        """The layer, and the optimiser's memory of its couplings."""
        if not isinstance(model, AbstractLayer) or "J" not in model.trained():
            raise unmet(self.spec, NEED, model)
        learning, _ = partition_trained(model)
        memory = start_optimizer("Storage", self.optimizer, learning, gives=())
        return TrainState(model, memory, jnp.zeros((), jnp.int32))

    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """Stores the patterns of a batch, `(anything, patterns)`, by one step.

        Returns:
            The next state, and the share of units that would have left their pattern.
        """
        layer, (_, patterns) = train_state.model, batch
        local_field = layer.reduce({0: layer(patterns)})
        gradient = self._pseudo_gradient(layer, patterns, local_field)
        learning, _ = partition_trained(layer)
        updates, memory = self.optimizer.update(gradient, train_state.memory, learning)
        told = {"unstable": jnp.mean(layer.activation(local_field) != patterns)}
        layer = apply_trained(layer, updates)
        return TrainState(layer, memory, train_state.step + 1), told

    def guard(
        self,
        train_state: TrainState,
        batch: tuple[Array, ...],
        key: PRNGKeyArray,
        predict: Predict,
    ) -> None:
        """Refuses patterns that the layer's units can't take."""
        _, patterns = batch
        if patterns.shape[1:] != train_state.model.receiver_shape:
            raise ValueError(
                f"Storage: patterns need a number for each unit of the layer, which has shape "
                f"{train_state.model.receiver_shape}, got shape {patterns.shape}."
            )
        if not (jnp.abs(patterns) == 1).all():
            raise ValueError(
                "Storage: patterns need to be -1 or +1, got others. Take 2 * y - 1 for 0 / 1."
            )

    def finish(self, train_state: TrainState) -> PyTree:
        """The layer as it is."""
        return train_state.model

    def _pseudo_gradient(self, layer: AbstractLayer, patterns: Array, field: Array) -> PyTree:
        if self.rule == "perceptron":
            return partition_trained(layer.backward(patterns, patterns, field))[0]
        zeros, _ = partition_trained(jax.tree.map(jnp.zeros_like, layer))
        added = reverse_sign(hebbian(patterns, patterns))
        return eqx.tree_at(lambda one: one.J, zeros, added)


@final
class Recall(eqx.Module):
    """`predict` of a `Problem` for stored patterns: start at a cue and let the layer settle.

    Args:
        steps: how many updates of all units at once; a fixed point stays where it is.
    """

    steps: int = eqx.field(static=True)

    def __call__(
        self, model: AbstractLayer, x: Float[Array, "n d"], key: PRNGKeyArray
    ) -> Float[Array, "n d"]:
        """Returns the state in which the layer settles from the cues."""

        def step(_: int, activity: Array) -> Array:
            return model.activation(model.reduce({0: model(activity)}))

        return jax.lax.fori_loop(0, self.steps, step, x)


def wrong_bits(outputs: Float[Array, "n d"], y: Float[Array, "n d"]) -> Float[Array, ""]:
    """`loss` of a `Problem` with patterns: the share of units on the wrong side."""
    return jnp.mean(outputs * unit_signs("wrong_bits", y, outputs) <= 0)


def recalled(
    outputs: Float[Array, "n d"], y: Float[Array, "n d"], overlap: ArrayLike = 0.95
) -> Float[Array, ""]:
    """`metric` of a `Problem` with patterns: the share of cues whose overlap is that high."""
    return jnp.mean((outputs * unit_signs("recalled", y, outputs)).mean(-1) >= overlap)
