"""One module at several edges: the same weights, learning from all of them.

In a layer map, `Shared(2, 1)` in place of a module stands for the module of the edge
(2, 1), as the deep layers of a network whose layers are all alike share one matrix. The
weights exist once: an optimiser sees them once, a saved map holds them once, and what
their edges teach them is summed up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import jax

from bionet.modules.interfaces import AbstractModule

Edge = tuple[int, int]


@final
@jax.tree_util.register_static
@dataclass(frozen=True)
class Shared:
    """Stands in a layer map for the module of the edge (receiver, sender).

    Example:
        ```python
        import jax
        from bionet import FullyConnected, LayerMap, OutputLayer, RecurrentDiscrete
        from bionet.layer_maps import Shared

        k = jax.random.split(jax.random.key(0), 4)
        lmap = LayerMap.from_dict(
            {
                1: {0: FullyConnected(4, 8, 1.0, 0.5, k[0]),
                    1: RecurrentDiscrete(8, 0.5, 0.5, k[1])},
                2: {1: FullyConnected(8, 8, 1.0, 0.5, k[2]), 2: Shared(1, 1)},
                3: {2: FullyConnected(8, 2, 1.0, 0.5, k[3]), 3: OutputLayer()},
            }
        )
        print(lmap[2, 2] is lmap[1, 1], lmap.users((1, 1)))
        ```
    """

    receiver: int
    sender: int

    @property
    def edge(self) -> Edge:
        """The edge whose module it is."""
        return self.receiver, self.sender


def resolve(
    rows: Mapping[int, Mapping[int, AbstractModule | Shared]], edge: Edge
) -> AbstractModule:
    """The module that an edge uses, its own or another's.

    Raises:
        ValueError: the edge shares a module that is not there, or one that is shared itself.
    """
    found = rows[edge[0]][edge[1]]
    if not isinstance(found, Shared):
        return found
    owner = rows.get(found.receiver, {}).get(found.sender)
    if owner is None or isinstance(owner, Shared):
        what = "has no module" if owner is None else "shares another edge's module itself"
        raise ValueError(
            f"LayerMap.from_dict: edge {edge} shares the module of edge {found.edge}, which "
            f"{what}; name an edge that has a module of its own."
        )
    return owner
