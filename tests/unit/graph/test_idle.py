"""A slot that does not run leaves no trace: neither in a gradient nor by a side effect."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import (
    SHARED,
    BaseNode,
    Graph,
    InputState,
    Supergraph,
    TrainableDelay,
    Uniform,
    generate_graphs,
)
from bionet.graph.run.scheduled import fill_in
from bionet.graph.schedule.timings import SlotTimings

MODES = pytest.mark.parametrize("mode", list(Supergraph))


class Scalar(BaseNode):
    """Sends one number, and begins with zeros."""

    def init_state(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def step(self, step_state):
        return step_state, jnp.sin(step_state.ts / 1e5)


class Velocity(Scalar):
    """How fast the eye's number changes, times a weight: 0 / 0 on a window that is blank."""

    def init_params(self, rng=None, graph_state=None):
        return {"w": jnp.float32(0.3)}

    def weight(self, step_state):
        return step_state.params["w"]

    def step(self, step_state):
        seen = step_state.inputs["eye"]
        seconds = (seen.ts_sent[1] - seen.ts_sent[0]) / 1e6
        return step_state, self.weight(step_state) * (seen.data[1] - seen.data[0]) / seconds


class Hand(Scalar):
    """Follows the square of what it hears."""

    def step(self, step_state):
        heard = sum(seen.data[-1] ** 2 for seen in step_state.inputs.values())
        state = 0.5 * step_state.state + heard
        return step_state.replace(state=state), state


def reaching(kind=Velocity):
    eye, vel, hand = Scalar("eye", 40), kind("vel", 30, phase=0.1), Hand("hand", 20, phase=0.2)
    vel.connect(eye, window=2, delay=0.001)
    hand.connect(vel, delay=0.001)
    return [eye, vel, hand]


