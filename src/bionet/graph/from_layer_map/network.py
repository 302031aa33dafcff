"""The bridge from a layer map: its rows as nodes with rates, its edges with delays.

A layer map says who hears whom, by which module. `from_layer_map` adds when: each row ticks at
its own rate, and each message travels for as long as its edge says. What a row computes and how
it learns stays what it is under an orchestrator. With equal rates and no delays it is the same
to the last bit: with `skip` on the edges `j >= i` as `SequentialOrchestrator`, with `skip` on all
of them as `SynchronousOrchestrator`.

`Network` also knows where things lie in a graph state: it puts the sample and the label in,
starts and ends the phases, and gathers what was learned into a layer map that Optax takes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import final, get_args

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from bionet._core.names import unknown
from bionet.graph.from_layer_map.edges import (
    WHERE,
    Delay,
    delay_of_each,
    rate_of_each,
    refuse_shared,
    sizes_of,
    skipping,
    window_of_each,
)
from bionet.graph.from_layer_map.row import Learning, Row, RowState, Source, nothing
from bionet.graph.graph import Graph
from bionet.graph.node import BaseNode, blank_window
from bionet.graph.state import GraphState
from bionet.layer_maps.senders import Senders, check_senders, is_selected
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.modules.interfaces import AbstractModule, added
from bionet.orchestrators.wiring import runnable
from bionet.states.sequential import SequentialState


def from_layer_map(
    lmap: LayerMap,
    rates: Mapping[int, float] | float,
    delays: Mapping[Edge | int, Delay] | Delay = 0.0,
    windows: Mapping[Edge, int] | int = 1,
    skip: Senders | Iterable[Edge] = "backward",
    *,
    state: SequentialState | None = None,
    free: Senders = "forward",
    learning: Learning | None = "accumulate",
    learning_rate: float = 0.0,
) -> Network:
    """The nodes of a layer map, connected; what ticks when is then drawn by `generate_graphs`.

    Args:
        lmap: the network, with a layer on the diagonal of each row.
        rates: in Hz, of every buffer (rows and clamped sources), or one for all.
        delays: in seconds or as distributions: by edge `(receiver, sender)`, how long a message
            travels; by row, how long an update takes. One for all is for all edges between
            different rows. What is not named takes no time.
        windows: by edge, or for all, how many messages a row sees. Its module is given their
            mean; along a `TrainableDelay`, the message at that delay.
        skip: on which edges a message that arrives exactly when its receiver starts waits for
            the next update: a group of senders, or edges. A loop without delays needs one;
            by default it is `j >= i`.
        state: the sizes of the buffers, where the modules do not say them.
        free: whom rows hear in the free phase. What they hear of these makes the score that
            their modules learn from, in all phases.
        learning: "accumulate" adds up what each step learns, "apply" moves the weights at once;
            None learns nothing.
        learning_rate: of "apply".

    Returns:
        The network, whose `nodes` go into `generate_graphs` and `Graph`.

    Raises:
        TypeError: no layer map, or edges that are none.
        ValueError: a buffer without a rate, rates, delays, windows or skips for what is not
            there, a group of senders that is none, a buffer whose size is not known, or weights
            that several edges share and that are to be applied at once.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FullyConnected, LayerMap, OutputLayer, RecurrentDiscrete
        from bionet.graph import Graph, from_layer_map, generate_graphs

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
        network = from_layer_map(lmap, rates={0: 50, 1: 20, 2: 10}, delays={(1, 0): 0.005})
        graph = Graph(network.nodes, network.name(2), generate_graphs(network.nodes, 1.0))
        graph_state = network.init(graph, x=jnp.ones((5, 4)))
        graph_state = jax.jit(graph.rollout)(graph_state)
        print(network.answer(graph_state).shape)
        ```
    """
    runnable(WHERE, lmap)
    if learning not in (None, *get_args(Learning)):
        kinds = get_args(Learning)
        raise ValueError(f"{WHERE}: {unknown('kind of learning', str(learning), kinds)}")
    if learning == "apply":
        refuse_shared(lmap)
    check_senders(free)
    state = sizes_of(lmap) if state is None else state
    names = {i: f"layer{i}" for i in range(lmap.last + 1)}
    ticking, taking = rate_of_each(lmap, rates), delay_of_each(lmap, delays)
    nodes: dict[int, BaseNode] = {}
    for i, name in names.items():
        about = (name, ticking[i], state.sizes[i], state.dtype, taking.get(i, 0.0))
        if i not in lmap:
            nodes[i] = Source(*about)
            continue
        heard = frozenset(j for j in lmap.cols_of(i) if is_selected(free, i, j, lmap.last))
        nodes[i] = Row(i, lmap, heard, names, *about, learning, learning_rate)
    seen, waits = window_of_each(lmap, windows), skipping(lmap, skip)
    for i, j in lmap:
        edge = (i, j)
        nodes[i].connect(nodes[j], seen[edge], taking.get(edge, 0.0), edge in waits)
    return Network(lmap, state, {names[i]: node for i, node in nodes.items()})


@final
class Network:
    """The nodes of a layer map; made by `from_layer_map`.

    Args:
        lmap: the layer map.
        state: the sizes of its buffers.
        nodes: by name, one for each buffer.
    """

    def __init__(self, lmap: LayerMap, state: SequentialState, nodes: dict[str, BaseNode]) -> None:
        self.lmap, self.state, self.nodes = lmap, state, nodes
        self._names = dict(enumerate(nodes))

    def name(self, index: int) -> str:
        """The name of the node of a buffer."""
        if index not in self._names:
            raise IndexError(f"The network has buffers 0 to {self.lmap.last}, but not {index}.")
        return self._names[index]

    def init(
        self,
        graph: Graph,
        x: ArrayLike,
        y: ArrayLike | None = None,
        *,
        rng: PRNGKeyArray | None = None,
        lmap: LayerMap | None = None,
        starting_step: Int[ArrayLike, ""] = 0,
        starting_eps: Int[ArrayLike, ""] = 0,
        randomize_eps: bool = False,
        check: bool = True,
    ) -> GraphState:
        """A graph state as `SequentialState.init` fills it: `x`, zeros, and `y` or zeros.

        What is clamped has been so for ever: before the first message, everybody sees it.

        Args:
            graph: of this network's nodes, and perhaps of others.
            x: a batch of inputs.
            y: a batch of labels, or nothing.
            rng: a key; None for the same one each time.
            lmap: the weights, if they are not those that the network was made from.
            starting_step: how many steps of the supervisor to leave out.
            starting_eps: the episode to follow.
            randomize_eps: draw the episode.
            check: whether the values are looked at, which under jit is a call back to the host.

        Raises:
            ValueError: inputs or labels that do not fit.
            RuntimeError: inputs that are NaN or infinite, or labels that the rules can't learn.
        """
        held = self._check_labels(self.state.init(x, y), y) if check else self.state.place(x, y)
        graph_state = graph.init(
            rng, None, starting_step, starting_eps, randomize_eps=randomize_eps
        )
        if lmap is not None:
            graph_state = self.with_layer_map(graph_state, lmap)
        graph_state = self._holding(graph_state, held)
        buffers, inputs = dict(graph_state.buffer), dict(graph_state.inputs)
        for index, name in self._names.items():
            rows = graph_state.buffer[name].shape[0]
            buffers[name] = jnp.broadcast_to(held[index], (rows, *held[index].shape))
        for receiver, windows in inputs.items():
            senders = {n: graph.nodes[receiver].inputs[n].sender.name for n in windows}
            inputs[receiver] = {
                n: blank_window(buffers[senders[n]][0], len(window))
                if senders[n] in self.nodes
                else window
                for n, window in windows.items()
            }
        return graph_state.replace(buffer=buffers, inputs=inputs)

    def clamp(
        self, graph_state: GraphState, x: ArrayLike | None = None, y: ArrayLike | None = None
    ) -> GraphState:
        """From now on the input holds `x`, the output `y`; what is on its way arrives still."""
        held = self._read_buffers(graph_state)
        last = self.lmap.last
        checked = self.state.init(held[0] if x is None else x, held[last] if y is None else y)
        checked = self._check_labels(checked, y)
        return self._put(graph_state, {0: checked[0], last: checked[last]})

    def phase(
        self,
        graph_state: GraphState,
        *,
        feedback: bool | None = None,
        moving: bool | None = None,
        answering: bool | None = None,
        learning: Float[ArrayLike, ""] | None = None,
    ) -> GraphState:
        """The graph state with another phase from now on; what is None stays as it is.

        Args:
            graph_state: as `init` or a graph made it.
            feedback: whether rows hear all senders (the clamped phase), or only those of the
                free phase.
            moving: whether the rows before the last are updated. If not, they go on sending
                what they hold.
            answering: whether the last row sends its answer, and not what it is clamped to.
            learning: a factor on what the steps learn; 0 learns nothing.
        """
        changed = dict(graph_state.state)
        for index in self.lmap.rows():
            moves = answering if index == self.lmap.last else moving
            wanted = {"feedback": feedback, "moving": moves, "learning": learning}
            row = changed[self.name(index)]
            for field, value in wanted.items():
                if value is not None:
                    old = getattr(row, field)
                    row = eqx.tree_at(
                        lambda r, f=field: getattr(r, f), row, jnp.asarray(value, old.dtype)
                    )
            changed[self.name(index)] = row
        return graph_state.replace(state=changed)

    def buffers(self, graph_state: GraphState) -> SequentialState:
        """Returns the buffers of the nodes, as a state that orchestrators take."""
        held = self._read_buffers(graph_state)
        state = self.state.place(held[0], held[self.lmap.last])
        for index, buffer in held.items():
            state = state.replace(index, buffer)
        return state

    def answer(self, graph_state: GraphState) -> Float[Array, "batch ..."]:
        """Returns the activity of the last row for what it heard in its last step."""
        answer = self._row(graph_state, self.lmap.last).answer
        return self.state[-1] if answer is None else answer

    def layer_map(self, graph_state: GraphState) -> LayerMap:
        """The layer map with the weights of a graph state."""
        return self.lmap.map_edges(
            lambda edge, _: graph_state.params[self.name(edge[0])]["modules"][edge[1]]
        )

    def with_layer_map(self, graph_state: GraphState, lmap: LayerMap) -> GraphState:
        """The graph state with the weights of a layer map of the same edges."""
        params = dict(graph_state.params)
        for i in lmap.rows():
            params[self.name(i)] = params[self.name(i)] | {"modules": dict(lmap.neighbors(i))}
        return graph_state.replace(params=params)

    def pseudo_gradients(self, graph_state: GraphState) -> LayerMap:
        """Sums the pseudo-gradients of the rows since the beginning or since `forget`.

        Descending along it applies the local rules. Edges that share a module are summed.

        Raises:
            ValueError: the network does not accumulate what it learns.
        """

        def learned(edge: Edge) -> AbstractModule:
            found = self._row(graph_state, edge[0]).learned
            if found is None:
                raise ValueError(
                    "Network.pseudo_gradients: this network accumulates none; make it by "
                    'from_layer_map(..., learning="accumulate").'
                )
            return found[edge[1]]

        def summed(edge: Edge, _: AbstractModule) -> AbstractModule:
            return functools.reduce(added, [learned(user) for user in self.lmap.users(edge)])

        return self.lmap.map_edges(summed)

    def forget(self, graph_state: GraphState) -> GraphState:
        """The graph state with nothing learned yet."""
        changed = {}
        for i in self.lmap.rows():
            row = self._row(graph_state, i)
            if row.learned is not None:
                changed[self.name(i)] = eqx.tree_at(lambda r: r.learned, row, nothing(row.learned))
        return graph_state.replace(state=graph_state.state | changed)

    def _check_labels(self, held: SequentialState, y: ArrayLike | None) -> SequentialState:
        """The state, whose labels have been checked if there are any."""
        if y is None:
            return held
        for module in self.lmap.neighbors(self.lmap.last).values():
            held = held.replace(-1, module.admit_target(held.readout))
        return held

    def _row(self, graph_state: GraphState, index: int) -> RowState:
        return graph_state.state[self.name(index)]

    def _read_buffers(self, graph_state: GraphState) -> dict[int, Array]:
        states = {index: graph_state.state[name] for index, name in self._names.items()}
        return {i: s.buffer if isinstance(s, RowState) else s for i, s in states.items()}

    def _holding(self, graph_state: GraphState, held: SequentialState) -> GraphState:
        """With another batch: the last row's answer has its shape too."""
        graph_state = self._put(graph_state, {i: held[i] for i in self._names})
        last = self.name(self.lmap.last)
        row = eqx.tree_at(lambda r: r.answer, graph_state.state[last], jnp.zeros_like(held.readout))
        return graph_state.replace(state=graph_state.state | {last: row})

    def _put(self, graph_state: GraphState, held: Mapping[int, Array]) -> GraphState:
        changed = dict(graph_state.state)
        for index, buffer in held.items():
            old = changed[self.name(index)]
            changed[self.name(index)] = (
                eqx.tree_at(lambda r: r.buffer, old, buffer)
                if isinstance(old, RowState)
                else buffer
            )
        return graph_state.replace(state=changed)
