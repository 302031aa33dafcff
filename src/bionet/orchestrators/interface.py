"""What an orchestrator does: one step of the dynamics, the answer, and the learning.

Orchestrators differ in one thing alone, the order in which rows see each other's
updates. That is `advance`. The four methods of the public contract are built on it
here, once: `step` and `step_inference` differ in whom a row listens to, `predict`
computes the output row, and `backward` asks each edge for its pseudo-gradient.

The key comes in and goes out under the name `rng`; a network whose modules use no
randomness may be given None.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Self, TypeVar

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from bionet.layer_maps.senders import Senders, known_group
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.modules.interfaces import AbstractModule
from bionet.orchestrators.messages import check_state, local_field
from bionet.states.interface import AbstractState

S = TypeVar("S", bound=AbstractState)
Rng = PRNGKeyArray | None


class AbstractOrchestrator(eqx.Module):
    """Runs the rows of a layer map, and gathers the pseudo-gradients of its edges."""

    lmap: eqx.AbstractVar[LayerMap]

    @abc.abstractmethod
    def advance(
        self, state: S, rng: Rng, senders: Senders, known: Mapping[Edge, Array]
    ) -> tuple[S, Rng]:
        """Updates every row but the last, once.

        Args:
            state: a state that fits the map; it has been checked.
            rng: a key, or None where no module uses randomness.
            senders: whom the rows listen to.
            known: messages that need not be computed, because their sender is clamped.
        """

    def step(self, state: S, *, rng: Rng, senders: Senders = "all") -> tuple[S, Rng]:
        """One step of every row but the last, by default with all messages.

        Returns:
            The new state, and the key that is left.

        Raises:
            ValueError: a state that does not fit the map, an unknown group of senders, or
                no key where a module needs one.
        """
        check_state(self.lmap, state)
        return self.advance(state, rng, known_group(senders), {})

    def step_inference(self, state: S, *, rng: Rng, senders: Senders = "forward") -> tuple[S, Rng]:
        """One step without what comes back from the output or from later layers.

        Returns:
            The new state, and the key that is left.
        """
        return self.step(state, rng=rng, senders=senders)

    def predict(self, state: S, rng: Rng = None) -> tuple[S, Rng]:
        """Writes the answer into the last buffer: the last row, from senders `j <= i`.

        Returns:
            The state with its readout, and the key that is left.
        """
        check_state(self.lmap, state)
        last = self.lmap.last
        field, rng = local_field(self.lmap, state, last, "forward", rng)
        return state.replace(last, self.lmap[last, last].activation(field)), rng

    def backward(
        self, state: AbstractState, rng: Rng = None, *, senders: Senders = "forward"
    ) -> Self:
        """The pseudo-gradients of all edges at `state`, for Optax to descend.

        The buffers are the targets, the last one included, which holds the labels. The
        score of a row is its local field from `senders`.

        Returns:
            An orchestrator of the same structure whose leaves are pseudo-gradients; its
            `.lmap` is the layer map of them. Leaves that do not learn are zero.

        Raises:
            ValueError: a state that does not fit the map.
            RuntimeError: labels that the rules of the last row can't learn (also under jit).
        """
        check_state(self.lmap, state)
        known_group(senders)
        fields: dict[int, Array] = {}
        for i in self.lmap.rows():
            fields[i], rng = local_field(self.lmap, state, i, senders, rng)

        def pseudo_gradient(edge: Edge, module: AbstractModule) -> AbstractModule:
            i, j = edge
            target = module.admit_target(state[i]) if i == self.lmap.last else state[i]
            return module.backward(x=state[j], y=target, y_hat=fields[i])

        return eqx.tree_at(lambda o: o.lmap, self, self.lmap.map_edges(pseudo_gradient))
