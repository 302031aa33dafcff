"""The pendulum of `control-async-es`, against a loop in NumPy that goes through time by itself."""

import equinox as eqx
import jax
import numpy as np
import pytest

from bionet import zoo
from bionet.graph import Graph
from bionet.training import Evolution, Objective
from bionet.workloads.pendulum_async import Episodes, bounded_cost, circuit, compiled

START = np.array([2.5, -0.7], np.float32)
EPISODE = 5  # the second one of the test schedules


@pytest.fixture(scope="module")
def recipe():
    return zoo.get("control-async-es").replace(
        seconds=1.0, judged=0.6, schedules=2, population=4, starts=4, batch_size=2
    )


@pytest.fixture(scope="module")
def policy(recipe):
    return recipe.build(jax.random.key(3))


@pytest.fixture(scope="module")
def rolled(recipe, policy):
    """The last graph state of an episode, with a record of all messages."""
    graph = compiled(recipe.network_config)
    begun = graph.init(params={**policy, "actuator": START}, starting_eps=EPISODE)
    return jax.jit(graph.rollout)(graph.init_record(begun, inputs=True, output=True))


def simulate(policy, graph, judged_from):
    """All that each node sends, and what is judged, in float64 and in the order of time."""
    W = {name: np.asarray(cell.W, np.float64) for name, cell in policy.items()}
    world, judged = START.astype(np.float64), []
    before = {"sensor": np.zeros(4), "hidden": np.zeros(8), "agent": np.zeros(1), "actuator": world}
    sent = {name: [] for name in before}

    def heard(receiver, sender, now, window=1, side="right"):
        come = np.searchsorted(graph.edges[receiver, sender].ts_recv, now, side)
        return np.concatenate(([before[sender]] * window + sent[sender][:come])[-window:])

    due = [(start, name) for name, vertex in graph.vertices.items() for start in vertex.ts_start]
    for now, name in sorted(due):
        if name == "sensor":
            angle, spin = heard("sensor", "actuator", now)
            sines = np.array([np.sin(angle), spin / 8])
            out = np.concatenate([sines, np.cos(angle) * sines])
        elif name == "hidden":
            echo = heard("hidden", "agent", now, window=2, side="left")
            out = np.tanh(np.concatenate([echo, heard("hidden", "sensor", now, 2)]) @ W["hidden"])
        elif name == "agent":
            out = np.tanh(heard("agent", "hidden", now) @ W["agent"])
        else:
            torque = 2.0 * heard("actuator", "agent", now)[0]
            (angle, spin), folded = world, (world[0] + np.pi) % (2 * np.pi) - np.pi
            cost = folded**2 + 0.1 * spin**2 + 0.001 * torque**2
            if now >= judged_from:
                judged.append((cost / (3 + cost), abs(folded) < 0.3))
            acceleration = 3 * 10 / (2 * 1) * np.sin(angle) + 3 / (1 * 1**2) * torque
            spin = np.clip(spin + 0.02 * acceleration, -8, 8)
            out = world = np.array([angle + 0.02 * spin, spin])
        sent[name].append(out)
    return sent, judged


@pytest.mark.slow
def test_an_episode_is_that_of_a_loop_through_time(recipe, policy, rolled):
    graph = compiled(recipe.network_config).graphs_raw[EPISODE]
    sent, judged = simulate(policy, graph, judged_from=400_000)
    for name, count in {"sensor": 50, "hidden": 20, "agent": 10, "actuator": 50}.items():
        found = np.asarray(rolled.aux["record"][name].output)[:count]
        np.testing.assert_allclose(found, sent[name][:count], atol=2e-5)
    _, sums = rolled.state["actuator"]
    assert 30 <= sums[2] <= 31
    np.testing.assert_allclose(sums[:2], np.sum(judged[: int(sums[2])], axis=0), atol=1e-4)


@pytest.mark.slow
def test_the_motor_does_what_the_agent_said_a_while_ago(recipe, rolled):
    graph = compiled(recipe.network_config).graphs_raw[EPISODE]
    record = rolled.aux["record"]
    seen = jax.tree.map(lambda leaf: np.asarray(leaf)[:50, 0], record["actuator"].inputs["agent"])
    now = graph.vertices["actuator"].ts_start[:50]
    told = seen.seq >= 0
    assert 40 < told.sum() < 50  # nothing has come before the first message
    decided = graph.vertices["agent"].ts_start[seen.seq[told]]
    assert (now[told] - decided).min() > 20_000
    assert (now[told] - decided).max() > 100_000
    np.testing.assert_array_equal(now[told] >= seen.ts_recv[told], True)
    said = np.asarray(record["agent"].output)
    np.testing.assert_array_equal(seen.data[told], said[seen.seq[told]])
    assert len(np.unique(seen.data[told])) > 5


def test_only_training_goes_without_delays_in_the_ablation(recipe):
    pair = (recipe, recipe.without())
    own, ablated = (compiled(each.network_config).graphs_raw for each in pair)
    key = "actuator", "agent"
    for episode in range(6):
        agent, edge = ablated[episode].vertices["agent"], ablated[episode].edges[key]
        late = edge.ts_recv - agent.ts_start
        assert (late == 0).all() if episode < 2 else (late > 20_000).all()
    for name in own.vertices:
        np.testing.assert_array_equal(
            own.vertices[name].ts_end[2:], ablated.vertices[name].ts_end[2:]
        )


def test_schedules_and_starts_are_not_shared_between_the_parts(recipe):
    parts = recipe.splits(0)
    for pool, part in enumerate((parts.train, parts.validation, parts.test)):
        assert set(part.x[:, 2]) == {2 * pool, 2 * pool + 1}
    assert (
        len(np.unique(np.concatenate([parts.train.x, parts.validation.x, parts.test.x])[:, 0]))
        == 504
    )
    ends = compiled(recipe.network_config).graphs_raw.vertices["agent"].ts_end
    assert len(np.unique(ends, axis=0)) == 6


def test_the_default_circuit_takes_14_slots():
    config = zoo.get("control-async-es").network_config
    graph = Graph(circuit(config, True), "agent", compiled(config).graphs_raw, progress_bar=False)
    assert len(graph.S) <= 14


@pytest.mark.slow
def test_a_second_generation_is_not_traced_again(recipe):
    traced = []

    def loss(outputs, y):
        traced.append(outputs.shape)
        return bounded_cost(outputs, y)

    method = Evolution(
        Objective(Episodes(recipe.network_config), loss), "SNES", population=4, sigma=0.5
    )
    step = eqx.filter_jit(method.step)
    state = method.init(recipe.build(), jax.random.key(0))
    losses = []
    for seed in range(3):
        batch = recipe.synthetic_batch(jax.random.key(seed), 2)
        state, metrics = step(state, batch, jax.random.key(seed))
        losses.append(float(metrics["training_loss"]))
    assert traced == [(2, 2)]
    assert len(set(losses)) == 3


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"judged": 7.0}, "pendulum-async: judged needs to be above 0 and at most 6.0 seconds"),
        ({"judged": 0.0}, "pendulum-async: judged needs to be above 0"),
        ({"delay": 2.0}, "pendulum-async: delay needs 0 to 0.1 s, as the agent ticks at 10 Hz"),
        ({"delay": -0.1}, "pendulum-async: delay needs 0 to 0.1 s"),
    ],
)
def test_numbers_that_leave_nothing_to_judge_are_told(says, fields, sentence):
    with says(ValueError, sentence):
        zoo.get("control-async-es").replace(**fields)
