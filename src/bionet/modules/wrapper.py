"""The base of modules that hold another one: what they delegate, and how the inner one learns."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from bionet.modules.interfaces import AbstractLayer, AbstractModule, reverse_sign


class AbstractLearningWrapper(AbstractModule):
    """A module whose trained leaves are those of the one inside."""

    inner: eqx.AbstractVar[AbstractModule | None]

    @abc.abstractmethod
    def inner_backward(self, x: Array, y: Array, y_hat: Array, gate: Array | None) -> Any:
        """Returns the pseudo-gradient of `inner`, for the buffers of the module around it."""

    def trained(self) -> dict[str, bool | Array]:
        """Returns the trained leaves of `inner`."""
        return {"inner": True} if self.inner is not None and self.inner.trained() else {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Any]:
        """The increments of `inner`, as a module of its structure."""
        if not self.trained():
            return {}
        return {"inner": reverse_sign(self.inner_backward(x, y, y_hat, gate))}


class AbstractLayerWrapper(AbstractLayer):
    """A layer that sends and sums up as the one inside does."""

    inner: eqx.AbstractVar[AbstractLayer]

    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """The message of the layer inside to itself."""
        return self.inner(x, rng)

    def reduce(self, messages: Mapping[int, Array]) -> Array:
        """The local field, as inside."""
        return self.inner.reduce(messages)
