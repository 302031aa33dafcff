"""The shared parts of workloads on motifs of spikes: the network, and spikes without a data set.

A recurrent network of leaky integrate-and-fire units, written in dm-haiku, reads spikes step by
step. A linear readout hears the low-passed spikes of its units, averaged over time. The derivative
of a spike is a surrogate (arctan: Fang et al., 2021 [fang2021incorporating]; Neftci, Mostafa and
Zenke, 2019 [neftci2019surrogate]).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.interop.haiku import HaikuModel, from_haiku, predict
from bionet.modules.through_time.surrogates import Surrogate
from bionet.training.control.control import Control
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.local.readout import accuracy, readout_cross_entropy
from bionet.training.objective import Objective

OBJECTIVE: Final = Objective(predict, readout_cross_entropy)


@dataclass(frozen=True)
class Units:
    """Numbers of the network."""

    channels: int  # of the input
    steps: int  # time steps of a sample
    classes: int  # scores
    hidden: int  # spiking units
    leak: float  # share of its voltage that a unit keeps per step
    recurrent: bool  # whether the units hear each other
    slope: float  # of the surrogate derivative
    input_strength: float  # of the weights from the input at the start


def spiking(units: Units, x: Float[Array, "n time channels"]) -> Float[Array, "n hidden"]:
    """The low-passed spikes of the hidden units, averaged over time; to be transformed."""
    import haiku as hk

    # Plain parameters instead of hk.Linear: one product for all time steps.
    scale = hk.initializers.RandomNormal(units.input_strength / np.sqrt(units.channels))
    into = hk.get_parameter("into", (units.channels, units.hidden), init=scale)
    scale = hk.initializers.RandomNormal(0.5 / np.sqrt(units.hidden))
    among = jnp.zeros((units.hidden, units.hidden))
    if units.recurrent:
        among = hk.get_parameter("among", (units.hidden, units.hidden), init=scale)
    spike = Surrogate("arctan", units.slope)

    def step(carry: tuple[Any, ...], current: Array) -> tuple[tuple[Any, ...], None]:
        voltage, spikes, trace, total = carry
        held = units.leak * voltage - jax.lax.stop_gradient(spikes)
        voltage = held + current + spikes @ among
        spikes = spike(voltage - 1.0)
        trace = units.leak * trace + (1 - units.leak) * spikes
        return (voltage, spikes, trace, total + trace), None

    zeros = (jnp.zeros((len(x), units.hidden)),) * 4
    currents = jnp.swapaxes(x, 0, 1) @ into
    (_, _, _, total), _ = jax.lax.scan(step, zeros, currents)
    return total / units.steps


def scores(units: Units, x: Float[Array, "n time channels"]) -> Float[Array, "n classes"]:
    """A score per class; to be transformed."""
    import haiku as hk

    return hk.Linear(units.classes, name="readout")(10 * spiking(units, x))


@functools.lru_cache(maxsize=32)
def _transform(units: Units) -> Any:
    import haiku as hk

    return hk.transform(functools.partial(scores, units))


def build(units: Units, key: PRNGKeyArray) -> HaikuModel:
    """The untrained network."""
    x = jnp.zeros((1, units.steps, units.channels))
    return from_haiku(_transform(units), key, x)


@functools.lru_cache(maxsize=32)  # the same functions, so that they compile once
def readout(units: Units, *, without_recurrence: bool) -> LinearReadout:
    """Returns the place of the readout: it hears the averaged, low-passed spikes.

    Args:
        units: of the network.
        without_recurrence: whether the network is also looked at without recurrent weights.
    """
    import haiku as hk

    hidden = hk.without_apply_rng(hk.transform(functools.partial(spiking, units)))

    def features(model: HaikuModel, x: Array, key: PRNGKeyArray) -> Float[Array, "n hidden"]:
        return 10 * hidden.apply(model.params, x)

    def solved(model: HaikuModel, W: Array, b: Array) -> HaikuModel:
        return eqx.tree_at(lambda m: m.params["readout"], model, {"w": W, "b": b})

    def silenced(model: HaikuModel) -> HaikuModel:
        return eqx.tree_at(lambda m: m.params["~"]["among"], model, replace_fn=jnp.zeros_like)

    return LinearReadout(
        features,
        solved,
        lambda model: model.params["readout"]["w"].shape,
        silenced if without_recurrence and units.recurrent else None,
    )


def control(*, without_recurrence: bool) -> Control:
    """The frozen control of a workload whose config has `units`."""
    return Control.solved_readout(
        lambda config: readout(config.units, without_recurrence=without_recurrence)
    )


def random_spikes(
    units: Units, rate: float, missing: float, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch time channels"], Float[Array, "batch classes"]]:
    """Random spikes, the same for all samples of a class, and labels in {-1, +1}.

    Args:
        units: of the network that they are for.
        rate: of spikes per step and channel.
        missing: the share of them that do not come.
        key: what is drawn.
        batch_size: how many samples.
    """
    patterns, labels, noise = jax.random.split(key, 3)
    shape = (units.classes, units.steps, units.channels)
    spikes = jax.random.bernoulli(patterns, rate, shape).astype(float)
    label = jax.random.randint(labels, (batch_size,), 0, units.classes)
    there = jax.random.bernoulli(noise, 1 - missing, (batch_size, *shape[1:]))
    return spikes[label] * there, 2.0 * jax.nn.one_hot(label, units.classes) - 1.0


SHARED: Final[dict[str, Any]] = {
    "application": "classification",
    "architecture": "lif-rnn",
    "build": lambda config, key: build(config.units, key),
    "objective": lambda config: OBJECTIVE,
    "metric": accuracy,
}
"""What a `Workload` on such a network is made of; its config has `units`."""
