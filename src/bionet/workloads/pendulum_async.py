"""A pendulum to be swung up by a network whose parts share no clock.

The motor is too weak to lift the pendulum, so it has to be swung up, and then held (the equations
of Pendulum in OpenAI Gym: Brockman et al., 2016 [brockman2016gym], written out below). A sensor
reads it at 50 Hz, hidden units listen at 20 Hz, and an agent decides at 10 Hz what a motor at
50 Hz does. Each takes its time, and each message travels for a while; both vary. Torque thus comes
a tenth of a second and more after what it answers to, while a pendulum that stands doubles its
error in less than two tenths.

The loss is Gym's cost `angle^2 + 0.1 spin^2 + 0.001 torque^2`, as `cost / (3 + cost)`, over the
last two seconds. The metric is the share of them in which the pendulum is within 0.3 of upright.
A method has to find the way up without a slope; a law of four gains was tuned by hand.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Part, Parts
from bionet.graph import (
    TICKS_PER_SECOND,
    BaseNode,
    ClippedNormal,
    Graph,
    StepState,
    Supergraph,
    generate_graphs,
    stack_graphs,
)
from bionet.modules.through_time.cells import Synapses
from bionet.training.control.control import Control
from bionet.training.objective import Objective
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

    dataset: str = "pendulum"  # simulated, so there is no file
    hidden: int = 8  # hidden units
    window: int = 2  # messages of the sensor that they hear at once
    torque: float = 2.0  # N m, the most that the motor can do; holding it level takes 5
    delay: float = 0.03  # seconds that hidden units and agent take; a message takes half of it
    jitter: float = 0.25  # standard deviation of all delays, as a share of them
    delays_in_training: bool = True  # they are always there when tested
    schedules: int = 32  # schedules to train on, to choose on and to test on, as many of each
    seconds: float = 6.0  # length of an episode
    judged: float = 2.0  # seconds at its end that count
    starts: int = 256  # starting states to train on

    def __post_init__(self) -> None:
        if not 0 < self.judged <= self.seconds:
            raise ValueError(
                f"pendulum-async: judged needs to be above 0 and at most {self.seconds} seconds, "
                f"got {self.judged}."
            )
        if not 0 <= self.delay <= 0.1:
            raise ValueError(
                f"pendulum-async: delay needs 0 to 0.1 s, as the agent ticks at 10 Hz; got "
                f"{self.delay}."
            )


# Data: where episodes start, and on which schedule they run. The targets are empty.


def data(config: Config, seed: int) -> Parts:
    """Angle, spin, and the number of a schedule; training, validation and test share none."""
    streams = np.random.SeedSequence(seed).spawn(3)
    parts = (
        _starts(config, stream, count, pool)
        for pool, (stream, count) in enumerate(zip(streams, (config.starts, 250, 250), strict=True))
    )
    return Parts(*parts, name="pendulum")


def _starts(config: Config, stream: np.random.SeedSequence, count: int, pool: int) -> Part:
    rng = np.random.default_rng(stream)
    angle, spin = rng.uniform(-np.pi, np.pi, count), rng.uniform(-1, 1, count)
    schedule = rng.integers(config.schedules, size=count) + pool * config.schedules
    x = np.stack([angle, spin, schedule], -1).astype(np.float32)
    return Part(x, np.zeros((count, 1), np.float32))


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch 3"], Float[Array, "batch 1"]]:
    """Starting states on schedules to train on, and empty targets."""
    where, when = jax.random.split(key)
    world = jax.random.uniform(where, (batch_size, 2), minval=-1.0) * jnp.array([jnp.pi, 1.0])
    schedule = jax.random.randint(when, (batch_size, 1), 0, config.schedules)
    return jnp.concatenate([world, schedule], -1), jnp.zeros((batch_size, 1))


# The world. It stands upright at the angle 0.

FASTEST = 8.0  # radians per second
DT = 1 / 50  # seconds that a step of the motor takes


def swing(world: Float[Array, "2"], torque: Float[Array, ""]) -> Float[Array, "2"]:
    """Angle and spin one step of the motor later."""
    angle, spin = world
    turned = 15.0 * jnp.sin(angle) + 3.0 * torque  # 3 g / 2 l and 3 / m l^2; 10 m/s^2, 1 kg, 1 m
    spin = jnp.clip(spin + DT * turned, -FASTEST, FASTEST)
    return jnp.stack([angle + DT * spin, spin])


def verdict(world: Float[Array, "2"], torque: Float[Array, ""]) -> Float[Array, "3"]:
    """The bounded cost of a step, whether the pendulum is nearly upright, and a 1 to count by."""
    angle = jnp.remainder(world[0] + jnp.pi, 2 * jnp.pi) - jnp.pi
    cost = angle**2 + 0.1 * world[1] ** 2 + 0.001 * torque**2
    return jnp.stack([cost / (3 + cost), jnp.abs(angle) < 0.3, 1.0])


# Nodes: sensor -> hidden <-> agent -> actuator, which moves the pendulum, -> sensor.


@final
class Sensor(BaseNode):
    """Reads the pendulum. All that it says changes its sign in a mirror."""

    def init_output(self, rng: Any = None, graph_state: Any = None) -> Array:
        return jnp.zeros(4)

    def step(self, step_state: StepState) -> tuple[StepState, Array]:
        angle, spin = step_state.inputs["actuator"].data[-1]
        read = jnp.stack([jnp.sin(angle), spin / FASTEST])
        return step_state, jnp.concatenate([read, jnp.cos(angle) * read])


@final
class Units(BaseNode):
    """The hidden units, or the agent's only one, which hear all that their inputs say."""

    def init_output(self, rng: Any = None, graph_state: Any = None) -> Array:
        return jnp.zeros(graph_state.params[self.name].features)

    def step(self, step_state: StepState) -> tuple[StepState, Array]:
        heard = [step_state.inputs[name].data.ravel() for name in sorted(step_state.inputs)]
        current, _ = step_state.params(jnp.concatenate(heard))
        return step_state, jnp.tanh(current)


