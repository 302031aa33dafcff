"""The arguments of a `Graph`, checked, with an error where they do not fit together."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from bionet._core.names import unknown
from bionet.graph.node import BaseNode, Connection
from bionet.graph.schedule.computation_graph import ComputationGraph
from bionet.graph.state import InputState


def check_supervisor(supervisor: str | BaseNode, nodes: Mapping[str, BaseNode]) -> str:
    """The supervisor's name, which is a node's."""
    name = supervisor.name if isinstance(supervisor, BaseNode) else supervisor
    if not isinstance(name, str):
        raise TypeError(f"Graph: supervisor needs a node or a node's name, got {supervisor!r}.")
    if name not in nodes:
        raise ValueError(f"Graph: supervisor: {unknown('node', name, nodes)}")
    return name


def check_skipped(
    skip: Iterable[str] | None, supervisor: str, nodes: Mapping[str, BaseNode]
) -> frozenset[str]:
    """The names of the nodes that are not executed."""
    names = [skip] if isinstance(skip, str) else list(skip or ())
    check_names("Graph: skip", names, nodes)
    if supervisor in names:
        raise ValueError(
            f"Graph: skip names the supervisor {supervisor!r}, without which no step ends."
        )
    return frozenset(names)


def check_names(where: str, names: Iterable[str], nodes: Mapping[str, BaseNode]) -> None:
    """Fails at the first name that no node has."""
    for name in names:
        if name not in nodes:
            raise ValueError(f"{where}: {unknown('node', name, nodes)}")


def check_recorded(
    graphs: ComputationGraph, nodes: Mapping[str, BaseNode], supervisor: str, prune: bool
) -> None:
    """Fails unless the graphs are of these nodes and connections, and somebody has to run."""
    check_names("Graph: graphs_raw", graphs.vertices, nodes)
    for name in nodes:
        if name not in graphs.vertices:
            raise ValueError(
                f"Graph: graphs_raw has no node {name!r}; augment_graphs adds what is missing."
            )
    connections = {
        (node.name, name): connection.sender.name
        for node in nodes.values()
        for name, connection in node.inputs.items()
    }
    for key in sorted(connections.keys() | graphs.senders.keys()):
        if connections.get(key) != graphs.senders.get(key):
            raise ValueError(
                f"Graph: edge {key} comes from {graphs.senders.get(key)!r} in graphs_raw, but from "
                f"{connections.get(key)!r} in the nodes; connect what was recorded, or add what "
                "was not by augment_graphs."
            )
    heard = {connection.sender.name for connection in nodes[supervisor].inputs.values()}
    if prune and len(nodes) > 1 and not heard - {supervisor}:
        raise ValueError(
            f"Graph: the supervisor {supervisor!r} hears nobody, so that nobody would have to run; "
            "connect it to a sender, or give prune=False, which runs all nodes."
        )


def check_windows(node: BaseNode, inputs: Any, connections: Mapping[str, Connection]) -> None:
    """Fails unless `init_inputs` made a window of the right size for each connection."""
    sizes = {name: connection.window for name, connection in connections.items()}
    found = {
        name: len(seen) if isinstance(seen, InputState) else None
        for name, seen in dict(inputs).items()
    }
    if found != sizes:
        raise ValueError(
            f"Node {node.name!r}: init_inputs needs an InputState per input with windows of "
            f"{sizes}, got {found}."
        )


def buffer_rows(
    needed: Mapping[str, int],
    given: Mapping[str, int] | None,
    extra: int,
    nodes: Mapping[str, BaseNode],
) -> dict[str, int]:
    """Returns the number of outputs that each node's buffer holds."""
    check_names("Graph: buffer_sizes", given or {}, nodes)
    extra = whole_number("Graph: extra_padding", extra)
    sizes = {name: needed.get(name, 1) for name in nodes}
    for name, size in (given or {}).items():
        if whole_number(f"Graph: buffer_sizes[{name!r}]", size) < sizes[name]:
            raise ValueError(
                f"Graph: buffer_sizes[{name!r}] needs {sizes[name]} or more, got {size}."
            )
        sizes[name] = size
    return {name: size + extra for name, size in sizes.items()}


def whole_number(where: str, value: int, least: int = 0) -> int:
    """An int of 0 or more, or of whatever is the least."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{where} needs an int, got {value!r}.") from None
    if value < least:
        raise ValueError(f"{where} needs {least} or more, got {value}.")
    return value
