"""All rows at once: each row reads what the others held before this step.

A signal from the input needs one step for each layer that it passes, as in hardware with
a common clock, where every connection takes one tick. Nothing in a step waits for
another part of it. The price is in the dynamics: two rows that answer each other may
swap their states for ever, where one after the other they would settle. The fixed
points are those of the sequential order, since in a fixed point nothing is fresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from jaxtyping import Array

from bionet.layer_maps.senders import Senders
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.orchestrators.interface import AbstractOrchestrator, Rng, S, Stepper
from bionet.orchestrators.messages import local_field
from bionet.orchestrators.wiring import runnable


@final
class SynchronousOrchestrator(AbstractOrchestrator):
    """Updates every row but the last at once, each from the buffers before the step.

    It is the right one where the thing that is modelled has a common clock: a chip whose
    units are updated in parallel, or areas whose signals take as long as one update. For
    anything else, prefer `SequentialOrchestrator`, which needs fewer steps.

    Args:
        layers: the network; each row needs a layer on its diagonal.

    Raises:
        TypeError: `layers` is no `LayerMap`.
        ValueError: a row without a diagonal.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FullyConnected, LayerMap, OutputLayer, RecurrentDiscrete
        from bionet import SequentialState, SynchronousOrchestrator

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
        network = SynchronousOrchestrator(layers=lmap)
        state = SequentialState((4, 8, 2)).init(jnp.ones((5, 4)))
        state, _ = network.step(state, rng=None)
        print(state[1].shape)
        ```
    """

    lmap: LayerMap

    def __init__(self, layers: LayerMap) -> None:
        self.lmap = runnable("SynchronousOrchestrator", layers)

    def stepper(self, senders: Senders, known: Mapping[Edge, Array]) -> Stepper:
        """A step that updates every row but the last at once."""
        rows = self.lmap.rows()[:-1]

        def step(state: S, rng: Rng) -> tuple[S, Rng]:
            return update_at_once(self.lmap, state, rows, senders, rng, known)

        return step


def update_at_once(
    lmap: LayerMap,
    state: S,
    rows: Iterable[int],
    senders: Senders,
    rng: Rng,
    known: Mapping[Edge, Array],
) -> tuple[S, Rng]:
    """The state with `rows` updated, none of which has seen another's update.

    Returns:
        The new state, and the key that is left. Keys are drawn in the order of `rows`.
    """
    fresh: dict[int, Array] = {}
    for i in rows:
        field, rng = local_field(lmap, state, i, senders, rng, known)
        fresh[i] = lmap[i, i].activation(field)
    for i, buffer in fresh.items():
        state = state.replace(i, buffer)
    return state, rng
