"""Rows one after the other, in ascending order: what a row sees is as fresh as can be.

A step runs from the first row to the one before the output, and each row already
sees what this step has made of the rows before it. A signal from the input thus
reaches the last hidden layer within one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from jaxtyping import Array

from bionet.layer_maps.senders import Senders
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.orchestrators.interface import AbstractOrchestrator, Rng, S, Stepper
from bionet.orchestrators.messages import local_field
from bionet.orchestrators.wiring import runnable


@final
class SequentialOrchestrator(AbstractOrchestrator):
    """Updates the rows of `layers` one after the other, each with the newest buffers.

    Args:
        layers: the network; each row needs a layer on its diagonal.

    Raises:
        TypeError: `layers` is no `LayerMap`.
        ValueError: a row without a diagonal.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import LayerMap, SequentialOrchestrator, SequentialState
        from bionet import FullyConnected, OutputLayer, RecurrentDiscrete

        k = jax.random.split(jax.random.key(0), 3)
        lmap = LayerMap.from_dict(
            {
                1: {
                    0: FullyConnected(4, 8, 1.0, 0.5, k[0]),
                    1: RecurrentDiscrete(8, 0.5, 0.5, k[1]),
                },
                2: {1: FullyConnected(8, 2, 1.0, 0.5, k[2]), 2: OutputLayer()},
            }
        )
        network = SequentialOrchestrator(layers=lmap)
        state = SequentialState((4, 8, 2)).init(jnp.ones((5, 4)))
        state, _ = network.step(state, rng=None)
        state, _ = network.predict(state)
        print(state.readout.shape)
        ```
    """

    lmap: LayerMap

    def __init__(self, layers: LayerMap) -> None:
        self.lmap = runnable("SequentialOrchestrator", layers)

    def stepper(self, senders: Senders, known: Mapping[Edge, Array]) -> Stepper:
        """A step that updates every row but the last, once, in ascending order."""

        def step(state: S, rng: Rng) -> tuple[S, Rng]:
            for i in self.lmap.rows()[:-1]:
                field, rng = local_field(self.lmap, state, i, senders, rng, known)
                state = state.replace(i, self.lmap[i, i].activation(field))
            return state, rng

        return step
