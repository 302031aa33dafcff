"""Compiled graphs against a simulation in NumPy that goes through time, event by event.

The simulation is given when steps start and when messages arrive, and nothing else of the
schedule: which step sees which message follows from the times and from `skip` alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bionet.graph import BaseNode, ClippedNormal, Graph, Supergraph, Uniform, generate_graphs

UNITS = 3


class Unit(BaseNode):
    """Leaky units that mix all that they see, each message of a window with its own weight."""

    def __init__(self, name, rate, seed, **options):
        super().__init__(name, rate, **options)
        self.seed = seed

    def numbers(self):
        rng = np.random.default_rng(self.seed)
        weights = {
            name: rng.normal(size=(c.window, UNITS)) / (2 * c.window)
            for name, c in sorted(self.inputs.items())
        }
        return weights, rng.normal(size=UNITS), rng.normal(size=UNITS)

    def init_params(self, rng=None, graph_state=None):
        return jax.tree.map(lambda w: jnp.asarray(w, jnp.float32), self.numbers()[0])

    def init_state(self, rng=None, graph_state=None):
        return jnp.asarray(self.numbers()[1], jnp.float32)

    def init_output(self, rng=None, graph_state=None):
        return jnp.asarray(self.numbers()[2], jnp.float32)

    def step(self, step_state):
        total = 0.1 * jnp.sin(step_state.ts / 1e5)
        for name, seen in step_state.inputs.items():
            total += (step_state.params[name] * seen.data).sum(0)
        state = jnp.tanh(0.5 * step_state.state + total)
        return step_state.replace(state=state), 0.9 * state + 0.1


def simulate(nodes, graph):
    """All steps of an episode: what each sees, its state before, and its output."""
    nodes = {node.name: node for node in nodes}
    weights, state, default = ({n: v.numbers()[at] for n, v in nodes.items()} for at in range(3))
    sent = {name: [] for name in nodes}
    arrival = {key: dict(zip(e.seq_out, e.ts_recv, strict=True)) for key, e in graph.edges.items()}
    due = sorted(
        (start, n, name) for name, v in graph.vertices.items() for n, start in enumerate(v.ts_start)
    )
    log = {}
    while due:
        now = due[0][0]
        today = [step for step in due if step[0] == now]

        def has_to_wait(step, now=now, today=today):
            """Whether a step of this instant may still send what this one has to see."""
            return any(
                arrival[step[2], i][n] == now
                for i, c in nodes[step[2]].inputs.items()
                for _, n, name in today
                if c.sender.name == name and not c.skip
            ) or any(name == step[2] and n < step[1] for _, n, name in today)

        step = next(step for step in today if not has_to_wait(step))
        due.remove(step)
        _, n, name = step
        windows, total = {}, 0.1 * np.sin(now / 1e5)
        for i, c in nodes[name].inputs.items():
            at = arrival[name, i]
            come = [m for m in range(len(sent[c.sender.name])) if at[m] < now + (not c.skip)]
            seq = ([-1] * c.window + come)[-c.window :]
            data = [default[c.sender.name] if m < 0 else sent[c.sender.name][m] for m in seq]
            ended = graph.vertices[c.sender.name].ts_end
            times = [(0, 0) if m < 0 else (ended[m], at[m]) for m in seq]
            windows[i] = seq, times, np.array(data)
            total = total + (weights[name][i] * np.array(data)).sum(0)
        before, state[name] = state[name], np.tanh(0.5 * state[name] + total)
        sent[name].append(0.9 * state[name] + 0.1)
        log[name, n] = windows, before, sent[name][-1]
    return log


DELAYS = [Uniform(0.0, 0.3), 0.01, 0.0, Uniform(0.0, 0.02), ClippedNormal(0.05, 0.0125)]


@st.composite
def networks(draw):
    """2 to 8 nodes that the last one hears directly or by others, some twice or in a ring.

    The first choice of everything makes the richest network, as the first example takes it.
    """
    count = draw(st.sampled_from([8, 2, 5, 3, 7, 4, 6]))
    names = draw(st.permutations([f"n{number}" for number in range(count)]))
    nodes = [
        Unit(
            name,
            10 if seed == count - 1 else draw(st.sampled_from([20, 5, 30, 10, 3])),
            seed,
            delay=draw(st.sampled_from(DELAYS)),
            phase=draw(st.sampled_from([0.0, 0.0, 0.05])),
        )
        for seed, name in enumerate(names)
    ]
    number = st.integers(0, count - 1)
    heard = [(draw(st.integers(j + 1, count - 1)), j) for j in range(count - 1)]
    again, itself = st.sampled_from(heard), number.map(lambda i: (i, i))
    more = draw(
        st.lists(st.one_of(again, itself, st.tuples(number, number)), min_size=2, max_size=6)
    )
    for at, (i, j) in enumerate([*heard, *more]):
        delay = draw(st.sampled_from(DELAYS))
        # What goes back needs to take time, or to skip.
        skip = draw(st.booleans()) or (j >= i and delay != 0.01)
        nodes[i].connect(
            nodes[j],
            window=draw(st.sampled_from([3, 1, 4, 2])),
            delay=delay,
            skip=skip,
            name=f"{at} from {nodes[j].name}",
        )
    return nodes


def compare(graph, nodes, logs, eps):
    """Rolls an episode out, and compares every step of it with the simulation."""

    def roll():
        state = graph.init(starting_eps=eps)
        state = graph.init_record(state, inputs=True, state=True, output=True)
        return graph.rollout(state).aux["record"]

    record = jax.device_get(jax.jit(roll)())
    for kind, table in graph.timings.nodes.items():
        seq = table.seq[eps, : graph.max_steps]
        count = seq.max(initial=-1) + 1
        assert (record[kind].output[count:] == -1).all()
        for n in range(count):
            windows, before, output = logs[eps][kind, n]
            np.testing.assert_allclose(record[kind].state[n], before, atol=1e-6)
            np.testing.assert_allclose(record[kind].output[n], output, atol=1e-6)
            for name, (seqs, times, data) in windows.items():
                found = jax.tree.map(lambda leaf, n=n: leaf[n], record[kind].inputs[name])
                assert found.seq.tolist() == seqs
                assert list(zip(found.ts_sent, found.ts_recv, strict=True)) == times
                np.testing.assert_allclose(found.data, data, atol=1e-6)
    return record


MODES = st.sampled_from([Supergraph.MCS, Supergraph.GENERATIONAL, Supergraph.TOPOLOGICAL])


def whole(count):
    """A test with that many networks, each of which is a large program of its own."""

    @settings(max_examples=count)
    @given(
        nodes=networks(),
        seed=st.integers(0, 5),
        mode=MODES,
        prune=st.booleans(),
        eps=st.integers(0, 1),
    )
    def test(nodes, seed, mode, prune, eps):
        graphs = generate_graphs(nodes, 1.2, rng=seed, num_episodes=2)
        logs = [simulate(nodes, graph) for graph in graphs]
        graph = Graph(nodes, nodes[-1], graphs, supergraph=mode, prune=prune)
        compare(graph, nodes, logs, eps)

    return test


# The richest network every day; others, in other modes, with the slow tests. What their tables
# show is looked at below, without a program.
test_every_step_is_that_of_the_simulation = whole(1)
test_every_step_of_many_networks_is_that_of_the_simulation = pytest.mark.slow(whole(8))


@settings(max_examples=40)
@given(nodes=networks(), seed=st.integers(0, 5), mode=MODES, prune=st.booleans())
def test_every_table_shows_the_messages_of_the_simulation(nodes, seed, mode, prune):
    graphs = generate_graphs(nodes, 1.2, rng=seed, num_episodes=2)
    graph = Graph(nodes, nodes[-1], graphs, supergraph=mode, prune=prune)
    for eps, one in enumerate(graphs):
        log = simulate(nodes, one)
        for kind, table in graph.timings.nodes.items():
            run = table.run[eps]
            assert table.seq[eps][run].tolist() == list(range(run.sum()))
            for name, window in table.windows.items():
                seen = [log[kind, n][0][name][0] for n in range(run.sum())]
                assert window.seq[eps][run].tolist() == seen


@pytest.fixture(scope="module")
def ring():
    """Three nodes in a ring, with a self-connection and two connections of one pair."""
    a = Unit("a", 30, 0, delay=Uniform(0.0, 0.02))
    b = Unit("b", 20, 1, delay=ClippedNormal(0.03, 0.03))
    c = Unit("c", 10, 2, delay=0.01)
    lamp = Unit("lamp", 15, 3)
    b.connect(a, window=3, delay=Uniform(0.0, 0.1))
    b.connect(a, name="late", delay=0.15)
    b.connect(b, window=2, delay=0.001)
    c.connect(b, window=2)
    a.connect(c, skip=True)
    lamp.connect(c)
    return [a, b, c, lamp]


@pytest.mark.slow
def test_modes_and_pruning_change_nothing(ring):
    graphs = generate_graphs(ring, 1.5, rng=1, num_episodes=2)
    logs = [simulate(ring, graph) for graph in graphs]
    # Where a mode lays out its slots, and which of them are pruned, are tables made one after the
    # other: a mode with a kind of pruning shows the faults of both.
    for mode, prune in zip(Supergraph, (True, False, False), strict=True):
        graph = Graph(ring, "c", graphs, supergraph=mode, prune=prune)
        assert ("lamp" in graph.timings.nodes) is not prune
        compare(graph, ring, logs, 1)
