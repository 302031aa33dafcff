"""The interface of orchestrators: a step of the dynamics, the answer, and the learning.

Orchestrators differ in one thing alone, the order in which rows see each other's
updates. That is `stepper`. The four methods of the public contract are built on it
here, once: `step` and `step_inference` differ in whom a row listens to, `predict`
computes the output row, and `backward` asks each edge for its pseudo-gradient.

The key comes in and goes out under the name `rng`; a network whose modules use no
randomness may be given None.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.layer_maps.senders import Senders, check_senders
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.modules.interfaces import AbstractModule, added
from bionet.orchestrators.messages import check_state, finite_field, local_field, score
from bionet.states.interface import AbstractState

S = TypeVar("S", bound=AbstractState)
Rng = PRNGKeyArray | None
Stepper = Callable[[Any, Rng], tuple[Any, Rng]]


class AbstractOrchestrator(eqx.Module):
    """Runs the rows of a layer map, and gathers the pseudo-gradients of its edges."""

    lmap: eqx.AbstractVar[LayerMap]

    @abc.abstractmethod
    def stepper(self, senders: Senders, known: Mapping[Edge, Array]) -> Stepper:
        """A function that updates every row but the last, once: `(state, rng) -> (state, rng)`.

        It is made once for a whole loop of steps, so what all of them share (weights that
        are stacked, for example) is prepared here and not in the step.

        Args:
            senders: whom the rows listen to.
            known: messages that need not be computed, because their sender is clamped.

        Returns:
            The step. Its state fits the map and has been checked; its key may be None where
            no module uses randomness.
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
        return self.stepper(check_senders(senders), {})(state, rng)

    def step_inference(self, state: S, *, rng: Rng, senders: Senders = "forward") -> tuple[S, Rng]:
        """One step without what comes back from the output or from later layers.

        Returns:
            The new state, and the key that is left.
        """
        return self.step(state, rng=rng, senders=senders)

    def predict(self, state: S, rng: Rng = None, *, check: bool = True) -> tuple[S, Rng]:
        """Writes the answer into the last buffer: the last row, from senders `j <= i`.

        Args:
            state: where the network has settled.
            rng: a key, where modules use randomness.
            check: whether a local field that is NaN or infinite is an error.

        Returns:
            The state with its readout, and the key that is left.

        Raises:
            RuntimeError: the last row's local field is NaN or infinite (also under jit).
        """
        check_state(self.lmap, state)
        last = self.lmap.last
        field, rng = local_field(self.lmap, state, last, "forward", rng)
        if check:
            field = finite_field(field, last)
        return state.replace(last, self.lmap[last, last].activation(field)), rng

    def backward(
        self,
        state: AbstractState,
        rng: Rng = None,
        *,
        senders: Senders = "forward",
        gate: Float[Array, " batch"] | None = None,
        known: Mapping[Edge, Array] | None = None,
        targets: AbstractState | None = None,
        check: bool = True,
    ) -> Self:
        """The pseudo-gradients of all edges at `state`, for Optax to descend.

        The buffers are the targets, the last one included, which holds the labels. The
        score of a row is its local field from `senders`. The last row's own message is left
        out of its score: its buffer is the label, and would answer for itself. The module at
        (last, last) learns by its own rule from that score too: which labels come together,
        where the others have not yet said so. Nothing that it learns changes the score.

        Args:
            state: where to learn: the activity that is sent, and that makes the scores.
            rng: a key, where modules use randomness.
            senders: whom the rows listen to.
            gate: a factor per sample on what it teaches; None is 1 for each.
            known: messages that need not be computed again, see `clamped_messages`.
            targets: the state whose buffers are the targets, if it is another one: what the
                network did in another phase.
            check: whether labels that the rules can't learn, and a local field that is NaN or
                infinite, are errors. A check of traced values is a call back to the host; `fit`
                looks at the labels once, before it trains, and at the weights after each epoch.

        Returns:
            An orchestrator of the same structure whose leaves are pseudo-gradients; its
            `.lmap` is the layer map of them. Leaves that do not learn are zero.

        Raises:
            ValueError: a state that does not fit the map.
            RuntimeError: labels that the rules of the last row can't learn, or a local field
                that is NaN or infinite (also under jit).
        """
        check_state(self.lmap, state)
        check_senders(senders)
        wanted = state if targets is None else targets
        check_state(self.lmap, wanted)
        fields: dict[int, Array] = {}
        for i in self.lmap.rows():
            fields[i], rng = score(self.lmap, state, i, senders, rng, known)
            if check:
                fields[i] = finite_field(fields[i], i)

        def pseudo_gradient(edge: Edge, module: AbstractModule) -> AbstractModule:
            parts = [learned(module, user) for user in self.lmap.users(edge)]
            return functools.reduce(added, parts)

        def learned(module: AbstractModule, edge: Edge) -> AbstractModule:
            i, j = edge
            target = wanted[i]
            if check and i == self.lmap.last:
                target = module.admit_target(target)
            learn = module.backward if check else module.unchecked_backward
            return learn(state[j], target, fields[i], gate)

        return eqx.tree_at(lambda o: o.lmap, self, self.lmap.map_edges(pseudo_gradient))
