"""A learning rate and a weight decay of its own for each edge of a network.

An optimiser treats all weights alike. In these networks the input, the recurrent and the
output couplings have other scales and want other rates, so what the optimiser wants to
add is multiplied by the edge's rate, and each trained entry loses the edge's share of
itself. What does not learn is no part of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from bionet._core.leaves import own_array
from bionet.layer_maps.shared import Edge
from bionet.layer_maps.sparse import LayerMap


@final
class EdgeScales(eqx.Module):
    """Rates and decays by edge, for a method to apply to an optimiser's updates.

    Args:
        rates: by (receiver, sender), a factor on the update; edges without one have 1.
        decays: by (receiver, sender), the share of itself that each trained entry loses per
            step; edges without one have 0.
    """

    rates: dict[Edge, Float[Array, ""]]
    decays: dict[Edge, Float[Array, ""]]

    def __init__(
        self,
        rates: Mapping[Edge, ArrayLike] | None = None,
        decays: Mapping[Edge, ArrayLike] | None = None,
    ) -> None:
        self.rates, self.decays = _arrays(rates), _arrays(decays)

    def check(self, owner: str, lmap: LayerMap) -> None:
        """Fails unless each edge that is named has a module of its own in `lmap`.

        Raises:
            ValueError: an edge that is not there, or that shares another's module.
        """
        for name, edges in (("edge_rates", self.rates), ("edge_decays", self.decays)):
            for edge in edges:
                if edge not in lmap:
                    raise ValueError(
                        f"{owner}: {name} names {edge}, but the model has no such edge."
                    )
                if lmap.owner(edge) != edge:
                    raise ValueError(
                        f"{owner}: {name} names {edge}, which shares the module of edge "
                        f"{lmap.owner(edge)}; name {lmap.owner(edge)}."
                    )

    def __call__(self, updates: PyTree, learning: PyTree) -> PyTree:
        """The updates of an orchestrator, scaled, less what decays of its trained leaves."""
        if not self.rates and not self.decays:
            return updates
        weights: LayerMap = learning.lmap

        def scaled(edge: Edge, module: PyTree) -> PyTree:
            if edge in self.rates:
                rate = self.rates[edge]
                module = jax.tree.map(lambda leaf: leaf * rate.astype(leaf.dtype), module)
            if edge in self.decays:
                share = self.decays[edge]
                module = jax.tree.map(
                    lambda leaf, weight: leaf - share.astype(leaf.dtype) * weight,
                    module,
                    weights[edge],
                )
            return module

        lmap: LayerMap = updates.lmap
        return eqx.tree_at(lambda o: o.lmap, updates, lmap.map_edges(scaled))


def _arrays(values: Mapping[Edge, ArrayLike] | None) -> dict[Edge, Float[Array, ""]]:
    return {edge: own_array(value, jnp.float32) for edge, value in (values or {}).items()}
