"""The layer at the end of a network, whose buffer is the network's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from bionet.modules.activations import sum_messages
from bionet.modules.interfaces import AbstractLayer


@final
class OutputLayer(AbstractLayer):
    """No parameters: sums up its messages and hands the sum over as it is.

    Its message to itself is zero, so the answer does not depend on what the output
    buffer held before, a clamped label for example.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.modules.input_output import OutputLayer

        output = OutputLayer()
        print(output.reduce({1: jnp.ones((2, 3)), 2: output(jnp.ones((2, 3)))}))
        ```
    """

    sender_shape: tuple[int, ...] | None = eqx.field(static=True, default=None, init=False)
    receiver_shape: tuple[int, ...] | None = eqx.field(static=True, default=None, init=False)
    needs_key: ClassVar[bool] = False

    def __call__(self, x: Array, rng: PRNGKeyArray | None = None) -> Array:
        """A message of zeros."""
        return jnp.zeros_like(x)

    def reduce(self, messages: Mapping[int, Array]) -> Array:
        """The local field: the sum of the messages."""
        return sum_messages(messages)

    def activation(self, local_field: Array) -> Array:
        """The local field as it is."""
        return local_field

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns."""
        return {}

    def increments(
        self, x: Array, y: Array, y_hat: Array, gate: Array | None = None
    ) -> dict[str, Array]:
        """Nothing is added."""
        return {}
