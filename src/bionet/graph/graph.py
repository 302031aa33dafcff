"""A network of nodes with rates and delays, compiled into one program.

What happens when was drawn or recorded beforehand. So all of it is known before anything runs:
which node takes its step after which other one, and which messages it sees by then. `Graph`
puts that into tables, and finds an order of slots into which everything between two steps of
the supervisor fits. What is compiled is one pass over these slots; which of them run this time,
and on what, it reads from the tables at `(graph_state.eps, graph_state.step)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, final

import jax
import jax.numpy as jnp
import networkx as nx
from jaxtyping import Array, ArrayLike, Bool, Int, PRNGKeyArray, PyTree

from bionet.graph.arguments import (
    buffer_rows,
    check_names,
    check_recorded,
    check_skipped,
    check_supervisor,
    whole_number,
)
from bionet.graph.node import BaseNode, Nodes, by_name
from bionet.graph.run.initial_state import with_beginnings
from bionet.graph.run.records import Wanted, new_record
from bionet.graph.run.scanned import Scanned
from bionet.graph.run.scheduled import Scheduled
from bionet.graph.run.unrolled import Unrolled
from bionet.graph.schedule.computation_graph import ComputationGraph, stack_graphs
from bionet.graph.schedule.loops import describe_loop, find_loop
from bionet.graph.schedule.partition import cut
from bionet.graph.schedule.progress import Bar, Clock
from bionet.graph.schedule.supergraph import Supergraph, schedule
from bionet.graph.schedule.tabulate import check_timings, make_timings
from bionet.graph.schedule.timings import Timings
from bionet.graph.schedule.windows import WindowedGraph, apply_windows, to_networkx
from bionet.graph.state import GraphState, StepState

SHARED = GraphState(eps=None, step=None, rng=0, params=0, state=0, inputs=0, buffer=0, aux=0)  # pyright: ignore[reportArgumentType]
"""Axes for `jax.vmap` over graph states that are at one step of one episode.

