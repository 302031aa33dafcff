"""`Graph`: its ways of running agree, under JAX's transformations too, and errors are told."""

import inspect

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from bionet._core.leaves import as_numbers
from bionet.graph import (
    SHARED,
    BaseNode,
    ComputationGraph,
    Edge,
    Graph,
    GraphState,
    InputState,
    Supergraph,
    TrainableDelay,
    Uniform,
    Vertex,
    augment_graphs,
    generate_graphs,
)


class Unit(BaseNode):
    """Leaky units that add up what they see, and noise if asked for."""

    noise = 0.0

    def init_params(self, rng=None, graph_state=None):
        return {"gain": jnp.float32(0.5 + 0.1 * len(self.name))}

    def init_state(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def init_output(self, rng=None, graph_state=None):
        return jnp.full(2, 0.1 * len(self.name))

    def step(self, step_state):
        total = sum((seen.data.mean(0) for seen in step_state.inputs.values()), start=0.3)
        total += self.noise * jax.random.normal(step_state.rng, (2,))
        state = jnp.tanh(0.5 * step_state.state + step_state.params["gain"] * total)
        return step_state.replace(state=state), state + step_state.seq


class Noisy(Unit):
    noise = 0.1


def ring(kind=Unit):
    """An eye, a brain that supervises, a hand that the eye hears, and a lamp that nobody hears."""
    nodes = [
        kind("eye", 30, delay=Uniform(0.0, 0.02)),
        kind("brain", 10, delay=0.01),
        kind("hand", 20, delay=Uniform(0.0, 0.02)),
        kind("lamp", 15),
    ]
    eye, brain, hand, lamp = nodes
    brain.connect(eye, window=2, delay=Uniform(0.0, 0.1))
    hand.connect(brain, window=2)
    eye.connect(hand, delay=0.001)
    lamp.connect(hand)
    return nodes


@pytest.fixture(scope="module")
def same(same_bits):
    """Asserts that two trees agree in each bit, keys of the new style included."""
    return lambda *trees: same_bits(*(jax.tree.map(as_numbers, tree) for tree in trees))


@pytest.fixture(scope="module")
def nodes():
    return ring()


@pytest.fixture(scope="module")
def episodes(nodes):
    return generate_graphs(nodes, 1.2, rng=2, num_episodes=3)


@pytest.fixture(scope="module")
def graph(nodes, episodes):
    return Graph(nodes, "brain", episodes)


@pytest.fixture(scope="module")
def run(graph):
    """A step as one program for all tests; it counts how often it is traced."""

    @jax.jit
    def traced(state):
        one.traces += 1
        return graph.run(state)

    def one(state):
        return traced(state)

    one.traces = 0
    return one


@pytest.fixture(scope="module")
def reset(graph):
    return jax.jit(graph.reset)


@pytest.fixture(scope="module")
def step(graph):
    """One program for the tests that step, and another one for those that override."""
    return jax.jit(graph.step)


@pytest.fixture(scope="module")
def rollout(graph):
    return jax.jit(graph.rollout)


@pytest.fixture(scope="module")
def begun(graph):
    """`begun(step, eps)` is a start with a record, made by one program for all."""

    def begin(step, eps):
        return recorded(graph, starting_step=step, starting_eps=eps)

    begin = jax.jit(begin)
    return lambda step=0, eps=0: begin(step, eps)


def recorded(graph, **options):
    state = graph.init(jax.random.key(3), **options)
    return graph.init_record(state, rng=True, inputs=True, state=True, output=True)


def row(tree, at):
    """A row of every leaf; NumPy reads it, since JAX would compile a program for each shape."""
    return jax.tree.map(lambda leaf: np.asarray(as_numbers(leaf))[at], tree)


def close(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)


def test_the_published_signatures():
    def names(method):
        return [p for p in inspect.signature(method).parameters if p != "self"]

    assert names(Graph.__init__) == [
        *["nodes", "supervisor", "graphs_raw", "skip", "supergraph", "prune", "S_init"],
        *["backtrack", "debug", "progress_bar", "buffer_sizes", "extra_padding"],
    ]
    assert names(Graph.init) == [
        *["rng", "params", "starting_step", "starting_eps", "randomize_eps", "order"]
    ]
    assert names(Graph.init_record) == [
        *["graph_state", "params", "rng", "inputs", "state", "output"]
    ]
    assert names(Graph.step) == ["graph_state", "step_state", "output"]
    assert names(Graph.rollout) == ["graph_state", "max_steps", "carry_only"]
    assert names(Graph.run) == names(Graph.reset) == ["graph_state"]


def test_what_a_graph_shows(graph, episodes, same):
    assert graph.max_eps == 3
    assert graph.max_steps == 11
    same(graph.graphs_raw, episodes)
    assert graph.graphs.windows["brain", "eye"].seq.shape[-1] == 2
    assert graph.timings.slots[-1] == "brain"
    assert len(graph.Gs) == 3
    assert nx.is_directed_acyclic_graph(graph.Gs[1])
    assert list(graph.S) == list(range(len(graph.timings.slots)))


def test_running_rolling_out_and_stepping_agree(graph, run, reset, step, rollout, begun, same):
    by_run = [begun()]
    for _ in range(graph.max_steps):
        by_run.append(run(by_run[-1]))
    same(rollout(by_run[0]), by_run[-1])
    stacked = jax.jit(lambda s: graph.rollout(s, max_steps=4, carry_only=False))(by_run[0])
    for n in range(4):
        same(row(stacked, n), jax.tree.map(as_numbers, by_run[n + 1]))

    by_step, seen = reset(by_run[0])
    assert (seen.seq, seen.ts) == (0, 0)
    for n in range(1, 5):
        by_step, seen = step(by_step)
        assert (seen.seq, seen.ts) == (n, n * 100_000)
    # The one that steps is ahead by what runs before the next step of the supervisor.
    ahead, _ = reset(by_run[4])
    same(by_step, ahead)


def test_past_the_end_nothing_changes(graph, run, reset, step, begun, same):
    last = run(begun(10))
    assert last.step == graph.max_steps
    same(run(last), last)
    before, seen = reset(last)
    after, again = step(before)
    same(after, before)
    same(again, seen)


def test_where_it_starts_is_clipped_to_what_there_is(graph, begun):
    for asked, found in ((-3, 0), (2, 2), (99, 11)):
        assert begun(asked).step == found
    for asked, found in ((-3, 0), (1, 1), (99, 2)):
        assert begun(0, asked).eps == found
    keys = jax.random.split(jax.random.key(0), 20)
    drawn = jax.jit(jax.vmap(lambda key: graph.init(key, randomize_eps=True).eps))(keys)
    assert set(drawn.tolist()) == {0, 1, 2}


@pytest.mark.slow
def test_the_supervisors_own_step_as_an_override_changes_nothing(nodes, reset, step, begun):
    state, seen = reset(begun())
    # `row` makes numbers of the keys, which cannot be subtracted.
    own, found = row(step(state), ...), row(step(state, *nodes[1].step(seen)), ...)
    close(found, own)


def test_an_override_reaches_the_receivers_windows_at_its_number(reset, step, begun):
    state, seen = reset(begun())
    for n in range(6):
        action = np.array([100.0 + n, -1.0], np.float32)
        state, seen = step(state, seen.replace(state=np.full(2, 7.0, np.float32)), action)
        assert (np.asarray(state.state["brain"]) == 7.0).all()
        assert (np.asarray(seen.state) == 7.0).all()
    heard = row(state.aux["record"]["hand"].inputs["brain"], ...)
    told = heard.seq >= 0
    assert set(heard.data[..., 0][told].tolist()) >= {100.0, 103.0}
    np.testing.assert_array_equal(heard.data[..., 0][told], 100.0 + heard.seq[told])


def test_one_of_two_is_no_override(graph, says):
    state, seen = jax.eval_shape(lambda: graph.reset(graph.init()))
    with says(ValueError, "Graph.step: step_state came alone; give both step_state and output"):
        graph.step(state, seen)
    with says(ValueError, "Graph.step: output came alone"):
        graph.step(state, output=jnp.zeros(2))


def test_nothing_is_compiled_twice(run, begun):
    state = begun()
    for _ in range(3):
        state = run(state)
    run(begun(3, 2))
    assert run.traces == 1


@pytest.mark.slow
@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_keys_of_both_styles(make, same):
    nodes = ring(Noisy)
    graph = Graph(nodes, "brain", generate_graphs(nodes, 0.4))
    keys = [make(0), make(1)]
    rollout = jax.jit(lambda key: graph.rollout(graph.init(key)).state)
    ended = [rollout(key) for key in keys]
    assert not np.array_equal(ended[0]["brain"], ended[1]["brain"])
    same(rollout(keys[0]), ended[0])


def test_every_step_has_a_key_of_its_own():
    nodes = ring(Noisy)
    episodes = generate_graphs(nodes, 0.5)
    records = []
    for mode in Supergraph:
        graph = Graph(nodes, "brain", episodes, supergraph=mode)

        def roll(graph=graph):
            start = graph.init_record(graph.init(jax.random.key(3)), rng=True, output=True)
            return graph.rollout(start).aux["record"]

        record = jax.jit(roll)()
        records.append({kind: row(record[kind], ...) for kind in graph.timings.nodes})
    for one in records[1:]:
        close(one, records[0])
    keys = np.concatenate([records[0][kind].rng[:3] for kind in ("eye", "hand")])
    assert len(np.unique(keys, axis=0)) == 6


def test_many_at_once_on_schedules_of_their_own_and_on_one(graph):
    gains = np.float32([0.1, 0.5])

    def begin(eps, step, gain):
        return graph.init(params={"eye": {"gain": gain}}, starting_eps=eps, starting_step=step)

    def start(gain):
        return begin(0, 0, gain)

    def roll(*args):
        return graph.rollout(begin(*args)).state

    one = jax.jit(roll)
    starts = [np.arange(3), np.arange(3), np.float32([0.1, 0.5, 0.3])]
    own = jax.jit(jax.vmap(roll))(*starts)
    for eps, args in enumerate(zip(*starts, strict=True)):
        close(row(own, eps), one(*args))
    together = jax.eval_shape(jax.vmap(start, out_axes=SHARED), gains)
    assert together.step.shape == ()
    mapped = jax.vmap(graph.rollout, in_axes=(SHARED,), out_axes=SHARED)
    shared = jax.jit(lambda g: mapped(jax.vmap(start, out_axes=SHARED)(g)))(gains)
    for at, gain in enumerate(gains):
        alone = one(np.int64(0), np.int64(0), gain)
        np.testing.assert_allclose(shared.state["brain"][at], alone["brain"], atol=1e-6)


@pytest.mark.slow
def test_gradients_are_those_of_finite_differences(graph):
    def loss(gain):
        state = graph.rollout(graph.init(params={"eye": {"gain": gain}}), max_steps=3)
        return state.state["brain"].sum()

    slope = float(jax.jit(jax.grad(loss))(np.float32(0.4)))
    low, high = jax.jit(jax.vmap(loss))(np.float32([0.39, 0.41]))
    assert slope == pytest.approx(float(high - low) / 2e-2, rel=2e-2)
    assert abs(slope) > 1e-3


class Clock(BaseNode):
    """Says the sine of the time."""

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def step(self, step_state):
        return step_state, jnp.sin(step_state.ts / 1e5)


class Late(BaseNode):
    """Adds up the squares of what it heard one trainable delay ago."""

    def init_params(self, rng=None, graph_state=None):
        return self.inputs["clock"].delay

    def init_state(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def step(self, step_state):
        heard = step_state.params(step_state.inputs["clock"], step_state.ts)
        return step_state.replace(state=step_state.state + heard**2), heard


def test_gradients_flow_to_a_delay():
    clock, late = Clock("clock", 50), Late("late", 10)
    late.connect(clock, window=6, delay=TrainableDelay(0.0, 0.1))
    graph = Graph([clock, late], "late", generate_graphs([clock, late], 0.6))

    def loss(seconds):
        params = jax.tree.map(lambda _: seconds, late.init_params())
        return graph.rollout(graph.init(params={"late": params})).state["late"]

    def by_hand(seconds):
        ticks = np.arange(0.1, 0.45, 0.1)
        return np.interp(ticks - seconds, *(np.arange(0, 1, 0.02), np.sin(np.arange(0, 10, 0.2))))

    at = 0.033
    value, slope = jax.jit(jax.value_and_grad(loss))(np.float32(at))
    assert value == pytest.approx((by_hand(at) ** 2).sum(), abs=1e-5)
    measured = ((by_hand(at + 1e-4) ** 2).sum() - (by_hand(at - 1e-4) ** 2).sum()) / 2e-4
    assert float(slope) == pytest.approx(measured, rel=1e-3)


def test_a_record_holds_what_was_asked_for(graph):
    def roll():
        wanted = {"params": True, "output": {"eye": True, "lamp": False}}
        return graph.rollout(graph.init_record(graph.init(), **wanted)).aux["record"]

    record = row(jax.jit(roll)(), ...)
    assert record["eye"].params["gain"] == pytest.approx(0.8)
    assert record["eye"].output.shape == (36, 2)
    assert record["hand"].output is None
    assert record["eye"].rng is None
    assert (record["eye"].output[-2:] == -1).all()
    assert (record["eye"].output[:20] > 0).all()


def test_who_is_skipped_is_heard_as_at_the_beginning(nodes, episodes):
    graph = Graph(nodes, "brain", episodes, skip=["eye"])
    assert "eye" not in graph.timings.nodes
    record = row(jax.jit(lambda: graph.rollout(recorded(graph)))().aux["record"], ...)
    heard = record["brain"].inputs["eye"]
    assert heard.seq.max() > 10
    assert (heard.data[:11] == np.asarray(nodes[0].init_output())).all()
    assert (record["eye"].output == -1).all()


@pytest.mark.slow
def test_larger_buffers_change_nothing(nodes, episodes, rollout, begun):
    padded = Graph(nodes, "brain", episodes, buffer_sizes={"eye": 20}, extra_padding=3)
    assert jax.eval_shape(padded.init).buffer["eye"].shape == (20 + 3, 2)
    roll = jax.jit(lambda: padded.rollout(recorded(padded)).state)
    close(roll(), rollout(begun()).state)


def test_connecting_later_is_for_later_graphs(quiet):
    eye, hand = quiet("eye", 20), quiet("hand", 10)
    hand.connect(eye)
    graph = Graph([eye, hand], "hand", generate_graphs([eye, hand], 0.5))
    hand.connect(eye, name="again")
    assert sorted(graph.init().inputs["hand"]) == ["eye"]
    assert jax.jit(lambda: graph.run(graph.init()).step)() == 1
    again = Graph([eye, hand], "hand", generate_graphs([eye, hand], 0.5))
    assert sorted(again.init().inputs["hand"]) == ["again", "eye"]


class Ordered(Unit):
    """Notes who was there before it."""

    log: list = []  # noqa: RUF012

    def init_params(self, rng=None, graph_state=None):
        self.log.append((self.name, sorted(graph_state.params)))
        return {}

    def init_state(self, rng=None, graph_state=None):
        assert len(graph_state.params) == 4
        return jnp.zeros(2)


def test_nodes_are_initialised_in_order():
    nodes = ring(Ordered)
    graph = Graph(nodes, "brain", generate_graphs(nodes, 0.4))
    Ordered.log.clear()
    graph.init(order=["lamp"])
    assert Ordered.log == [
        *[("lamp", []), ("brain", ["lamp"]), ("eye", ["brain", "lamp"])],
        ("hand", ["brain", "eye", "lamp"]),
    ]
    Ordered.log.clear()
    state = graph.init(params={"eye": {"gain": 3.0}})
    assert [name for name, _ in Ordered.log] == ["brain", "hand", "lamp"]
    assert state.params["eye"] == {"gain": 3.0}


class Remembers(Unit):
    """Begins with a past of its own."""

    def init_inputs(self, rng=None, graph_state=None):
        default = super().init_inputs(rng, graph_state)["eye"]
        return {"eye": InputState(default.seq, default.ts_sent, default.ts_recv, default.data + 5)}


@pytest.mark.parametrize("mode", [Supergraph.MCS, Supergraph.GENERATIONAL])
def test_a_node_may_begin_with_a_past_of_its_own(mode):
    eye, brain, boss = Unit("eye", 10), Remembers("brain", 10), Unit("boss", 10)
    brain.connect(eye, window=2, delay=0.05)
    boss.connect(brain)
    nodes = [eye, brain, boss]
    graph = Graph(nodes, "boss", generate_graphs(nodes, 0.5), supergraph=mode)
    ended = jax.jit(lambda: graph.rollout(recorded(graph)))()
    record = row(ended.aux["record"]["brain"].inputs["eye"], ...)
    assert record.seq[:3].tolist() == [[-1, -1], [-1, 0], [0, 1]]
    np.testing.assert_allclose(record.data[0], 5.3, atol=1e-6)
    np.testing.assert_allclose(record.data[1, 0], 5.3, atol=1e-6)
    assert (record.data[2] < 3).all()


def test_debug_tells_how_long_things_took(nodes, episodes, capsys):
    Graph(nodes, "brain", episodes, debug=True, progress_bar=False)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 6
    assert all(line.startswith("Graph: ") and line.endswith(" s") for line in told)


def test_a_single_node_is_a_network_too():
    alone = Unit("alone", 10)
    graph = Graph([alone], alone, generate_graphs([alone], 1.0))
    assert len(graph.S) == 1
    assert jax.jit(lambda: graph.rollout(graph.init()).step)() == 9


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        (
            {"supervisor": "brian"},
            ValueError,
            "Graph: supervisor: No node is named 'brian'. Did you",
        ),
        ({"supervisor": 3}, TypeError, "Graph: supervisor needs a node or a node's name, got 3."),
        (
            {"skip": ["lmap"]},
            ValueError,
            "Graph: skip: No node is named 'lmap'. Did you mean 'lamp'?",
        ),
        ({"skip": "brain"}, ValueError, "Graph: skip names the supervisor 'brain', without which"),
        (
            {"buffer_sizes": {"eyes": 3}},
            ValueError,
            "Graph: buffer_sizes: No node is named 'eyes'.",
        ),
        ({"buffer_sizes": {"eye": 1}}, ValueError, "Graph: buffer_sizes['eye'] needs "),
        (
            {"buffer_sizes": {"eye": 9.5}},
            TypeError,
            "Graph: buffer_sizes['eye'] needs an int, got 9.5.",
        ),
        ({"extra_padding": -1}, ValueError, "Graph: extra_padding needs 0 or more, got -1."),
        (
            {"supergraph": "mcs"},
            TypeError,
            "supergraph: needs a bionet.graph.Supergraph, got 'mcs'.",
        ),
        ({"nodes": []}, ValueError, "nodes: needs one node at least, got none."),
        ({"graphs_raw": []}, ValueError, "stack_graphs: needs one graph at least, got none."),
    ],
)
def test_what_does_not_fit_is_told(nodes, episodes, says, options, kind, sentence):
    given = {"nodes": nodes, "supervisor": "brain", "graphs_raw": episodes} | options
    with says(kind, sentence):
        Graph(**given)


