"""The check that a layer map can be run, which all orchestrators make when they are built."""

from __future__ import annotations

from typing import Any

from bionet.layer_maps.sparse import LayerMap


def runnable(owner: str, layers: Any) -> LayerMap:
    """`layers`, if it is a layer map whose rows all have a layer on their diagonal.

    Raises:
        TypeError: it is no layer map.
        ValueError: a row has no diagonal; the sentence names the edge.
    """
    if not isinstance(layers, LayerMap):
        raise TypeError(
            f"{owner}: layers needs a LayerMap, got {type(layers).__name__}; "
            "make one with LayerMap.from_dict."
        )
    for i in layers.rows():
        if (i, i) not in layers:
            raise ValueError(
                f"{owner}: edge ({i}, {i}) is missing; each row needs a layer on its diagonal."
            )
    return layers