@final
class Actuator(BaseNode):
    """The motor with the pendulum on it: a step lasts for as long as it takes to move."""

    def __init__(self, config: Config) -> None:
        super().__init__("actuator", rate=1 / DT, delay=DT)
        self.config = config

    def init_state(self, rng: Any = None, graph_state: Any = None) -> tuple[Array, Array]:
        return graph_state.params[self.name], jnp.zeros(3)

    def init_output(self, rng: Any = None, graph_state: Any = None) -> Array:
        return graph_state.params[self.name]

    def step(self, step_state: StepState) -> tuple[StepState, Array]:
        world, sums = step_state.state
        torque = self.config.torque * step_state.inputs["agent"].data[-1, 0]
        counts = step_state.ts >= (self.config.seconds - self.config.judged) * TICKS_PER_SECOND
        sums += counts * verdict(world, torque)
        world = swing(world, torque)
        return step_state.replace(state=(world, sums)), world


def circuit(config: Config, delayed: bool) -> list[BaseNode]:
    """The nodes, with delays or with none."""

    def after(share: float) -> ClippedNormal:
        mean = share * config.delay * delayed
        return ClippedNormal(mean, config.jitter * mean)

    sensor, actuator = Sensor("sensor", 50, after(0.25)), Actuator(config)
    hidden, agent = Units("hidden", 20, after(1.0)), Units("agent", 10, after(1.0))
    sensor.connect(actuator)
    hidden.connect(sensor, window=config.window, delay=after(0.5))
    hidden.connect(agent, window=2, delay=after(0.5), skip=True)  # what is under way
    agent.connect(hidden, delay=after(0.5))
    actuator.connect(agent, delay=after(0.5))
    return [sensor, hidden, agent, actuator]