def test_graphs_of_other_nodes_are_told(nodes, episodes, says):
    with says(ValueError, "Graph: graphs_raw: No node is named 'lamp'."):
        Graph([n for n in nodes if n.name != "lamp"], "brain", episodes)
    part = ComputationGraph({"brain": episodes.vertices["brain"]})
    with says(
        ValueError, "Graph: graphs_raw has no node 'eye'; augment_graphs adds what is missing."
    ):
        Graph(nodes, "brain", part)
    Graph(nodes, "brain", augment_graphs(part, nodes))
    edges = {key: edge for key, edge in episodes.edges.items() if key != ("lamp", "hand")}
    with says(ValueError, "Graph: edge ('lamp', 'hand') comes from None in graphs_raw, but from"):
        Graph(nodes, "brain", ComputationGraph(episodes.vertices, edges))


def test_a_supervisor_that_hears_nobody_is_told(nodes, says):
    a, b = Unit("a", 10), Unit("b", 10)
    b.connect(a)
    with says(
        ValueError, "Graph: the supervisor 'a' hears nobody, so that nobody would have to run"
    ):
        Graph([a, b], "a", generate_graphs([a, b], 1.0))


@pytest.mark.parametrize("mode", list(Supergraph))
@pytest.mark.parametrize("prune", [True, False])
def test_a_cycle_is_told_in_the_same_words_in_every_mode(says, mode, prune):
    a, b = Unit("a", 10), Unit("b", 10)
    a.connect(b)
    b.connect(a)
    vertex = Vertex([0, 1], [0, 100], [0, 100])
    seen = Edge([0, 1], [0, 1], [0, 100])
    raw = ComputationGraph({"a": vertex, "b": vertex}, {("a", "b"): seen, ("b", "a"): seen})
    with says(
        ValueError,
        "Graph: graphs_raw: steps wait for one another in episode 0, at 0 s: "
        "a[0] -> b[0] -> a[0]. Give one of these",
    ):
        Graph([a, b], "b", raw, supergraph=mode, prune=prune)


