"""The base of methods with local rules: a pseudo-gradient, which an optimiser descends.

They differ in how the network comes to the state at which it learns. That is
`pseudo_gradient`. The step is the same for all of them: Optax turns the pseudo-gradient into
updates of the trained leaves, and each edge has a rate and a decay of its own.

The two halves can be used apart. A hybrid takes the pseudo-gradient as its cheap direction,
corrects it, and hands what came out to `descend`.
"""

from __future__ import annotations

import abc

import equinox as eqx
import optax
from jaxtyping import Array, PRNGKeyArray, PyTree

from bionet.modules.trained import apply_trained, partition_trained
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.training.local.edge_scales import EdgeScales
from bionet.training.method import AbstractMethod, TrainState


class AbstractLocalMethod(AbstractMethod):
    """A method whose modules' rules say what to learn, without any loss."""

    optimizer: eqx.AbstractVar[optax.GradientTransformation]
    scales: eqx.AbstractVar[EdgeScales]

    @abc.abstractmethod
    def pseudo_gradient(
        self, network: AbstractOrchestrator, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[AbstractOrchestrator, dict[str, Array]]:
        """Returns the pseudo-gradient of the rules, and scalars that say how it went.

        Args:
            network: at the weights it has now.
            batch: inputs, and labels in {-1, +1}.
            key: of modules that use randomness.

        Returns:
            An orchestrator of the same structure, in which leaves that do not learn are zero,
            and the metrics.
        """

    @eqx.filter_jit
    def step(
        self, train_state: TrainState, batch: tuple[Array, ...], key: PRNGKeyArray
    ) -> tuple[TrainState, dict[str, Array]]:
        """Settles on the batch (inputs, labels in {-1, +1}), and moves the weights once.

        All of it is one compiled program.

        Returns:
            The next state, and the metrics of `pseudo_gradient`.
        """
        learned, metrics = self.pseudo_gradient(train_state.model, batch, key)
        return self.descend(train_state, partition_trained(learned)[0]), metrics

    def descend(self, train_state: TrainState, pseudo_gradient: PyTree) -> TrainState:
        """The state after one step of the optimiser.

        Args:
            train_state: as `init` or a step made it.
            pseudo_gradient: in the structure of the model's trained leaves.
        """
        learning, _ = partition_trained(train_state.model)
        updates, memory = self.optimizer.update(pseudo_gradient, train_state.memory, learning)
        model = apply_trained(train_state.model, self.scales(updates, learning))
        return TrainState(model, memory, train_state.step + 1)

    def finish(self, train_state: TrainState) -> PyTree:
        """The network as it is."""
        return train_state.model
