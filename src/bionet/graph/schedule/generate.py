"""Draws what happens when: the steps of every node, and which of them sees which message.

Nothing waits for a message, so the times of a node's steps follow from its own rate and delays
alone, and all of this is arithmetic on arrays.

- A step starts at its tick, or when the step before it has ended if that is later: a node does
  one thing at a time, and leaves out none. It catches up as soon as it can.
- A message is sent when its step ends. Messages of a connection stay in order: one that would
  overtake another arrives together with it.
- A message is first seen by the first step that starts at its arrival or later. Exactly at its
  arrival is soon enough, unless the connection says `skip=True`; then it has to be later.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, PRNGKeyArray

from bionet.graph.arguments import whole_number
from bionet.graph.base import Edge, Key, Vertex, ticks
from bionet.graph.node import BaseNode, Connection, Nodes, as_generator, by_name
from bionet.graph.schedule.computation_graph import ComputationGraph
from bionet.graph.schedule.loops import describe_loop, find_loop


def generate_graphs(
    nodes: Nodes,
    ts_max: float,
    rng: np.random.Generator | PRNGKeyArray | int = 0,
    num_episodes: int = 1,
) -> ComputationGraph:
    """Draws episodes of a network: delays differ from one to the next.

    Every node and every connection has random numbers of its own. Another node, or more
    episodes, leave what was drawn for the others as it is.

    Args:
        nodes: all nodes that take part.
        ts_max: how long an episode is, in seconds; steps that start before it are in.
        rng: a NumPy generator, a seed, or a JAX key.
        num_episodes: how many episodes to draw.

    Returns:
        The episodes, stacked.

    Raises:
        TypeError: a time that is no number, a number of episodes that is no int, no nodes.
        ValueError: a time or a number that is not above 0, a node that does not tick once, or
            a loop of connections without delay between steps at one instant.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.graph import BaseNode, Uniform, generate_graphs

        class Relay(BaseNode):
            def init_output(self, rng=None, graph_state=None):
                return jnp.zeros(())

            def step(self, step_state):
                return step_state, jnp.ones(())

        eye, hand = Relay("eye", rate=50, delay=0.004), Relay("hand", rate=10)
        hand.connect(eye, delay=Uniform(0.001, 0.02))
        graphs = generate_graphs([eye, hand], ts_max=1.0, num_episodes=3)
        print(graphs.edges["hand", "eye"].seq_in.shape)  # (3, 50)
        ```
    """
    num_episodes = whole_number("generate_graphs: num_episodes", num_episodes, least=1)
    try:
        lasts = 0 < ts_max < np.inf
    except TypeError:
        raise TypeError(f"generate_graphs: ts_max needs seconds, got {ts_max!r}.") from None
    if not lasts:
        raise ValueError(f"generate_graphs: ts_max needs finite seconds above 0, got {ts_max}.")
    until = np.full(num_episodes, ticks(ts_max))
    return _complete("generate_graphs", {}, {}, by_name(nodes), until, as_generator(rng))


def augment_graphs(
    graphs: ComputationGraph,
    nodes: Nodes,
    rng: np.random.Generator | PRNGKeyArray | int = 0,
) -> ComputationGraph:
    """Adds to recorded graphs the nodes and connections that they lack.

    What was recorded stays as it is. A node that was not there gets steps, by its rate and
    delays, up to the last recorded start of each episode; a connection that was not there gets
    messages between the steps that there are.

    Args:
        graphs: what was recorded; its nodes and connections are all among `nodes`.
        nodes: all nodes that take part.
        rng: a NumPy generator, a seed, or a JAX key.

    Returns:
        The whole graphs, stacked.

    Raises:
        ValueError: a recorded node or connection that `nodes` do not have, a node that does
            not tick once, or a loop of connections without delay.
    """
    known, graphs = by_name(nodes), graphs.stacked()
    for name in graphs.vertices:
        if name not in known:
            raise ValueError(
                f"augment_graphs: node {name!r} was recorded, but is not among the nodes "
                f"{', '.join(known)}."
            )
    for (receiver, name), sender in graphs.senders.items():
        connection = known[receiver].inputs.get(name)
        if connection is None or connection.sender.name != sender:
            raise ValueError(
                f"augment_graphs: edge {(receiver, name)} from {sender!r} was recorded, but node "
                f"{receiver!r} has no such connection; connect it."
            )
    until = 1 + np.stack([v.ts_start.max(-1, initial=-1) for v in graphs.vertices.values()]).max(0)
    return _complete(
        "augment_graphs", graphs.vertices, graphs.edges, known, until, as_generator(rng)
    )


def _complete(
    where: str,
    vertices: Mapping[str, Vertex],
    edges: Mapping[Key, Edge],
    nodes: Mapping[str, BaseNode],
    until: Int[np.ndarray, " episodes"],
    rng: np.random.Generator,
) -> ComputationGraph:
    seed = int(rng.integers(2**63))
    steps, messages = dict(vertices), dict(edges)
    for name, node in nodes.items():
        if name not in steps:
            steps[name] = _steps(where, node, until, _stream(seed, name))
    for node in nodes.values():
        for name, connection in node.inputs.items():
            key = (node.name, name)
            if key not in messages:
                drawn = _stream(seed, node.name, name)
                sender, receiver = steps[connection.sender.name], steps[node.name]
                messages[key] = _messages(connection, sender, receiver, drawn)
    graphs = ComputationGraph(steps, messages)
    if loop := find_loop(graphs):
        raise ValueError(describe_loop(where, loop, graphs))
    return graphs


def _stream(seed: int, *names: str) -> np.random.Generator:
    """Random numbers that belong to a name, whoever else draws."""
    return np.random.default_rng([seed, *"\0".join(names).encode()])


def _steps(
    where: str, node: BaseNode, until: Int[np.ndarray, " episodes"], rng: np.random.Generator
) -> Vertex:
    tick = node.ticks_until(int(until.max()))
    shape = (len(until), len(tick))
    takes = node.delay.sample(rng, shape[0] * shape[1]).reshape(shape)
    start, end = _one_at_a_time(tick, takes)
    kept = start < until[:, None]
    if not kept.any(-1).all():
        short = int(until[~kept.any(-1)][0])
        raise ValueError(
            f"{where}: node {node.name!r} does not tick once in an episode of {short / 1e6:g} s; "
            f"its first tick is at {node.phase:g} s. Make the episode longer."
        )
    seq = np.broadcast_to(np.arange(len(tick)), shape)
    return Vertex(*(np.where(kept, values, -1) for values in (seq, start, end)))


def _one_at_a_time(tick: np.ndarray, takes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes start and end of steps: `start[n] = max(tick[n], end[n - 1])`, without a loop."""
    work_before = np.cumsum(takes, axis=-1) - takes
    start = work_before + np.maximum.accumulate(tick - work_before, axis=-1)
    return start, start + takes


def _messages(
    connection: Connection, sender: Vertex, receiver: Vertex, rng: np.random.Generator
) -> Edge:
    sent = sender.seq >= 0
    travels = connection.delay.sample(rng, sent.size).reshape(sent.shape)
    arrival = np.maximum.accumulate(sender.ts_end + travels, axis=-1)
    side = "right" if connection.skip else "left"
    seen = np.stack(
        [
            _or_none(np.searchsorted(starts[:count], arrives, side), count)
            for starts, count, arrives in zip(
                receiver.ts_start, receiver.counts, arrival, strict=True
            )
        ]
    )
    name = connection.sender.name
    return Edge(
        sender.seq,
        np.where(sent, seen, -1),
        np.where(sent, arrival, -1),
        sender=None if name == connection.name else name,
    )


def _or_none(position: np.ndarray, count: int) -> np.ndarray:
    return np.where(position < count, position, -1)
