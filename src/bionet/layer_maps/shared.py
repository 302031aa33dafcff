"""One module at several edges: the same weights, learning from all of them.

In a layer map, `Shared(2, 1)` in place of a module stands for the module of the edge
(2, 1), as the deep layers of a network whose layers are all alike share one matrix. The
weights exist once: an optimiser sees them once, a saved map holds them once, and what
their edges teach them is summed up. A module that is simply put at two edges would be two
copies as soon as one of them learns, so that is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import jax

from bionet.modules.interfaces import AbstractModule
from bionet.modules.trained import common_trained

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


def check_own_modules(rows: Mapping[int, Mapping[int, AbstractModule | Shared]]) -> None:
    """Fails if two edges hold one module, or modules with a trained array in common.

    Raises:
        ValueError: they do; the sentence names both edges, and `Shared`.
    """
    seen: dict[int, tuple[Edge, AbstractModule]] = {}
    for edge, module in _owners(rows):
        for part in (module, *jax.tree.leaves(module)):
            first, other = seen.setdefault(id(part), (edge, module))
            if first == edge or not (module is other or common_trained(module, other)):
                continue
            what = "is the very module" if module is other else "learns in the very array"
            raise ValueError(
                f"LayerMap.from_dict: edge {edge} {what} of edge {first}, and as two copies they "
                f"would part as they learn. Write Shared{first} at edge {edge} for one module at "
                "both, or make a module of its own there."
            )


def _owners(
    rows: Mapping[int, Mapping[int, AbstractModule | Shared]],
) -> Iterator[tuple[Edge, AbstractModule]]:
    """Each edge that has a module of its own, with the module."""
    for i, row in rows.items():
        for j, module in row.items():
            if not isinstance(module, Shared):
                yield (i, j), module