Give it as `in_axes` and `out_axes`: the batch then looks up its schedule once. States that are
at steps or episodes of their own take the axis 0 throughout.
"""


@final
class Graph:
    """Runs nodes whose schedule is known, one step of the supervisor after the other.

    Args:
        nodes: all nodes.
        supervisor: the node whose steps bound the steps of the graph, by name or itself.
        graphs_raw: one or many episodes, recorded or generated.
        skip: names of nodes that are not executed; the others see what they had before their
            first step, for ever. It has nothing to do with the `skip` of a connection.
        supergraph: how partitions are brought into one order.
        prune: run only what the supervisor waits for, now or later. If false, also run every
            other step that has started by the supervisor's last tick.
        S_init: a supergraph to begin with in the mode MCS, as another graph's `S`.
        backtrack: in how many orders slots are dropped.
        debug: check the schedule step by step, and print how long each part took.
        progress_bar: show one on a terminal while the supergraph grows.
        buffer_sizes: by the node's name, how many outputs are kept, if more than needed.
        extra_padding: how many more are kept of every node.

    Raises:
        TypeError: things of the wrong kind.
        ValueError: nodes and graphs that do not fit together, steps that wait for one another,
            a supervisor that takes no step, or hears nobody while `prune` is true, names that no
            node has, a buffer that is too small.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.graph import BaseNode, Graph, generate_graphs

        class Counter(BaseNode):
            def init_output(self, rng=None, graph_state=None):
                return jnp.zeros(())

            def step(self, step_state):
                return step_state, step_state.seq + 1.0

        class Sum(BaseNode):
            def init_state(self, rng=None, graph_state=None):
                return jnp.zeros(())

            def init_output(self, rng=None, graph_state=None):
                return jnp.zeros(())

            def step(self, step_state):
                state = step_state.state + step_state.inputs["eye"].data.sum()
                return step_state.replace(state=state), state

        eye, hand = Counter("eye", rate=50), Sum("hand", rate=10)
        hand.connect(eye, window=2, delay=0.005)
        graph = Graph([eye, hand], "hand", generate_graphs([eye, hand], ts_max=1.0))
        state = jax.jit(graph.rollout)(graph.init())
        print(len(graph.S), graph.max_steps, state.state["hand"])
        ```
    """

    def __init__(
        self,
        nodes: Nodes,
        supervisor: str | BaseNode,
        graphs_raw: ComputationGraph | Sequence[ComputationGraph],
        skip: Iterable[str] | None = None,
        supergraph: Supergraph = Supergraph.MCS,
        prune: bool = True,
        S_init: nx.DiGraph[Any] | None = None,
        backtrack: int = 20,
        debug: bool = False,
        progress_bar: bool = True,
        buffer_sizes: Mapping[str, int] | None = None,
        extra_padding: int = 0,
    ) -> None:
        clock = Clock(debug)
        self.nodes = by_name(nodes)
        self.supervisor = check_supervisor(supervisor, self.nodes)
        self.skip = check_skipped(skip, self.supervisor, self.nodes)
        # A later `connect` is for graphs to come.
        self._inputs = {name: dict(node.inputs) for name, node in self.nodes.items()}
        self._raw = stack_graphs(graphs_raw)
        check_recorded(self._raw, self.nodes, self.supervisor, prune)
        if loop := find_loop(self._raw):
            raise ValueError(describe_loop("Graph: graphs_raw", loop, self._raw))
        clock("checked the graphs")
        sizes = {(n, i): c.window for n, own in self._inputs.items() for i, c in own.items()}
        self._windowed = apply_windows(self._raw, sizes)
        clock("made the windows")
        cuts = cut(self._raw, self.supervisor, prune, self.skip)
        clock(f"cut {cuts.counts.shape[0]} episodes into {cuts.steps} partitions each")
        with Bar(progress_bar) as bar:
            self._schedule = schedule(cuts, supergraph, S_init, backtrack, bar)
        clock(f"found {len(self._schedule)} slots")
        self._timings = make_timings(self._schedule, self._windowed)
        clock("wrote the tables")
        needed = self._timings.buffer_sizes
        self._sizes = buffer_rows(needed, buffer_sizes, extra_padding, self.nodes)
        self._unrolled = supergraph is Supergraph.MCS
        self._lay_out()
        if debug:
            check_timings(self._timings, self._windowed)
            clock("checked every step of it")

    @property
    def max_eps(self) -> int:
        """The number of episodes."""
        return self._raw.num_episodes

    @property
    def max_steps(self) -> int:
        """The supervisor's steps in the shortest episode, less one."""
        return self._timings.num_steps - 1

    @property
    def timings(self) -> Timings:
        """The tables: which slot runs in which step of which episode, when, on what."""
        return self._timings

    @property
    def graphs_raw(self) -> ComputationGraph:
        """The episodes as they were given, stacked."""
        return self._raw

    @property
    def graphs(self) -> WindowedGraph:
        """The same after windows."""
        return self._windowed

    @cached_property
    def Gs(self) -> list[nx.DiGraph[Any]]:  # noqa: N802
        """The episodes as networkx graphs, made when they are first asked for."""
        return [to_networkx(self._windowed, episode) for episode in range(self.max_eps)]

    @property
    def S(self) -> nx.DiGraph[Any]:  # noqa: N802
        """The supergraph: slots 0, 1, 2 and so on, in order, with `kind` and `generation`."""
        return self._schedule.graph

    def init(
        self,
        rng: PRNGKeyArray | None = None,
        params: Mapping[str, PyTree] | None = None,
        starting_step: Int[ArrayLike, ""] = 0,
        starting_eps: Int[ArrayLike, ""] = 0,
        randomize_eps: bool = False,
        order: Sequence[str] | None = None,
    ) -> GraphState:
        """Everything before the first step: parameters, states, windows, buffers, in this order.

        Args:
            rng: a key; None for the same one each time.
            params: parameters of some nodes, in place of what they make themselves.
            starting_step: how many steps of the supervisor to leave out; clipped.
            starting_eps: the episode to follow; clipped.
            randomize_eps: draw the episode.
            order: the nodes that come first. Then comes the supervisor, then the others by name.
                Each is shown the graph state with what the ones before it made.

        Raises:
            ValueError: a name in `params` or `order` that no node has, or twice.
        """
        rng = jax.random.key(0) if rng is None else rng
        check_names("Graph.init: params", params or {}, self.nodes)
        first = [order] if isinstance(order, str) else list(order or ())
        check_names("Graph.init: order", first, self.nodes)
        if len(set(first)) < len(first):
            raise ValueError(f"Graph.init: order names a node twice: {', '.join(first)}.")
        names = list(dict.fromkeys([*first, self.supervisor, *self.nodes]))
        rng_eps, rng_nodes = jax.random.split(rng)
        draw = jax.random.randint(rng_eps, (), 0, self.max_eps)
        for where, start in (("starting_step", starting_step), ("starting_eps", starting_eps)):
            if jnp.shape(start):
                raise ValueError(
                    f"Graph.init: {where} needs one number, got shape {jnp.shape(start)}; "
                    "jax.vmap begins many at once."
                )
        eps = draw if randomize_eps else jnp.clip(jnp.asarray(starting_eps), 0, self.max_eps - 1)
        step = jnp.clip(jnp.asarray(starting_step), 0, self.max_steps)
        blank = GraphState(eps.astype(jnp.int32), step.astype(jnp.int32), {}, {}, {}, {}, {}, {})
        return with_beginnings(
            blank, self.nodes, self._inputs, names, self._sizes, rng_nodes, params or {}
        )

    def init_record(
        self,
        graph_state: GraphState,
        params: Wanted = None,
        rng: Wanted = None,
        inputs: Wanted = None,
        state: Wanted = None,
        output: Wanted = None,
    ) -> GraphState:
        """The graph state with a record in `aux["record"]`, by the node's name.

        Each argument says what is kept: for all nodes by one bool, or by a bool per name. Room
        is filled with -1, which is True where what is kept are bools.

        Args:
            graph_state: as `init` made it.
            params: the parameters, once, as they are now.
            rng: the key before each step, as numbers.
            inputs: what each step saw.
            state: the state before each step.
            output: what each step sent.

        Raises:
            ValueError: a name that no node has.
        """
        wanted = {"params": params, "rng": rng, "inputs": inputs, "state": state, "output": output}
        counts = {name: self._raw.vertices[name].seq.shape[-1] for name in self.nodes}
        record = new_record(graph_state, counts, wanted)
        return graph_state.replace(aux=graph_state.aux | {"record": record})

    def run(self, graph_state: GraphState) -> GraphState:
        """One step, the supervisor's included; past `max_steps` nothing changes.

        It begins where `init`, `run` or `rollout` ended. `reset` and `step` are ahead of that, by
        what runs before the supervisor's next step, which would then run twice.
        """
        live, at = self._now(graph_state)
        graph_state = self._partition(graph_state, at, live)
        graph_state = self._last(graph_state, at, live)
        return graph_state.replace(step=graph_state.step + live)

    def reset(self, graph_state: GraphState) -> tuple[GraphState, StepState]:
        """Runs everything before the supervisor's first step.

        Returns:
            The graph state, and what the supervisor's step is given.
        """
        _, at = self._now(graph_state)
        graph_state = self._partition(graph_state, at, None)
        return graph_state, self._last.first(graph_state, at)

    def step(
        self,
        graph_state: GraphState,
        step_state: StepState | None = None,
        output: PyTree[Array] | None = None,
    ) -> tuple[GraphState, StepState]:
        """The supervisor's step, and then everything before its next one.

        Args:
            graph_state: as `reset` or `step` returned it.
            step_state: what the supervisor's own step would have returned; with `output`, it
                stands in for that step.
            output: the output that goes with it, which the receivers see: the action.

        Returns:
            The graph state, and what the supervisor's next step is given. Past `max_steps`
            nothing changes.

        Raises:
            ValueError: one of `step_state` and `output` without the other.
        """
        if (step_state is None) != (output is None):
            given = "step_state" if output is None else "output"
            raise ValueError(
                f"Graph.step: {given} came alone; give both step_state and output in place of the "
                "supervisor's own step, or neither."
            )
        live, at = self._now(graph_state)
        replaced = None if step_state is None else (step_state, output)
        graph_state = self._last(graph_state, at, live, replaced)
        graph_state = self._partition(graph_state, at + live, live)
        graph_state = graph_state.replace(step=graph_state.step + live)
        return graph_state, self._last.first(graph_state, at + live)

    def rollout(
        self, graph_state: GraphState, max_steps: int | None = None, carry_only: bool = True
    ) -> GraphState:
        """Runs many steps in one loop.

        Args:
            graph_state: where to begin.
            max_steps: how many; None for as many as there are.
            carry_only: return the last state alone; if false, the states after all steps,
                stacked along a leading axis.

        Raises:
            TypeError: a number of steps that is no int.
            ValueError: a negative number of steps.
        """
        count = (
            self.max_steps
            if max_steps is None
            else whole_number("Graph.rollout: max_steps", max_steps)
        )

        def body(state: GraphState, _: None) -> tuple[GraphState, GraphState | None]:
            state = self.run(state)
            return state, None if carry_only else state

        last, states = jax.lax.scan(body, graph_state, length=count)
        return last if states is None else states

    def _now(self, graph_state: GraphState) -> tuple[Bool[Array, ""], Int[Array, ""]]:
        """Returns whether a step is left, and its number."""
        return graph_state.step < self.max_steps, jnp.minimum(graph_state.step, self.max_steps)

    def _partition(
        self, graph_state: GraphState, at: Int[Array, ""], awake: Bool[Array, ""] | None
    ) -> GraphState:
        """Runs all slots but the supervisor's."""
        return graph_state if self._pass is None else self._pass(graph_state, at, awake)

    def _lay_out(self) -> None:
        """Makes the programs: of the slots before the supervisor's, and of the supervisor's."""
        scheduled = Scheduled(self.nodes, self._inputs, self._timings, self._sizes)
        kinds, self._pass = self._timings.slots[:-1], None
        if kinds and self._unrolled:
            self._pass = Unrolled(scheduled, kinds)
        elif kinds:
            generations = len(set(self._timings.generation[:-1]))
            self._pass = Scanned(scheduled, kinds[: len(kinds) // generations])
        self._last = Unrolled(scheduled, (self.supervisor,))
