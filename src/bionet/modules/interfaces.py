"""The interfaces of modules: an adapter carries messages, a layer also turns them into activity.

An adapter sits off the diagonal of a layer map and makes a message out of its
sender's buffer. A layer sits on the diagonal; it does the same for the unit's own
past (recurrence), sums up the messages (`reduce`) and makes the next buffer out of
the sum (`activation`).

Every module learns by itself. It names the leaves that learn (`trained`) and says
what its rule adds to them (`increments`). `backward` turns those increments into a
pseudo-gradient. That is the only negation in bionet: rules add, Optax descends.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PRNGKeyArray, PyTree

from bionet._core.checks import Faults, unless


class AbstractModule(eqx.Module):
    """An edge of a network: makes messages, and learns from what it can see locally."""

    sender_shape: eqx.AbstractVar[tuple[int, ...] | None]
    """The shape of the sender's buffer without the batch; None takes any."""
    receiver_shape: eqx.AbstractVar[tuple[int, ...] | None]
    """The shape of the receiver's buffer without the batch; None takes any."""
    needs_key: eqx.AbstractVar[bool]
    """Whether `__call__` uses randomness; a module that does not is given no key."""

    @abc.abstractmethod
    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """The message that the sender's buffer `x` makes."""

    @abc.abstractmethod
    def trained(self) -> dict[str, bool | Bool[Array, "..."]]:
        """The names of the leaves that learn: True, or which of their entries do."""

    @abc.abstractmethod
    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> Mapping[str, Any]:
        """Returns the local rule's increment of each trained leaf, by name, which is **added**.

        Args:
            x: the sender's buffer.
            y: the receiver's buffer, which is the target.
            y_hat: the receiver's local field, which is the score.
            gate: a factor per sample on what it teaches; None is 1 for each. No rule may
                ignore it.
        """

    def target_faults(self, y: Array) -> Faults:
        """Flags that are up where this module's rule can't learn the labels, with their sentences.

        Args:
            y: the labels.
        """
        return ()

    def admit_target(self, y: Array) -> Array:
        """Returns the labels `y` if this module's rule can learn them, and fails otherwise.

        Raises:
            RuntimeError: labels that the rule can't learn (also under jit).
        """
        for failed, sentence in self.target_faults(y):
            y = unless(y, failed, sentence)
        return y

    def backward(self, x: Array, y: Array, y_hat: Array, gate: Array | None = None) -> Self:
        """The pseudo-gradient of this module: minus its increments, and zeros elsewhere.

        Args:
            x: the sender's buffer.
            y: the receiver's buffer, which is the target.
            y_hat: the receiver's local field, which is the score.
            gate: a factor per sample on what it teaches; None is 1 for each.

        Returns:
            A module of the same structure. Descending along it applies the local rule.
        """
        return self._descending(self.increments(x, y, y_hat, gate))

    def unchecked_backward(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> Self:
        """`backward` without a look at values, where a module has one: a network inside another."""
        return self.backward(x, y, y_hat, gate)

    def _descending(self, increments: Mapping[str, Any]) -> Self:
        """The module of these pseudo-gradients, with zeros elsewhere: the only negation."""
        added = dict(increments)
        arrays, static = eqx.partition(self, eqx.is_array)
        zeros = eqx.combine(jax.tree.map(jnp.zeros_like, arrays), static)
        if not added:
            return zeros
        negated = [reverse_sign(value) for value in added.values()]
        return eqx.tree_at(lambda m: [getattr(m, name) for name in added], zeros, negated)


def reverse_sign(increments: PyTree) -> PyTree:
    """Increments as pseudo-gradients, or the other way round: minus each number that can learn.

    A module inside another one gives its increments as a module, whose masks and indices
    have no sign.
    """
    return jax.tree.map(lambda leaf: -leaf if eqx.is_inexact_array(leaf) else leaf, increments)


def added(left: AbstractModule, right: AbstractModule) -> AbstractModule:
    """The sum of two pseudo-gradients of one module."""
    return jax.tree.map(lambda a, b: a + b if eqx.is_array(a) else a, left, right)


class AbstractAdapter(AbstractModule):
    """A module off the diagonal: it carries messages from one layer to another."""


class AbstractLayer(AbstractModule):
    """A module on the diagonal: it sums up the messages of its row and makes the buffer."""

    @abc.abstractmethod
    def reduce(self, messages: Mapping[int, Array]) -> Array:
        """The local field, out of the messages by sender."""

    @abc.abstractmethod
    def activation(self, local_field: Array) -> Array:
        """The buffer, out of the local field."""
