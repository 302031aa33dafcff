"""A pole on a cart, to be balanced by a spiking policy.

A cart is pushed left or right so that the pole on it stays up (Barto, Sutton and Anderson, 1983
[barto1983neuronlike], with the equations and limits written out below). The policy is a
small network of leaky integrate-and-fire units. The loss is the share of the 500 steps that were
not balanced; the metric is the share of episodes in which all were.

A method has to go by how long episodes last. A linear controller tuned by hand balances all of
them; pushing at random, or always to the side to which the pole leans, does not.
"""

from __future__ import annotations

from collections.abc import Callable
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

    dataset: str = "cart-pole"  # simulated, so there is no file
    hidden: int = 8  # spiking units
    leak: float = 0.8  # share of its voltage that a unit keeps per step
    steps: int = 500  # length of an episode
    spread: float = 0.05  # states start within this of upright and at rest
    starts: int = 128  # starting states to train on


# Data: where episodes start. There is nothing to be right about, so the targets are empty.


def data(config: Config, seed: int) -> Parts:
    """Starting states (position, velocity, angle, angular velocity), new for each part."""
    streams = np.random.SeedSequence(seed).spawn(3)
    parts = (
        _starts(config, *each) for each in zip(streams, (config.starts, 100, 200), strict=True)
    )
    return Parts(*parts, name="cart-pole")


def _starts(config: Config, stream: np.random.SeedSequence, count: int) -> Part:
    rng = np.random.default_rng(stream)
    x = rng.uniform(-config.spread, config.spread, (count, 4)).astype(np.float32)
    return Part(x, np.zeros((count, 1), np.float32))


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch 4"], Float[Array, "batch 1"]]:
    """Starting states, and empty targets."""
    x = config.spread * jax.random.uniform(key, (batch_size, 4), minval=-1.0)
    return x, jnp.zeros((batch_size, 1))


# The world.

GRAVITY = 9.8
CART = 1.0  # kg
POLE = 0.1  # kg
HALF_LENGTH = 0.5  # m
FORCE = 10.0  # N
DT = 0.02  # s
LIMITS = np.array([2.4, np.inf, np.radians(12), np.inf], np.float32)
SEEN = np.array([2.4, 3.0, 0.2, 3.0], np.float32)  # what of each number the policy sees as 1


def push(world: Float[Array, "n 4"], right: Float[Array, " n"]) -> Float[Array, "n 4"]:
    """The next state when the cart is pushed to the right (True) or to the left."""
    x, v, angle, spin = world.T
    force = jnp.where(right, FORCE, -FORCE)
    sine, cosine, mass = jnp.sin(angle), jnp.cos(angle), CART + POLE
    pushed = (force + POLE * HALF_LENGTH * spin**2 * sine) / mass
    inertia = HALF_LENGTH * (4 / 3 - POLE * cosine**2 / mass)
    turned = (GRAVITY * sine - cosine * pushed) / inertia
    moved = pushed - POLE * HALF_LENGTH * turned * cosine / mass
    return jnp.stack([x + DT * v, v + DT * moved, angle + DT * spin, spin + DT * turned], -1)


def survival(
    push_right: Callable[[Any, Any], Any], start: Any, world: Float[Array, "n 4"], steps: int
) -> Float[Array, " n"]:
    """The share of the steps for which each pole stays up; `push_right(world, memory)` acts."""

    def step(carry: tuple[Any, ...], _: None) -> tuple[tuple[Any, ...], Array]:
        world, memory, up = carry
        right, memory = push_right(world, memory)
        world = push(world, right)
        up = up & (jnp.abs(world) < LIMITS).all(-1)
        return (world, memory, up), up

    up = jnp.ones(len(world), bool)
    _, lasted = jax.lax.scan(step, (world, start, up), length=steps)
    return lasted.mean(0)


def baselines(config: Config, parts: Parts) -> dict[str, float]:
    """Three rules without a network, on the test states."""

    def share(weights: tuple[float, ...]) -> float:
        rule = lambda world, memory: (world @ jnp.array(weights) > 0, memory)  # noqa: E731
        lasted = survival(rule, None, jnp.asarray(parts.test.x), config.steps)
        return float((lasted == 1).mean())

    return {
        "always to the left": share((0.0, 0.0, 0.0, 0.0)),
        "to where the pole leans": share((0.0, 0.0, 1.0, 0.0)),
        "linear controller": share((0.1, 0.3, 3.0, 1.0)),
    }


# Network: what is seen -> spiking units -> a leaky readout, whose sign is the push.


def build(config: Config, key: PRNGKeyArray) -> CellChain:
    """The untrained policy."""
    into, out = jax.random.split(key)
    return CellChain(
        Synapses(4, config.hidden, key=into, strength=4.0),
        LIF(config.hidden, config.leak, learn_leak=False),
        Synapses(config.hidden, 1, key=out),
        LeakyIntegrator(1, config.leak, learn_leak=False),
    )


@final
class Episodes(eqx.Module):
    """Runs an episode from each starting state; gives the share of its steps that it lasted."""

    config: Config = eqx.field(static=True)

    def __call__(
        self, model: CellChain, x: Float[Array, "n 4"], key: PRNGKeyArray
    ) -> Float[Array, " n"]:
        def push_right(world: Array, memory: Any) -> tuple[Array, Any]:
            out, memory = model(world / SEEN, memory)
            return out[:, 0] > 0, memory

        return survival(push_right, model.initial(len(x)), x, self.config.steps)


# Loss and metric.


def fallen(outputs: Float[Array, " n"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The share of the steps that were not balanced."""
    return 1 - outputs.mean()


def balanced(outputs: Float[Array, " n"], y: Float[Array, "n 1"]) -> Float[Array, ""]:
    """The share of episodes that lasted to the end."""
    return (outputs == 1).mean()


WORKLOAD = Workload(
    id="cart-pole",
    application="control",
    architecture="lif-mlp",
    datasets=("cart-pole",),
    config=Config(),
    data=data,
    build=build,
    objective=lambda config: Objective(Episodes(config), fallen),
    metric=balanced,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.starts,
    control=Control.trained_readout(lambda policy: policy.cells[2:]),
    metric_name="balanced",
)