@functools.cache
def compiled(config: Config) -> Graph:
    """The nodes on all schedules: first those to train on, then validation, then test."""
    seconds = config.seconds + 0.2  # the agent's last step comes after all that is judged
    pools = [
        generate_graphs(circuit(config, delayed), seconds, seed, config.schedules)
        for seed, delayed in enumerate((config.delays_in_training, True, True))
    ]
    nodes, mode = circuit(config, True), Supergraph.GENERATIONAL  # compiles sooner than MCS
    return Graph(nodes, "agent", stack_graphs(pools), supergraph=mode, progress_bar=False)


# Network: the weights of the hidden units and of the agent. Without a bias, the policy does in the
# mirror what it does here, and has only one side to learn.


Policy = dict[str, Synapses]


def build(config: Config, key: PRNGKeyArray) -> Policy:
    """The untrained policy: what two of the nodes learn."""
    into, out = jax.random.split(key)
    return {
        "hidden": Synapses(2 + 4 * config.window, config.hidden, into, strength=2.0, bias=False),
        "agent": Synapses(config.hidden, 1, out, bias=False),
    }


@final
class Episodes(eqx.Module):
    """Runs an episode from each start on its schedule; gives its loss and its share upright."""

    config: Config = eqx.field(static=True)

    def __call__(
        self, model: Policy, x: Float[Array, "n 3"], key: PRNGKeyArray
    ) -> Float[Array, "n 2"]:
        graph = compiled(self.config)

        def episode(start: Float[Array, "3"]) -> Float[Array, "2"]:
            params = {**model, "actuator": start[:2]}
            begun = graph.init(params=params, starting_eps=start[2].astype(jnp.int32))
            _, sums = graph.rollout(begun).state["actuator"]
            return sums[:2] / sums[2]

        return jax.vmap(episode)(x)


def by_hand(config: Config, pump: float, angle: float, spin: float, sent: float) -> Policy:
    """One law: along with the spin where it hangs, against angle and spin where it stands.

    Less by what the motor has been told lately, which has not shown yet.
    """
    blank = jax.tree.map(jnp.zeros_like, build(config, jax.random.key(0)))
    read = np.array([-angle, FASTEST * (pump - spin), -angle, -FASTEST * (pump + spin)]) / 2
    law = np.concatenate([[-sent] * 2, np.zeros(4 * (config.window - 1)), read])
    weights = blank["hidden"].W.at[:, 0].set(law), blank["agent"].W.at[0].set(3.0)
    return eqx.tree_at(lambda policy: (policy["hidden"].W, policy["agent"].W), blank, weights)


def baselines(config: Config, parts: Parts) -> dict[str, float]:
    """Policies that nobody trained; the gains were tuned on validation episodes."""
    laws = {
        "no torque": (0.0, 0.0, 0.0, 0.0),
        "law tuned by hand": (0.7, 3.0, 0.8, 0.2),
        "the same, deaf to the agent": (0.7, 3.0, 0.8, 0.0),
    }
    answer = eqx.filter_jit(Episodes(config))

    def share(law: tuple[float, ...]) -> float:
        policy, x = by_hand(config, *law), jnp.asarray(parts.test.x)
        return float(upright(answer(policy, x, jax.random.key(0)), x))

    return {name: share(law) for name, law in laws.items()}


# Loss and metric.


def bounded_cost(outputs: Float[Array, "n 2"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The mean loss of an episode."""
    return outputs[:, 0].mean()


def upright(outputs: Float[Array, "n 2"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The share of the judged time in which the pendulum is nearly upright."""
    return outputs[:, 1].mean()


WORKLOAD = Workload(
    id="pendulum-async",
    application="control",
    architecture="async-mlp",
    datasets=("pendulum",),
    config=Config(),
    data=data,
    build=build,
    objective=lambda config: Objective(Episodes(config), bounded_cost),
    metric=upright,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.starts,
    control=Control.trained_readout(lambda policy: policy["agent"]),
    metric_name="upright",
)
