"""Bad input that was taken silently, or told in the words of somebody else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import (
    BaseNode,
    ComputationGraph,
    Edge,
    Graph,
    Supergraph,
    Vertex,
    generate_graphs,
)


class Returns(BaseNode):
    """Begins with some state and returns what it is told."""

    def __init__(self, name, rate, begin=0.0, step=None):
        super().__init__(name, rate)
        self.begin, self.does = begin, step

    def init_state(self, rng=None, graph_state=None):
        return rng if self.begin is None else self.begin

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def step(self, step_state):
        if self.does is not None:
            return self.does(step_state)
        return step_state, jnp.zeros(2)


def alone(begin, step):
    node = Returns("a", 10, begin, step)
    return Graph([node], "a", generate_graphs([node], 0.5))


def pair():
    sensor, agent = Returns("sensor", 20), Returns("agent", 10)
    agent.connect(sensor, delay=0.01)
    return sensor, agent


@pytest.mark.parametrize(
    ("begin", "after", "dtype"),
    [
        (0, 0.5, "float32"),
        (jnp.int32(1), 0.5, "float32"),
        (False, 3, "int32"),
        (0.5, 1j, "complex64"),
    ],
)
def test_no_part_of_a_number_is_lost(says, begin, after, dtype):
    graph = alone(begin, lambda s: (s.replace(state=s.state * 0 + after), jnp.zeros(2)))
    with says(ValueError, f"Node 'a': step returned state of dtype {dtype}, but it began with"):
        jax.eval_shape(graph.run, graph.init())


def test_numbers_of_python_take_the_type_of_what_was_there():
    graph = alone(jnp.zeros((), "bfloat16"), lambda s: (s.replace(state=3), jnp.zeros(2)))
    assert graph.run(graph.init()).state["a"].dtype == "bfloat16"


def test_a_key_may_be_a_state_without_a_program_too():
    graph = alone(None, lambda s: (s.replace(state=jax.random.split(s.state)[0]), jnp.zeros(2)))
    state = graph.init()
    expected = jax.random.key_data(jax.random.split(state.state["a"])[0])
    np.testing.assert_array_equal(jax.random.key_data(graph.run(state).state["a"]), expected)


@pytest.mark.parametrize(
    "step", [lambda s: s, lambda s: None, lambda s: (s, jnp.zeros(2), 1), lambda s: (s.state, s)]
)
@pytest.mark.parametrize("mode", [Supergraph.MCS, Supergraph.GENERATIONAL])
def test_a_step_that_returns_no_pair_is_told(says, step, mode):
    sensor, agent = pair()
    sensor.does = step
    graph = Graph([sensor, agent], "agent", generate_graphs([sensor, agent], 0.5), supergraph=mode)
    with says(TypeError, "Node 'sensor': step needs to return a step state and an output, got"):
        jax.eval_shape(graph.run, jax.eval_shape(graph.init))


@pytest.mark.parametrize("wanted", [["agent"], "agent", 1])
def test_a_setting_of_the_record_that_is_none_is_told(says, wanted):
    graph = alone(0.0, None)
    for field in ("params", "rng", "inputs", "state", "output"):
        with says(TypeError, f"Graph.init_record: {field} needs a bool, or a bool by the node's"):
            graph.init_record(jax.eval_shape(graph.init), **{field: wanted})


@pytest.mark.parametrize("raw", [None, 3, "abc", [{}], np.zeros(3)])
def test_what_is_no_computation_graph_is_told(says, raw):
    with says(TypeError, "stack_graphs: needs computation graphs, got"):
        Graph(pair(), "agent", raw)


def test_a_start_is_one_number(says):
    graph = alone(0.0, None)
    for where in ("starting_step", "starting_eps"):
        with says(ValueError, f"Graph.init: {where} needs one number, got shape (3,); jax.vmap"):
            graph.init(**{where: jnp.arange(3)})


def test_times_long_before_the_beginning_do_not_fit_either(says):
    long_ago = -5_000_000_000
    raw = ComputationGraph(
        {"sensor": Vertex([0], [long_ago], [long_ago]), "agent": Vertex([0], [5], [5])},
        {("agent", "sensor"): Edge([0], [0], [1])},
    )
    with says(ValueError, "but times fit up to 2,147 s; cut the episodes into shorter ones."):
        Graph(pair(), "agent", raw)
