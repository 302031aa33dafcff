"""What does not fit together is told in a sentence, before anything is compiled."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from bionet.graph import (
    BaseNode,
    ClippedNormal,
    ComputationGraph,
    Deterministic,
    Edge,
    Graph,
    Supergraph,
    Uniform,
    Vertex,
    generate_graphs,
)

NAN, INF = float("nan"), float("inf")


class Unit(BaseNode):
    """Adds up what it sees; `returns` is what its step gives back instead, if there is any."""

    returns = None

    def init_params(self, rng=None, graph_state=None):
        return {"gain": jnp.float32(0.5)}

    def init_state(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def step(self, step_state):
        state = step_state.state + sum(seen.data.sum(0) for seen in step_state.inputs.values())
        after = step_state.replace(state=state)
        if self.returns is None:
            return after, state
        field, value = self.returns
        return (after, value) if field == "output" else (after.replace(**{field: value}), state)


def pair():
    """A sensor at 20 Hz that an agent at 10 Hz hears two messages at a time."""
    sensor, agent = Unit("sensor", 20), Unit("agent", 10)
    agent.connect(sensor, window=2, delay=0.01)
    return sensor, agent


@pytest.fixture(scope="module")
def nodes():
    return pair()


@pytest.fixture(scope="module")
def episodes(nodes):
    return generate_graphs(nodes, 0.5)


@pytest.fixture(scope="module")
def graph(nodes, episodes):
    return Graph(nodes, "agent", episodes)


@pytest.mark.parametrize("rate", [0, -0.5, NAN, INF, 1e6 + 1])
def test_a_rate_that_is_none_is_told(says, rate):
    with says(
        ValueError,
        f"Node 'a': rate needs to be above 0 Hz and at most 1,000,000 Hz, got {rate}.",
    ):
        Unit("a", rate)


def test_ticks_of_any_rate_fit_into_64_bits():
    assert Unit("a", Fraction(0.1)).rate == Fraction(1, 10)
    assert Unit("a", Fraction(24_000, 1001)).rate == Fraction(24_000, 1001)
    assert Unit("a", Fraction(0.1)).ticks_until(20_000_001).tolist() == [0, 10_000_000, 20_000_000]
    assert Unit("a", 1e-320, phase=1.0).ticks_until(10**9).tolist() == [1_000_000]
    assert Unit("a", 1e-9).ticks_until(0).tolist() == []


@pytest.mark.parametrize("delay", [-0.01, NAN, INF])
def test_a_delay_that_is_none_is_told(says, delay):
    told = f"needs finite seconds, 0 or more, got {delay}."
    sensor, agent = Unit("sensor", 20), Unit("agent", 10)
    with says(ValueError, f"Node 'a': delay {told}"):
        Unit("a", 10, delay=delay)
    with says(ValueError, f"Node 'a': phase {told}"):
        Unit("a", 10, phase=delay)
    with says(ValueError, f"Node 'agent': input 'sensor': delay {told}"):
        agent.connect(sensor, delay=delay)
    with says(ValueError, f"ClippedNormal: mean {told}"):
        ClippedNormal(delay, 0.1)
    with says(ValueError, f"Uniform: high {told}"):
        Uniform(0.0, delay)
    assert not agent.inputs


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Deterministic("1"), "Deterministic: seconds needs seconds, got '1'."),
        (lambda: Uniform(None, 1.0), "Uniform: low needs seconds, got None."),
        (lambda: generate_graphs(pair(), "1"), "generate_graphs: ts_max needs seconds, got '1'."),
        (
            lambda: generate_graphs(pair(), 1.0, num_episodes=1.5),
            "generate_graphs: num_episodes needs an int, got 1.5.",
        ),
        (
            lambda: generate_graphs(pair(), 1.0, rng="seed"),
            "rng needs a seed of 0 or more, a key, or a NumPy generator, got 'seed'.",
        ),
        (lambda: generate_graphs(pair(), 1.0, rng=-1), "rng needs a seed of 0 or more"),
        (
            lambda: generate_graphs(Unit("a", 1), 1.0),
            "nodes: needs nodes by their names or in a list, got Unit('a', rate=1).",
        ),
        (lambda: generate_graphs(None, 1.0), "nodes: needs nodes by their names or in a list"),
        (
            lambda: ComputationGraph({"a": [0, 1]}),
            "ComputationGraph: vertices needs a Vertex by each node's name, got [0, 1] by 'a'.",
        ),
        (
            lambda: ComputationGraph({3: Vertex([0], [0], [0])}),
            "ComputationGraph: vertices needs a Vertex by each node's name, got Vertex(",
        ),
        (
            lambda: ComputationGraph({"a": Vertex([0], [0], [0])}, {"aa": Edge([], [], [])}),
            "ComputationGraph: edges needs an Edge by each pair of a receiver's and an input's",
        ),
        (
            lambda: ComputationGraph({"a": Vertex([0], [0], [0])}, {("a", "a"): 3}),
            "input's name, got 3 by ('a', 'a').",
        ),
    ],
)
def test_what_is_of_the_wrong_kind_is_told(says, build, sentence):
    with says(TypeError, sentence):
        build()


@pytest.mark.parametrize("seconds", [NAN, -1.0, 0.0])
def test_an_episode_of_no_time_is_told(says, seconds):
    with says(ValueError, f"generate_graphs: ts_max needs finite seconds above 0, got {seconds}."):
        generate_graphs(pair(), seconds)


def test_an_episode_that_is_too_short_to_tick_is_told(says):
    sensor, late = Unit("sensor", 20), Unit("late", 10, phase=0.3)
    late.connect(sensor)
    with says(
        ValueError,
        "generate_graphs: node 'late' does not tick once in an episode of 0.3 s; its first tick "
        "is at 0.3 s. Make the episode longer.",
    ):
        generate_graphs([sensor, late], 0.3)
    silent = ComputationGraph(
        {"sensor": Vertex([0], [0], [1]), "late": Vertex([], [], [])},
        {("late", "sensor"): Edge([0], [-1], [2])},
    )
    for mode in Supergraph:
        with says(ValueError, "Graph: the supervisor 'late' takes no step in one of the episodes"):
            Graph([sensor, late], "late", silent, supergraph=mode)


def test_times_that_do_not_fit_into_32_bits_are_told(says, nodes):
    with says(
        ValueError,
        "Graph: node 'agent' runs until 2,200 s, but times fit up to 2,147 s; cut the episodes "
        "into shorter ones.",
    ):
        Graph(nodes, "agent", generate_graphs(nodes, 2200.0))


@pytest.mark.parametrize("listens", [[], ["agent"]])
@pytest.mark.parametrize("mode", list(Supergraph))
def test_a_supervisor_without_a_connection_is_told(says, listens, mode):
    sensor, agent = Unit("sensor", 20), Unit("agent", 10)
    if listens:
        agent.connect(agent, skip=True)
    sensor.connect(agent)
    with says(ValueError, "Graph: the supervisor 'agent' hears nobody, so that nobody would have"):
        Graph([sensor, agent], agent, generate_graphs([sensor, agent], 0.5), supergraph=mode)


MISSPELT = "No node is named 'sensr'. Did you mean 'sensor'?"


@pytest.mark.parametrize(
    ("where", "options"),
    [
        ("supervisor", {"supervisor": "sensr"}),
        ("skip", {"supervisor": "agent", "skip": ["sensr"]}),
        ("skip", {"supervisor": "agent", "skip": "sensr"}),
        ("buffer_sizes", {"supervisor": "agent", "buffer_sizes": {"sensr": 9}}),
    ],
)
def test_a_misspelt_name_is_told_with_the_one_like_it(says, nodes, episodes, where, options):
    with says(ValueError, f"Graph: {where}: {MISSPELT}"):
        Graph(nodes, graphs_raw=episodes, **options)


def test_a_misspelt_name_is_told_by_init_and_by_every_setting_of_the_record(says, graph):
    with says(ValueError, f"Graph.init: params: {MISSPELT}"):
        graph.init(params={"sensr": {}})
    with says(ValueError, f"Graph.init: order: {MISSPELT}"):
        graph.init(order=["agent", "sensr"])
    state = graph.init()
    for field in ("params", "rng", "inputs", "state", "output"):
        with says(ValueError, f"Graph.init_record: {field}: {MISSPELT}"):
            graph.init_record(state, **{field: {"agent": True, "sensr": False}})


def test_a_buffer_that_is_too_small_is_told_and_the_smallest_will_do(says, nodes, episodes):
    for receiver in nodes:
        need = Graph(nodes, "agent", episodes).timings.buffer_sizes[receiver.name]
        assert Graph(nodes, "agent", episodes, buffer_sizes={receiver.name: need})
        for size in {0, need - 1}:
            with says(
                ValueError,
                f"Graph: buffer_sizes[{receiver.name!r}] needs {need} or more, got {size}.",
            ):
                Graph(nodes, "agent", episodes, buffer_sizes={receiver.name: size})


def undirected():
    graph = nx.Graph()
    graph.add_node(0, kind="sensor")
    return graph


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"S_init": undirected()}, TypeError, "such as the S of another graph, got a Graph."),
        ({"S_init": nx.MultiDiGraph()}, TypeError, "S_init: needs a networkx.DiGraph, such as"),
        ({"S_init": ["sensor"]}, TypeError, "S_init: needs a networkx.DiGraph, such as"),
        ({"backtrack": 2.5}, TypeError, "backtrack: needs an int, got 2.5."),
        ({"backtrack": -1}, ValueError, "backtrack: needs 0 or more, got -1."),
    ],
)
def test_a_search_that_cannot_be_made_is_told(says, nodes, episodes, options, kind, sentence):
    with says(kind, sentence):
        Graph(nodes, "agent", episodes, **options)


@pytest.mark.parametrize("mode", list(Supergraph))
def test_a_long_cycle_of_a_recording_is_told_in_the_same_words_in_every_mode(says, mode):
    names = ["agent", "brain", "sensor"]
    nodes = [Unit(name, 10) for name in names]
    for receiver, sender in zip(nodes, [nodes[-1], *nodes], strict=False):
        receiver.connect(sender)
    vertex = Vertex([0, 1], [0, 100_000], [0, 100_000])
    late, now = Edge([0], [1], [100_000]), Edge([0, 1], [0, 1], [0, 100_000])
    edges = {("agent", "sensor"): late, ("brain", "agent"): now, ("sensor", "brain"): now}
    assert Graph(nodes, "agent", ComputationGraph(dict.fromkeys(names, vertex), edges))
    edges["agent", "sensor"] = Edge([1], [1], [100_000])
    with says(
        ValueError,
        "Graph: graphs_raw: steps wait for one another in episode 0, at 0.1 s: agent[1] -> "
        "brain[1] -> sensor[1] -> agent[1]. Give one of these connections a delay, or skip=True.",
    ):
        raw = ComputationGraph(dict.fromkeys(names, vertex), edges)
        Graph(nodes, "agent", raw, supergraph=mode)


ODD = [
    ("output", jnp.zeros(3), "output of shape (3,), but it began with (2,)."),
    ("output", jnp.zeros((1, 2)), "output of shape (1, 2), but it began with (2,)."),
    ("output", jnp.zeros(2, int), "output of dtype int32, but it began with float32."),
    ("output", (jnp.zeros(2),), "output of the structure"),
    ("state", jnp.zeros(()), "state of shape (), but it began with (2,)."),
    ("state", jnp.zeros(2, "bfloat16"), "state of dtype bfloat16, but it began with float32."),
    ("state", {"x": jnp.zeros(2)}, "state of the structure"),
    ("params", {"gain": jnp.zeros(2)}, "params of shape (2,), but it began with ()."),
    ("params", {"gain": jnp.uint8(1)}, "params of dtype uint8, but it began with float32."),
    ("params", {}, "params of the structure"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("field", "value", "sentence"), ODD)
@pytest.mark.parametrize(
    ("who", "mode"),
    [(0, Supergraph.MCS), (0, Supergraph.GENERATIONAL), (1, Supergraph.MCS)],
)
def test_a_step_that_returns_something_else_is_told(
    says, episodes, field, value, sentence, who, mode
):
    nodes = pair()
    nodes[who].returns = field, value
    graph = Graph(nodes, "agent", episodes, supergraph=mode)
    with says(ValueError, f"Node {nodes[who].name!r}: step returned {sentence}"):
        jax.eval_shape(graph.run, jax.eval_shape(graph.init))


def test_an_override_of_another_shape_is_told(says, graph):
    state, seen = jax.eval_shape(lambda: graph.reset(graph.init()))
    with says(ValueError, "Node 'agent': step returned output of shape (3,), but it began with"):
        jax.eval_shape(graph.step, state, seen, jnp.zeros(3))
    for alone, given in (("step_state", (seen, None)), ("output", (None, jnp.zeros(2)))):
        with says(ValueError, f"Graph.step: {alone} came alone; give both step_state and output"):
            graph.step(state, *given)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(Supergraph))
def test_a_sender_that_never_ticks_is_no_bad_input(nodes, mode):
    vertex = Vertex([0, 1, 2], [0, 10, 20], [0, 10, 20])
    raw = ComputationGraph(
        {"sensor": Vertex([], [], []), "agent": vertex}, {("agent", "sensor"): Edge([], [], [])}
    )
    for prune in (True, False):
        graph = Graph(nodes, "agent", raw, supergraph=mode, prune=prune)
        assert len(graph.S) == 1
        assert (graph.timings.nodes["agent"].windows["sensor"].seq == -1).all()
    state, seen = graph.reset(graph.init_record(graph.init(), output=True))
    assert (np.asarray(seen.inputs["sensor"].data) == 0).all()
    assert state.aux["record"]["sensor"].output.shape == (0, 2)
