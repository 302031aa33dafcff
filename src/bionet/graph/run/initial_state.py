"""The initial state of all nodes: parameters, then states, then windows, then buffers.

Each kind of thing is made for all nodes before the next, and each node is shown what was made
before it. A node may thus begin at the state of another one that comes earlier in the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from bionet._core.leaves import is_key
from bionet.graph.arguments import check_windows
from bionet.graph.node import BaseNode, Connection, begins_by_itself, blank_window
from bionet.graph.state import GraphState, InputState

FIELDS = ("params", "state", "inputs", "buffer")


def with_beginnings(
    graph_state: GraphState,
    nodes: Mapping[str, BaseNode],
    inputs: Mapping[str, Mapping[str, Connection]],
    order: Sequence[str],
    sizes: Mapping[str, int],
    rng: PRNGKeyArray,
    params: Mapping[str, PyTree],
) -> GraphState:
    """The graph state, filled with what the nodes begin with.

    Args:
        graph_state: without nodes.
        nodes: all nodes, by name.
        inputs: their connections, by the node's name and the input's.
        order: their names, in the order in which they are asked.
        sizes: how many outputs each node's buffer holds.
        rng: a key. Each node has keys of its own out of it, in whatever order it is asked.
        params: parameters of some nodes, which are not asked for them.
    """
    drawn = jax.random.split(rng, (len(nodes), 1 + len(FIELDS)))
    keys = dict(zip(nodes, drawn, strict=True))
    own = {name: key[0] for name, key in keys.items()}
    graph_state = graph_state.replace(rng=own, params={n: _strong(p) for n, p in params.items()})
    for place, field in enumerate(FIELDS, 1):
        for name in order:
            made = getattr(graph_state, field)
            if name not in made:
                begun = _initialise(nodes[name], field, keys[name][place], graph_state, sizes[name])
                if field == "inputs":
                    begun = _connect(nodes[name], begun, inputs[name])
                graph_state = graph_state.replace(**{field: made | {name: begun}})
    return graph_state.replace(
        inputs={name: _fill(nodes[name], graph_state, inputs[name]) for name in graph_state.inputs}
    )


def _initialise(
    node: BaseNode, field: str, key: PRNGKeyArray, graph_state: GraphState, size: int
) -> Any:
    if field == "params":
        return _strong(node.init_params(key, graph_state))
    if field == "state":
        return _strong(node.init_state(key, graph_state))
    if field == "inputs":
        return _strong(node.init_inputs(key, graph_state))
    output = _strong(node.init_output(key, graph_state))
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (size, *leaf.shape)), output)


def _connect(
    node: BaseNode, made: Any, connections: Mapping[str, Connection]
) -> dict[str, InputState]:
    """The windows that a node has made, if there is one for each connection."""
    if not begins_by_itself(node):
        made = {name: window for name, window in made.items() if name in connections}
    check_windows(node, made, connections)
    return made


def _fill(
    node: BaseNode, graph_state: GraphState, connections: Mapping[str, Connection]
) -> dict[str, InputState]:
    """The windows of a node, with the very outputs that the buffers begin with in them."""
    inputs = dict(graph_state.inputs[node.name])
    if begins_by_itself(node):
        return inputs
    for name, connection in connections.items():
        newest = jax.tree.map(lambda leaf: leaf[-1], graph_state.buffer[connection.sender.name])
        inputs[name] = blank_window(newest, connection.window)
    return inputs


def _strong(tree: PyTree) -> PyTree:
    """Numbers as arrays. Weak types would become strong in the first step, and compile it anew."""

    def strong(leaf: Any) -> Any:
        if is_key(leaf) or not eqx.is_array_like(leaf):
            return leaf
        return jnp.asarray(leaf, jnp.result_type(leaf))

    return jax.tree.map(strong, tree)
