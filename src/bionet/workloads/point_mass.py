"""A point mass on a line, to be brought to rest by a spiking policy.

A mass is pushed by a small network of leaky integrate-and-fire units, which sees its position and
its velocity. The loss is the mean cost of an episode, per step: `x^2 + 0.1 force^2`. The metric is
the share of episodes that end at rest, within 0.1 of the goal and slower than 0.2.

A method has to go without a slope, through spikes and a long loop through the world. A controller
tuned by hand pushes back in proportion to position and velocity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Part, Parts
from bionet.modules.through_time.cells import CellChain, Synapses
from bionet.modules.through_time.spiking import LIF, LeakyIntegrator
from bionet.training.control.control import Control
from bionet.training.objective import Objective
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

    dataset: str = "point-mass"  # simulated, so there is no file
    hidden: int = 4  # spiking units
    leak: float = 0.8  # share of its voltage that a unit keeps per step
    steps: int = 60  # length of an episode
    dt: float = 0.1  # seconds per step
    starts: int = 512  # starting states to train on


# Data: where episodes start. There is nothing to be right about, so the targets are empty.


def data(config: Config, seed: int) -> Parts:
    """Starting states, position and velocity from -1 to 1, drawn anew for each part."""
    streams = np.random.SeedSequence(seed).spawn(3)
    sizes = (config.starts, 500, 1000)
    return Parts(*map(_starts, streams, sizes), name="point-mass")


def _starts(stream: np.random.SeedSequence, count: int) -> Part:
    x = np.random.default_rng(stream).uniform(-1, 1, (count, 2)).astype(np.float32)
    return Part(x, np.zeros((count, 1), np.float32))


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch 2"], Float[Array, "batch 1"]]:
    """Starting states, and empty targets."""
    return jax.random.uniform(key, (batch_size, 2), minval=-1.0), jnp.zeros((batch_size, 1))


# The world.


def push(
    config: Config, world: Float[Array, "n 2"], force: Float[Array, " n"]
) -> tuple[Float[Array, "n 2"], Float[Array, " n"]]:
    """The next state under a force, held within 2, and the cost of the step."""
    force = jnp.clip(force, -2.0, 2.0)
    velocity = world[:, 1] + config.dt * force
    position = world[:, 0] + config.dt * velocity
    return jnp.stack([position, velocity], -1), position**2 + 0.1 * force**2


def outcome(world: Float[Array, "n 2"], cost: Float[Array, " n"]) -> Float[Array, "n 2"]:
    """Cost per step, and whether the episode ended at rest."""
    at_rest = (jnp.abs(world[:, 0]) < 0.1) & (jnp.abs(world[:, 1]) < 0.2)
    return jnp.stack([cost, at_rest], -1)


def baselines(config: Config, parts: Parts) -> dict[str, float]:
    """Doing nothing, and a controller tuned by hand, on the test states."""

    def share(control: tuple[float, float]) -> float:
        world = jnp.asarray(parts.test.x)
        for _ in range(config.steps):
            world, _ = push(config, world, -world @ jnp.asarray(control))
        return float(outcome(world, jnp.zeros(len(world)))[:, 1].mean())

    return {"doing nothing": share((0.0, 0.0)), "PD controller": share((1.5, 2.2))}


# Network: what is seen -> spiking units -> a leaky readout, the force.


def build(config: Config, key: PRNGKeyArray) -> CellChain:
    """The untrained policy."""
    into, out = jax.random.split(key)
    return CellChain(
        Synapses(2, config.hidden, key=into, strength=2.0),
        LIF(config.hidden, config.leak, learn_leak=False),
        Synapses(config.hidden, 1, key=out),
        LeakyIntegrator(1, config.leak),
    )


@final
class Episodes(eqx.Module):
    """Runs an episode from each starting state; gives its cost per step and how it ended."""

    config: Config = eqx.field(static=True)

    def __call__(
        self, model: CellChain, x: Float[Array, "n 2"], key: PRNGKeyArray
    ) -> Float[Array, "n 2"]:
        def step(carry: tuple[Any, ...], _: None) -> tuple[Any, Any]:
            world, memory = carry
            force, memory = model(world, memory)
            world, cost = push(self.config, world, force[:, 0])
            return (world, memory), cost

        start = (x, model.initial(len(x)))
        (world, _), costs = jax.lax.scan(step, start, length=self.config.steps)
        return outcome(world, costs.mean(0))


# Loss and metric.


def mean_cost(outputs: Float[Array, "n 2"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The mean cost of an episode, per step."""
    return outputs[:, 0].mean()


def at_rest(outputs: Float[Array, "n 2"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The share of episodes that end at rest."""
    return outputs[:, 1].mean()


WORKLOAD = Workload(
    id="point-mass",
    application="control",
    architecture="lif-mlp",
    datasets=("point-mass",),
    config=Config(),
    data=data,
    build=build,
    objective=lambda config: Objective(Episodes(config), mean_cost),
    metric=at_rest,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.starts,
    control=Control.trained_readout(lambda policy: policy.cells[2:]),
    metric_name="at rest",
)