def by_hand(w, steps=10):
    """The hand's state and its derivative, by a loop over ticks of a microsecond."""
    state = slope = 0.0
    for n in range(steps):
        now = 200_000 + 50_000 * n
        started = [100_000 + k * 1_000_000 // 30 for k in range(60)]
        vel = max(at for at in started if at + 1000 <= now)
        newest = (vel - 1000) // 25_000
        one, other = (np.sin(0.25 * at) for at in (newest - 1, newest))
        speed = (other - one) / 0.025
        state, slope = 0.5 * state + (w * speed) ** 2, 0.5 * slope + 2 * w * speed**2
    return state, slope


def end(graph, w, steps=10, **start):
    state = graph.init(params={"vel": {"w": w}}, **start)
    return graph.rollout(state, steps).state["hand"]


@MODES
def test_a_gradient_is_that_of_a_loop_by_hand(mode):
    # Without the gate it is NaN: 0 times the derivative of 0 / 0 on an idle slot's blank window.
    nodes = reaching()
    graph = Graph(nodes, "hand", generate_graphs(nodes, 1.0), supergraph=mode)
    many = np.float32([0.3, 0.6])
    found = jax.jit(jax.vmap(jax.value_and_grad(partial(end, graph))))(many)
    expected = np.transpose([by_hand(w) for w in (0.3, 0.6)])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.slow
def test_a_gradient_goes_by_environment_steps_too_and_stops_at_the_end():
    nodes = reaching()
    graph = Graph(nodes, "hand", generate_graphs(nodes, 0.75))
    assert graph.max_steps == 10

    def stepped(w):
        state, _ = graph.reset(graph.init(params={"vel": {"w": w}}))
        state, _ = jax.lax.scan(lambda s, _: (graph.step(s)[0], None), state, length=13)
        return state.state["hand"]

    found = jax.jit(jax.value_and_grad(stepped))(np.float32(0.3))
    np.testing.assert_allclose(found, by_hand(0.3), rtol=1e-4)


class ClosedOver(Velocity):
    """Has its weight from outside of the graph."""

    outside = None

    def weight(self, step_state):
        return type(self).outside


def test_nothing_flows_back_into_what_a_step_closes_over():
    nodes = reaching(ClosedOver)
    graph = Graph(nodes, "hand", generate_graphs(nodes, 1.0))

    def loss(w):
        ClosedOver.outside = w
        return graph.rollout(graph.init(), 10).state["hand"]

    try:
        found = jax.jit(jax.value_and_grad(loss))(np.float32(0.3))
    finally:
        ClosedOver.outside = None
    np.testing.assert_allclose(found, by_hand(0.3), rtol=1e-4)


class Late(Velocity):
    """Begins late, and has an infinite derivative at what there is before the first message."""

    def step(self, step_state):
        seen = step_state.inputs["eye"].data[0] + 1.0
        since = (step_state.ts - step_state.state) / 1e6
        sent = jnp.sqrt(step_state.params["w"] * seen) * jnp.sqrt(since) + 1 / since
        return step_state.replace(state=step_state.ts.astype(float)), sent


class Low(Scalar):
    """Sends -1 before its first step, and more from then on."""

    def init_output(self, rng=None, graph_state=None):
        return -jnp.ones(())


@pytest.mark.parametrize(
    "mode", [pytest.param(Supergraph.MCS, marks=pytest.mark.slow), Supergraph.GENERATIONAL]
)
def test_members_on_episodes_of_their_own_that_share_a_weight(mode):
    # Who does not run has singular inputs here, and the weight has one gradient for all members.
    eye, vel = Low("eye", 50, phase=0.11), Late("vel", 7, delay=Uniform(0, 0.02), phase=0.3)
    hand = Hand("hand", 20, phase=0.05)
    vel.connect(eye, delay=Uniform(0.0, 0.03))
    hand.connect(vel, delay=Uniform(0.0, 0.1))
    nodes = [eye, vel, hand]
    episodes = generate_graphs(nodes, 0.9, num_episodes=3)
    graph = Graph(nodes, "hand", episodes, supergraph=mode)
    alone = jax.jit(jax.grad(lambda w, eps: end(graph, w, 14, starting_eps=eps)))
    slopes = [alone(np.float32(0.3), eps) for eps in range(3)]

    def loss(w):
        return jax.vmap(lambda eps: end(graph, w, 14, starting_eps=eps))(jnp.arange(3)).sum()

    found = jax.jit(jax.grad(loss))(np.float32(0.3))
    assert np.isfinite(slopes).all()
    assert np.min(np.abs(slopes)) > 1e-2
    np.testing.assert_allclose(found, np.sum(slopes), rtol=1e-4)
    if mode is Supergraph.MCS:
        low, high = jax.jit(jax.vmap(loss))(np.float32([0.29, 0.31]))
        np.testing.assert_allclose(found, (high - low) / 0.02, rtol=2e-2)


class Weighed(Scalar):
    """Multiplies a vector by a matrix, which must not be copied for each member of a batch."""

    def init_params(self, rng=None, graph_state=None):
        return {"W": jnp.eye(3)}

    def init_output(self, rng=None, graph_state=None):
        return jnp.ones(3)

    def step(self, step_state):
        seen = sum((seen.data[-1] for seen in step_state.inputs.values()), start=jnp.ones(3))
        return step_state, seen @ step_state.params["W"]


def products(jaxpr):
    """The shapes of all that is multiplied, in the program and the ones inside of it."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            yield eqn.invars[1].aval.shape
        for inner in jax.tree.leaves(
            list(eqn.params.values()), is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")
        ):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                yield from products(getattr(inner, "jaxpr", inner))


def test_a_shared_weight_stays_one_where_nothing_is_differentiated():
    fast, slow = Weighed("fast", 50), Weighed("slow", 20)
    slow.connect(fast, delay=Uniform(0.0, 0.03))
    graph = Graph([fast, slow], "slow", generate_graphs([fast, slow], 0.5, num_episodes=2))

    def rollouts(params):
        run = jax.vmap(lambda eps: graph.rollout(graph.init(params=params, starting_eps=eps)))
        return run(jnp.arange(2)).buffer

    found = set(
        products(
            jax.make_jaxpr(rollouts)({"fast": {"W": jnp.eye(3)}, "slow": {"W": jnp.eye(3)}}).jaxpr
        )
    )
    assert found == {(3, 3)}


class Told(Scalar):
    """Tells the number of each of its steps."""

    told: list = []  # noqa: RUF012

    def step(self, step_state):
        jax.debug.callback(lambda seq: Told.told.append(int(seq)), step_state.seq)
        return step_state, 1.0 * step_state.seq


class Always(Told):
    effects = False


def telling(kind=Told, mode=Supergraph.MCS, num_episodes=1):
    eye, hand = kind("eye", 50, delay=Uniform(0.0, 0.01)), Hand("hand", 20)
    hand.connect(eye, delay=0.001)
    episodes = generate_graphs([eye, hand], 0.24, num_episodes=num_episodes)
    graph = Graph([eye, hand], "hand", episodes, supergraph=mode)
    assert graph.max_steps == 4
    assert not graph.timings.nodes["eye"].run[0, :4].all()
    return graph


def tell(program, *args):
    Told.told.clear()
    jax.block_until_ready(program(*args))
    jax.effects_barrier()
    return sorted(Told.told)


@MODES
def test_an_effect_takes_place_once_for_each_step(mode):
    graph = telling(mode=mode)
    count = int(graph.timings.nodes["eye"].run[0, :4].sum())
    expected = list(range(count))
    assert tell(jax.jit(lambda: graph.rollout(graph.init(), 9))) == expected  # past the end

    def loss(w):
        state = graph.init(params={"eye": {"w": w}})
        return graph.rollout(state).state["hand"]

    assert tell(jax.jit(jax.grad(loss)), 1.0) == expected
    if mode is Supergraph.MCS:  # the other modes are loops, which are always compiled

        def eagerly():
            state = graph.init()
            for _ in range(5):
                state = graph.run(state)
            return state

        assert tell(eagerly) == expected


def test_the_supervisors_effects_are_its_steps_alone():
    boss = Told("boss", 20)
    graph = Graph([boss], boss, generate_graphs([boss], 0.3))
    assert tell(jax.jit(lambda: graph.rollout(graph.init(), 9))) == [0, 1, 2, 3, 4]
    state, seen = jax.jit(lambda: graph.reset(graph.init()))()
    assert tell(jax.jit(graph.step), state, seen, np.float32(0)) == []


@pytest.mark.slow
def test_a_batch_has_effects_at_one_step_of_one_episode_only(says):
    graph = telling(num_episodes=2)
    keys = jax.random.split(jax.random.key(0), 3)

    def rollouts(keys):
        shared = jax.vmap(graph.init, out_axes=SHARED)(keys)
        return jax.vmap(graph.rollout, in_axes=(SHARED,), out_axes=SHARED)(shared)

    count = int(graph.timings.nodes["eye"].run[0, :4].sum())
    assert tell(jax.jit(rollouts), keys) == list(range(count))
    with says(ValueError, "Node 'eye': step has an effect, such as a callback, and under vmap the"):
        jax.eval_shape(
            jax.vmap(lambda eps: graph.rollout(graph.init(starting_eps=eps))), np.arange(2)
        )


def test_who_does_not_mind_a_call_too_many_says_so():
    graph = telling(Always, num_episodes=2)
    own = jax.vmap(lambda eps: graph.rollout(graph.init(starting_eps=eps)))
    told = tell(jax.jit(own), np.arange(2))
    assert len(told) > int(graph.timings.nodes["eye"].run[:, :4].sum())
    assert min(told) == 0  # what it is shown there are the numbers of a real step


class Together(Scalar):
    """Sums over the members of a batch, which JAX counts among the effects."""

    def step(self, step_state):
        return step_state, jax.lax.psum(1.0 * step_state.seq, "batch")


def test_a_sum_over_a_named_axis_is_no_effect():
    graph = telling(Together, num_episodes=2)

    def rollout(eps):
        return graph.rollout(graph.init(starting_eps=eps)).step

    batch = jax.vmap(rollout, axis_name="batch")
    assert jax.eval_shape(batch, jnp.arange(2)).shape == (2,)


def test_idle_slots_have_the_numbers_of_the_next_step_or_else_of_the_last():
    run = np.array([[[0, 1], [0, 0], [1, 0], [0, 0]], [[0, 0], [0, 0], [0, 0], [0, 0]]], bool)
    seq = np.where(run, np.cumsum(run.reshape(2, -1), 1).reshape(run.shape) - 1, -1)
    found = fill_in(SlotTimings(run, seq, 10 * seq, 10 * seq + 5, {"eye": seq[..., None]}))
    expected = [[0, 0], [1, 1], [1, 1], [1, 1]]
    assert found.run is run
    # An episode in which the node takes no step has those of one in which it does.
    assert found.seq.tolist() == [expected, expected]
    assert found.ts_end[0].tolist() == [[5, 5], [15, 15], [15, 15], [15, 15]]
    assert found.windows["eye"][0, ..., 0].tolist() == expected


@MODES
def test_a_supervisor_that_hears_nobody_runs_the_others_with_prune_false(mode):
    eye, lamp, boss = Scalar("eye", 50), Hand("lamp", 30), Scalar("boss", 10)
    lamp.connect(eye)
    episodes = generate_graphs([eye, lamp, boss], 0.55)
    graph = Graph([eye, lamp, boss], "boss", episodes, prune=False, supergraph=mode)

    def roll():
        return graph.rollout(graph.init_record(graph.init(), output=True)).aux["record"]

    record = jax.device_get(jax.jit(roll)())
    sent = np.sin(0.2 * np.arange(21))
    np.testing.assert_allclose(record["eye"].output[:21], sent, atol=1e-6)
    followed, lamps = 0.0, []
    for tick in range(13):
        followed = 0.5 * followed + sent[tick * 1_000_000 // 30 // 20_000] ** 2
        lamps.append(followed)
    np.testing.assert_allclose(record["lamp"].output[:13], lamps, atol=1e-6)


def test_a_trained_delay_sees_nothing_of_an_end_that_it_is_not_between():
    # 0 times infinity is NaN: before the first message there may be no number at all.
    seen = InputState(
        seq=jnp.array([-1, 0, 1]),
        ts_sent=jnp.array([0, 10_000, 20_000]),
        ts_recv=jnp.array([0, 10_000, 20_000]),
        data=jnp.array([-jnp.inf, 1.0, 3.0]),
    )
    read = jax.jit(jax.value_and_grad(lambda delay: delay(seen, np.int32(20_000))))
    value, slope = read(TrainableDelay(0.0, 0.1, seconds=0.05))
    assert (value, slope.seconds) == (-np.inf, 0)
    value, _ = read(TrainableDelay(0.0, 0.1, seconds=0.005))
    assert value == pytest.approx(2.0)
