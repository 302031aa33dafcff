"""Graphs under JAX's transformations, from any start, with messages of any kind."""

import io
import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet._core.leaves import as_numbers
from bionet.graph import (
    SHARED,
    BaseNode,
    Graph,
    Supergraph,
    TrainableDelay,
    Uniform,
    generate_graphs,
    stack_graphs,
)


class Noisy(BaseNode):
    """Leaky units that see and send noise."""

    def init_params(self, rng=None, graph_state=None):
        return {"gain": 0.5}

    def init_state(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def init_output(self, rng=None, graph_state=None):
        return jnp.full(2, 0.1)

    def step(self, step_state):
        heard = sum(seen.data.mean(0) for seen in step_state.inputs.values())
        heard += 0.1 * jax.random.normal(step_state.rng, (2,))
        state = jnp.tanh(0.5 * step_state.state + step_state.params["gain"] * heard)
        return step_state.replace(state=state), state + 0.1


def loop():
    """A sensor that an agent hears, whom a motor hears, whom the sensor hears."""
    sensor = Noisy("sensor", 20, delay=Uniform(0.0, 0.02))
    agent, motor = Noisy("agent", 10, delay=0.01), Noisy("motor", 10, delay=0.001)
    agent.connect(sensor, window=2, delay=Uniform(0.0, 0.1))
    motor.connect(agent)
    sensor.connect(motor, skip=True)
    return [sensor, agent, motor]


@pytest.fixture(scope="module")
def nodes():
    return loop()


@pytest.fixture(scope="module")
def long(nodes):
    return generate_graphs(nodes, 0.9, rng=1)


@pytest.fixture(scope="module")
def episodes(nodes, long):
    return stack_graphs([generate_graphs(nodes, 0.5), long])


@pytest.fixture(scope="module")
def graph(nodes, episodes):
    return Graph(nodes, "agent", episodes)


def recorded(graph, rng=None, **options):
    state = graph.init(jax.random.key(3) if rng is None else rng, **options)
    return graph.init_record(state, rng=True, inputs=True, state=True, output=True)


@pytest.fixture(scope="module")
def begun(graph):
    """`begun(key, eps=0, step=0)` is a start with a record, made by one program for all."""

    def begin(key, eps=0, step=0):
        return recorded(graph, key, starting_eps=eps, starting_step=step)

    return jax.jit(begin)


@pytest.fixture(scope="module")
def ended(graph, begun):
    """Both episodes, from a start of its own each, run by one program for both."""
    keys = jax.random.split(jax.random.key(0), 2)
    run = jax.jit(jax.vmap(lambda key, eps: graph.rollout(recorded(graph, key, starting_eps=eps))))
    return run(keys, jnp.arange(2)), keys


def close(found, expected, atol=1e-6):
    def check(a, b):
        np.testing.assert_allclose(as_numbers(a), as_numbers(b), atol=atol)

    jax.tree.map(check, found, expected)


def row(tree, at):
    """A row of every leaf; NumPy reads it, since JAX would compile a program for each shape."""
    return jax.tree.map(lambda leaf: np.asarray(as_numbers(leaf))[at], tree)


def avals(tree):
    """Structure, shapes and types of a tree, weak types included."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(leaf.shape, leaf.dtype, getattr(leaf, "weak_type", 0)) for leaf in leaves]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Supergraph.MCS, Supergraph.GENERATIONAL])
def test_what_comes_out_may_go_in_again_without_compiling(nodes, episodes, mode):
    graph = Graph(nodes, "agent", episodes, supergraph=mode)
    state = jax.eval_shape(lambda: recorded(graph))
    # Begun inside or outside of a program, with numbers of Python among the parameters or not.
    assert avals(recorded(graph)) == avals(state)
    assert avals(recorded(graph, params={"motor": {"gain": 0.1}})) == avals(state)
    for method in (graph.run, graph.rollout):
        assert avals(jax.eval_shape(method, state)) == avals(state)
    again, seen = jax.eval_shape(graph.reset, state)
    assert avals(again) == avals(state)
    for given in ((), (seen, jnp.zeros(2))):
        found = jax.eval_shape(graph.step, state, *given)
        assert avals(found) == avals((state, seen))


@pytest.mark.slow
def test_a_batch_with_records_is_one_after_the_other(graph, begun, ended):
    many, keys = ended
    one = jax.jit(graph.rollout)
    for eps, key in enumerate(keys):
        close(row(many, eps), one(begun(key, eps)))


@pytest.mark.slow
def test_a_batch_on_one_schedule_with_records(graph, ended):
    many, keys = ended

    def rollouts(keys):
        make = jax.vmap(lambda key: recorded(graph, key, starting_eps=1), out_axes=SHARED)
        return jax.vmap(graph.rollout, in_axes=(SHARED,), out_axes=SHARED)(make(keys))

    found = jax.jit(rollouts)(keys)
    assert (found.eps.tolist(), found.step.tolist()) == (1, graph.max_steps)
    close(row((found.state, found.aux), 1), row((many.state, many.aux), 1))


def agree_on_what_ran(graph, found, expected, eps=1):
    """Compares two records of an episode, as far as this graph runs its steps."""
    for kind, table in graph.timings.nodes.items():
        count = table.seq[eps, : graph.max_steps].max() + 1
        assert count >= graph.max_steps - 1
        close(row(found[kind], slice(count)), row(expected[kind], slice(count)))


def test_the_longer_episode_goes_on_as_if_it_were_alone(graph, ended, nodes, long):
    many, keys = ended
    alone = Graph(nodes, "agent", long, S_init=graph.S)
    assert (graph.max_steps, alone.max_steps) == (4, 8)
    assert list(alone.timings.slots[: len(graph.S) - 1]) == list(graph.timings.slots[:-1])
    place = {slot: slot for slot in graph.S} | {len(graph.S) - 1: len(alone.S) - 1}
    assert {(place[a], place[b]) for a, b in graph.S.edges} <= set(alone.S.edges)
    rollout = jax.jit(lambda key: alone.rollout(recorded(alone, key), max_steps=4))
    found = rollout(keys[1]).aux["record"]
    agree_on_what_ran(graph, found, row(many.aux["record"], 1))


@pytest.mark.slow
def test_step_by_step_the_same_is_recorded(graph, begun, ended, nodes, episodes):
    many, keys = ended
    other = Graph(nodes, "agent", episodes, supergraph=Supergraph.GENERATIONAL, prune=False)
    start = jax.jit(lambda: recorded(other, keys[1], starting_eps=1))()
    by_run = jax.jit(other.rollout)(start)
    expected = row(many.aux["record"], 1)
    agree_on_what_ran(graph, by_run.aux["record"], expected)
    step = jax.jit(other.step)
    state, _ = jax.jit(other.reset)(start)
    for _ in range(4):
        state, seen = step(state)
    assert (state.step, seen.seq) == (4, 4)
    agree_on_what_ran(other, state.aux["record"], by_run.aux["record"])
    past, _ = step(state)
    close(past, state, atol=0)


@pytest.mark.slow
def test_any_start_may_be_traced(graph):
    def begin(eps, step):
        state, seen = graph.reset(graph.init(starting_eps=eps, starting_step=step))
        return state.eps, state.step, seen.seq, seen.ts, seen.inputs["sensor"].seq

    asked = np.array([[-1, 2], [0, -5], [1, 99], [7, 3]])
    found = jax.jit(jax.vmap(begin))(*asked.T)
    agent = graph.timings.nodes["agent"]
    for *start, seq, ts, window in zip(*map(np.asarray, found), strict=True):
        at = (*start, 0)
        assert (seq, ts) == (agent.seq[at], agent.ts_start[at])
        assert (window == agent.windows["sensor"].seq[at]).all()
    assert found[0].tolist() == [0, 0, 1, 1]
    assert found[1].tolist() == [2, 0, 4, 3]
    drawn = jax.jit(jax.vmap(lambda key: graph.init(key, randomize_eps=True).eps))
    assert set(drawn(jax.random.split(jax.random.key(0), 20)).tolist()) == {0, 1}


@pytest.mark.slow
def test_what_was_made_before_the_start_is_what_there_was_at_the_beginning(graph, begun):
    state, seen = jax.jit(graph.reset)(begun(jax.random.key(1), 1, 2))
    heard, made = row((seen.inputs["sensor"], state.aux["record"]["sensor"].output), ...)
    ran = np.unique(graph.timings.nodes["sensor"].seq[1, 2])
    assert set(heard.seq.tolist()) - set(ran.tolist())
    for seq, data in zip(heard.seq.tolist(), heard.data, strict=True):
        np.testing.assert_array_equal(data, made[seq] if seq in ran else np.float32(0.1))


class Wave(BaseNode):
    """Says the sine of the time, and hears nobody."""

    def init_output(self, rng=None, graph_state=None):
        return 0.0

    def step(self, step_state):
        return step_state, jnp.sin(step_state.ts / 1e5)


class Late(BaseNode):
    """Adds up the squares of what it heard one trainable delay ago, times a gain."""

    def init_params(self, rng=None, graph_state=None):
        return {"delay": self.inputs["wave"].delay, "gain": 2.0}

    def init_state(self, rng=None, graph_state=None):
        return 0.0

    def init_output(self, rng=None, graph_state=None):
        return 0.0

    def step(self, step_state):
        params, wave = step_state.params, step_state.inputs["wave"]
        heard = params["gain"] * params["delay"](wave, step_state.ts)
        return step_state.replace(state=0.9 * step_state.state + heard**2), heard


@pytest.mark.slow
def test_gradients_in_one_generation_after_the_other_are_those_of_finite_differences():
    wave, late = Wave("wave", 50, delay=0.001), Late("late", 10)
    late.connect(wave, window=4, delay=TrainableDelay(0.0, 0.06))
    episodes = generate_graphs([wave, late], 0.7)
    graph = Graph([wave, late], "late", episodes, supergraph=Supergraph.GENERATIONAL)

    def loss(point):
        params = late.init_params() | {"gain": point[1]}
        params["delay"] = eqx.tree_at(lambda d: d.seconds, params["delay"], point[0])
        return graph.rollout(graph.init(params={"late": params})).state["late"]

    at, step = np.float32([0.033, 1.5]), np.float32([2e-3, 1e-2])
    slope = jax.jit(jax.grad(loss))(at)
    moved = jax.jit(jax.vmap(loss))(at + np.concatenate([np.diag(step), -np.diag(step)]))
    np.testing.assert_allclose(slope, (moved[:2] - moved[2:]) / (2 * step), rtol=1e-2)
    assert (np.abs(slope) > 0.1).all()


class Sun(BaseNode):
    """Hears nobody, and says a Python float and a whole number."""

    def init_output(self, rng=None, graph_state=None):
        return {"light": -0.5, "day": jnp.int32(7)}

    def step(self, step_state):
        return step_state, {"light": 0.25, "day": step_state.seq}


class Half(BaseNode):
    """Is of half precision, and hears itself."""

    def init_state(self, rng=None, graph_state=None):
        return jnp.zeros(2, "bfloat16")

    def init_output(self, rng=None, graph_state=None):
        return jnp.full(2, 0.5, "bfloat16")

    def step(self, step_state):
        heard = step_state.inputs["half"].data.sum(0) + step_state.inputs["sun"].data["day"].sum()
        state = 0.5 * step_state.state + heard.astype("bfloat16")
        return step_state.replace(state=state), 0.25 * state


class Judge(BaseNode):
    """Hears the same node twice, keeps a float and a key, and says whether it is even."""

    def init_state(self, rng=None, graph_state=None):
        return {"sum": 0.0, "key": rng}

    def init_output(self, rng=None, graph_state=None):
        return {"even": True, "sum": 1.5}

    def step(self, step_state):
        seen, old = step_state.inputs, step_state.state
        new = seen["half"].data.mean() + seen["early"].data[-1].sum()
        state = {"sum": old["sum"] + new, "key": jax.random.split(old["key"])[0]}
        return step_state.replace(state=state), {"even": step_state.seq % 2 == 0, "sum": 2.5}


def mixed():
    sun, half, judge = Sun("sun", 30, phase=0.25), Half("half", 20, delay=0.01), Judge("judge", 10)
    half.connect(sun, window=3, delay=0.07)
    half.connect(half, window=2, delay=0.03)
    judge.connect(half, window=4, delay=Uniform(0.0, 0.1))
    judge.connect(half, delay=0.02, name="early")
    judge.connect(sun, window=2)
    return [sun, half, judge]


@pytest.mark.slow
def test_messages_of_any_kind_arrive_as_they_were_sent():
    with jax.enable_x64(True):
        nodes = mixed()
        graph = Graph(nodes, "judge", generate_graphs(nodes, 0.8))
        record = row(jax.jit(lambda: graph.rollout(recorded(graph)))().aux["record"], ...)
        assert record["sun"].output["light"].dtype == record["judge"].state["sum"].dtype == "f8"
        assert record["half"].state.dtype == "bfloat16"
        assert record["judge"].output["even"].dtype == bool
        for node in nodes:
            count = int(graph.timings.nodes[node.name].run[:, : graph.max_steps].sum())
            for name, connection in node.inputs.items():
                sender = connection.sender
                seen = row(record[node.name].inputs[name], slice(count))
                assert (seen.seq[0] == -1).all()
                assert seen.seq.max() > 1

                def check(data, sent, first, seq=seen.seq):
                    assert data.dtype == sent.dtype
                    blank = (seq < 0).reshape(*seq.shape, *[1] * (data.ndim - 2))
                    expected = np.where(blank, first, np.asarray(sent)[np.maximum(seq, 0)])
                    np.testing.assert_array_equal(data, expected)

                jax.tree.map(check, seen.data, record[sender.name].output, sender.init_output())


@pytest.mark.slow
@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_a_state_and_a_graph_may_be_put_away(graph, begun, make, same_bits):
    state = begun(make(0))
    for again in (pickle.loads(pickle.dumps(state)), _through_a_file(state)):
        assert avals(again) == avals(state)
        same_bits(jax.tree.map(as_numbers, again), jax.tree.map(as_numbers, state))
    other = pickle.loads(pickle.dumps(graph))
    assert avals(jax.eval_shape(other.run, state)) == avals(state)


def _through_a_file(state):
    """Written by Equinox, which knows keys as numbers."""
    file, numbers = io.BytesIO(), jax.tree.map(as_numbers, state)
    eqx.tree_serialise_leaves(file, numbers)
    file.seek(0)
    read = eqx.tree_deserialise_leaves(file, numbers)
    wrap = jax.random.wrap_key_data
    return jax.tree.map(lambda a, b: b if a.dtype == b.dtype else wrap(b), state, read)


def test_over_a_thousand_seconds_every_message_that_coincides_is_in_its_window():
    fast, slow = Wave("fast", 50), Noisy("slow", 10)
    slow.connect(fast, window=5)
    graph = Graph([fast, slow], "slow", generate_graphs([fast, slow], 1000.0))
    window = graph.timings.nodes["slow"].windows["fast"].seq[0, :, 0]
    newest = 5 * np.arange(10_000)[:, None]
    assert (window == np.maximum(newest + np.arange(-4, 1), -1)).all()
