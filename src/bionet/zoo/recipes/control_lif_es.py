"""Can evolution train a spiking policy to bring a point mass to rest?

A mass on a line is pushed by a small network of leaky integrate-and-fire units, which sees its
position and its velocity. Spikes have no slope and the loop through the world is long, so the
policy is trained by an evolution strategy (Open_ES: Salimans et al., 2017, arXiv:1703.03864) on the
cost of whole episodes. All members of a generation start from the same states.

What to expect: the policy ends far below the cost of doing nothing and of its frozen control,
whose spiking layer stays at its random start while the same method trains its readout, and near a
hand-tuned controller that pushes back in proportion to position and velocity.

The loss is the mean cost of an episode, per step: `x^2 + 0.1 force^2`. The metric is the share
of episodes that end at rest, within 0.1 of the goal and slower than 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Part, Parts
from bionet.modules.cells import CellChain, Synapses
from bionet.modules.spiking import LIF, LeakyIntegrator
from bionet.training.evolution import Evolution
from bionet.training.objective import Objective
from bionet.zoo.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe."""

    dataset: str = "point-mass"  # simulated, so there is no file
    hidden: int = 4  # spiking units
    leak: float = 0.8  # share of its voltage that a unit keeps per step
    steps: int = 60  # length of an episode
    dt: float = 0.1  # seconds per step
    starts: int = 512  # starting states to train on
    population: int = 64  # policies that are judged in each generation
    sigma: float = 0.1  # standard deviation of the noise in each weight
    learning_rate: float = 0.05  # of Adam at the start; it falls to zero along a cosine
    batch_size: int = 32  # episodes that all policies of a generation are judged on
    epochs: int = 20  # passes over the starting states


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


# Model: what is seen -> spiking units -> a leaky readout, the force.


def network(config: Config, key: PRNGKeyArray) -> CellChain:
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
        def step(carry: tuple, _: None) -> tuple:
            world, memory = carry
            force, memory = model(world, memory)
            world, cost = push(self.config, world, force[:, 0])
            return (world, memory), cost

        start = (x, model.initial(len(x)))
        (world, _), costs = jax.lax.scan(step, start, length=self.config.steps)
        return outcome(world, costs.mean(0))


# Objective and method.


def mean_cost(outputs: Float[Array, "n 2"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The mean cost of an episode, per step."""
    return outputs[:, 0].mean()


def at_rest(outputs: Float[Array, "n 2"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The share of episodes that end at rest."""
    return outputs[:, 1].mean()


def trainer(config: Config) -> Evolution:
    """Open_ES with Adam."""
    steps = config.epochs * (config.starts // config.batch_size)
    rate = optax.cosine_decay_schedule(config.learning_rate, max(steps, 1))
    return Evolution(
        Objective(Episodes(config), mean_cost),
        "Open_ES",
        population=config.population,
        sigma=config.sigma,
        optimizer=optax.adam(rate),
    )


RECIPE = Recipe(
    id="control-lif-es",
    defaults=Config(),
    data=data,
    network=network,
    trainer=trainer,
    predictor=Episodes,
    objective=lambda config: mean_cost,
    score=at_rest,
    synthetic=synthetic,
    baselines=baselines,
    readout=lambda policy: policy.cells[2:],
    metric="at rest",
)
