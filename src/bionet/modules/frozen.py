"""Modules that never learn, whatever they are: a wrapper around any module.

A frozen module sends the same messages and makes the same buffers as the one inside,
and names no trained leaf. No rule moves it, no optimiser keeps memory for it and no
weight decay shrinks it. That is what a frozen control is made of, and the feedback that
carries a label back.
"""

from __future__ import annotations

from typing import final

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from bionet.modules.interfaces import AbstractAdapter, AbstractLayer, AbstractModule
from bionet.modules.wrapper import AbstractLayerWrapper


@final
class FrozenAdapter(AbstractAdapter):
    """An adapter that sends what `inner` sends, and never learns; made by `frozen`."""

    inner: AbstractAdapter
    sender_shape: tuple[int, ...] | None = eqx.field(static=True)
    receiver_shape: tuple[int, ...] | None = eqx.field(static=True)
    needs_key: bool = eqx.field(static=True)

    def __init__(self, inner: AbstractAdapter) -> None:
        self.inner, self.needs_key = inner, inner.needs_key
        self.sender_shape, self.receiver_shape = inner.sender_shape, inner.receiver_shape

    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """The message of the adapter inside."""
        return self.inner(x, rng)

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns."""
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """Nothing is added."""
        return {}


@final
class FrozenLayer(AbstractLayerWrapper):
    """A layer with the dynamics of `inner` that never learns; made by `frozen`."""

    inner: AbstractLayer
    sender_shape: tuple[int, ...] | None = eqx.field(static=True)
    receiver_shape: tuple[int, ...] | None = eqx.field(static=True)
    needs_key: bool = eqx.field(static=True)

    def __init__(self, inner: AbstractLayer) -> None:
        self.inner, self.needs_key = inner, inner.needs_key
        self.sender_shape, self.receiver_shape = inner.sender_shape, inner.receiver_shape

    def activation(self, local_field: Array) -> Array:
        """The buffer, as inside."""
        return self.inner.activation(local_field)

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns."""
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """Nothing is added."""
        return {}


def frozen(module: AbstractModule) -> FrozenAdapter | FrozenLayer:
    """The same module, which never learns.

    Args:
        module: any adapter or layer.

    Returns:
        A wrapper of the same kind, so that it can stand where the module stood.

    Raises:
        TypeError: it is neither an adapter nor a layer.

    Example:
        ```python
        import jax
        from bionet.modules import RecurrentDiscrete, frozen

        layer = RecurrentDiscrete(8, j_d=0.5, threshold=1.0, key=jax.random.key(0))
        print(layer.trained().keys(), frozen(layer).trained())
        ```
    """
    if isinstance(module, AbstractLayer):
        return FrozenLayer(module)
    if isinstance(module, AbstractAdapter):
        return FrozenAdapter(module)
    raise TypeError(f"frozen: needs an adapter or a layer, got {type(module).__name__}.")
