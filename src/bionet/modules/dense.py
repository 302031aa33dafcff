"""The protocol of dense modules: the message is `x @ matrix`, and the matrix is shown.

Some programs do not call a module but put its matrix together with others, as
`StackedOrchestrator` does. They ask for this protocol and not for a class, so that a
module from elsewhere takes part as soon as it has a `matrix`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float


@runtime_checkable
class Dense(Protocol):
    """A module whose message is `x @ matrix`, without randomness.

    A module whose product multiplies narrower numbers says so by `operands`, as
    `FullyConnected` does; without that name they are as wide as the matrix.

    Example:
        ```python
        import jax
        from bionet.modules import Dense, FullyConnected, OutputLayer

        edge = FullyConnected(4, 3, strength=1.0, threshold=0.5, key=jax.random.key(0))
        print(isinstance(edge, Dense), edge.matrix.shape, isinstance(OutputLayer(), Dense))
        ```
    """

    @property
    def matrix(self) -> Float[Array, "in_features out_features"]:
        """The couplings, by sender and receiver."""
        ...
