"""The arguments of `from_layer_map` by row and edge, with an error where they do not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from bionet.graph.delays import AbstractDelay
from bionet.layer_maps.senders import SENDERS, Senders, check_senders, is_selected
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.states.sequential import SequentialState

WHERE = "from_layer_map"
Delay = AbstractDelay | float


def rate_of_each(lmap: LayerMap, rates: Mapping[int, float] | float) -> dict[int, float]:
    """The rate of every buffer."""
    indices = range(lmap.last + 1)
    if not isinstance(rates, Mapping):
        return dict.fromkeys(indices, rates)
    for index in rates:
        if index not in indices:
            raise ValueError(
                f"{WHERE}: rates: there is no buffer {index!r}; there are 0 to {lmap.last}."
            )
    if missing := [str(index) for index in indices if index not in rates]:
        raise ValueError(
            f"{WHERE}: rates needs one for every buffer, clamped sources too; there is none for "
            f"{', '.join(missing)}."
        )
    return dict(rates)


def delay_of_each(
    lmap: LayerMap, delays: Mapping[Edge | int, Delay] | Delay
) -> dict[Edge | int, Delay]:
    """The delays that are not zero, by edge and by row."""
    if not isinstance(delays, Mapping):
        return {(i, j): delays for i, j in lmap if i != j}
    for key in delays:
        if isinstance(key, tuple):
            _check_edge("delays", key, lmap)
        elif key not in range(lmap.last + 1):
            raise ValueError(
                f"{WHERE}: delays: {key!r} is no edge (receiver, sender) and no buffer from 0 to "
                f"{lmap.last}."
            )
    return dict(delays)


def window_of_each(lmap: LayerMap, windows: Mapping[Edge, int] | int) -> dict[Edge, int]:
    """The window of every edge."""
    if not isinstance(windows, Mapping):
        return dict.fromkeys(lmap, windows)
    for edge in windows:
        _check_edge("windows", edge, lmap)
    return dict.fromkeys(lmap, 1) | dict(windows)


def skipping(lmap: LayerMap, skip: Senders | Iterable[Edge]) -> frozenset[Edge]:
    """The edges on which a message that comes at a tick waits for the next one."""
    if isinstance(skip, str):
        group = check_senders(skip)
        return frozenset((i, j) for i, j in lmap if is_selected(group, i, j, lmap.last))
    try:
        edges = list(skip)
    except TypeError:
        raise TypeError(
            f"{WHERE}: skip needs edges (receiver, sender), or one of {', '.join(SENDERS)}; got "
            f"{skip!r}."
        ) from None
    for edge in edges:
        _check_edge("skip", edge, lmap)
    return frozenset(edges)


def sizes_of(lmap: LayerMap) -> SequentialState:
    """The sizes and the dtype of the buffers, as the modules say them."""
    shapes: dict[int, tuple[int, ...]] = {}
    for (i, j), module in lmap.edge_items():
        for index, shape in ((i, module.receiver_shape), (j, module.sender_shape)):
            if shape is not None:
                shapes[index] = shape
    for index in range(lmap.last + 1):
        if index not in shapes:
            raise ValueError(
                f"{WHERE}: no module says how large buffer {index} is; give state=SequentialState("
                "...) with the size of each buffer."
            )
    weights = jax.tree.leaves(eqx.filter(lmap, eqx.is_inexact_array))
    dtype = weights[0].dtype if weights else jnp.float32
    return SequentialState([shapes[index] for index in range(lmap.last + 1)], dtype)


def refuse_shared(lmap: LayerMap) -> None:
    """Fails if edges share a module: each row changes its own weights, so they would part."""
    for edge in lmap:
        if (owner := lmap.owner(edge)) != edge:
            raise ValueError(
                f"{WHERE}: edge {edge} shares the module of {owner}, and learning='apply' would "
                "change them apart; use learning='accumulate'."
            )


def _check_edge(name: str, edge: Any, lmap: LayerMap) -> None:
    if not (isinstance(edge, tuple) and len(edge) == 2):
        raise TypeError(f"{WHERE}: {name}: needs edges (receiver, sender), got {edge!r}.")
    if edge not in lmap:
        raise ValueError(
            f"{WHERE}: {name}: there is no edge {edge}; there are {', '.join(map(str, lmap))}."
        )