class Odd(Unit):
    """Returns something else than it began with."""

    what = "output"

    def step(self, step_state):
        changed = step_state.replace(state=jnp.zeros(3)) if self.what == "state" else step_state
        outputs = {"output": jnp.zeros(3), "type": jnp.zeros(2, int), "tree": {"x": jnp.zeros(2)}}
        return changed, outputs.get(self.what, jnp.zeros(2))


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("output", "Node 'odd': step returned output of shape (3,), but it began with (2,)."),
        ("state", "Node 'odd': step returned state of shape (3,), but it began with (2,)."),
        ("type", "Node 'odd': step returned output of dtype int32, but it began with float32."),
        ("tree", "Node 'odd': step returned output of the structure"),
    ],
)
def test_a_step_that_returns_something_else_is_told(says, what, sentence):
    odd = Odd("odd", 10)
    odd.what = what
    graph = Graph([odd], "odd", generate_graphs([odd], 1.0))
    with says(ValueError, sentence):
        graph.run(graph.init())


def test_names_that_no_node_has_are_told(graph, says):
    with says(ValueError, "Graph.init: params: No node is named 'ey'. Did you mean 'eye'?"):
        graph.init(params={"ey": {}})
    with says(ValueError, "Graph.init: order: No node is named 'bran'."):
        graph.init(order=["bran"])
    with says(ValueError, "Graph.init: order names a node twice: eye, eye."):
        graph.init(order=["eye", "eye"])
    with says(ValueError, "Graph.init_record: output: No node is named 'hnad'."):
        graph.init_record(graph.init(), output={"hnad": True})


def test_steps_are_counted_by_a_whole_number(graph, says):
    with says(TypeError, "Graph.rollout: max_steps needs an int, got 1.5."):
        graph.rollout(graph.init(), max_steps=1.5)
    with says(ValueError, "Graph.rollout: max_steps needs 0 or more, got -1."):
        graph.rollout(graph.init(), max_steps=-1)
    assert isinstance(graph.rollout(graph.init(), max_steps=0), GraphState)


def test_a_past_of_the_wrong_size_is_told(says):
    eye, brain = Unit("eye", 10), Remembers("brain", 10)
    brain.connect(eye, window=2, delay=0.05)
    graph = Graph([eye, brain], "brain", generate_graphs([eye, brain], 0.5))
    brain.init_inputs = lambda rng, state: {}
    with says(
        ValueError, "Node 'brain': init_inputs needs an InputState per input with windows of"
    ):
        graph.init()
