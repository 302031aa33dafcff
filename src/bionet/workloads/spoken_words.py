"""Spoken words on recurrent spiking units: nothing but the order of syllables tells them apart.

One layer of leaky integrate-and-fire units with adaptive thresholds and recurrent weights (Bellec
et al., 2018 [bellec2018long]) hears a word as spikes; a readout hears how often each unit spikes.
The data sets are ten words made of the same four syllables (drawn, the default), and spoken digits
from files: `fsdd` in its official split, and `fsdd-held-out-speaker`, where the test is a speaker
who is in no other part. The loss is the mean softmax cross-entropy of the readout.

A method has to shape dynamics that hold what was heard: counts of spikes are at chance. Rules that
read when each spike comes are far from chance, ridge on the spikes the strongest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Splits, nearest_class_mean
from bionet.datasets.floors import nearest_neighbour, ridge_on_inputs
from bionet.datasets.speech import fsdd, spike_counts, synthetic_digits
from bionet.modules.through_time.cells import CellChain, Synapses
from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.recurrent_spiking import RecurrentSpiking
from bionet.modules.through_time.spiking import AdaptiveLIF
from bionet.modules.through_time.surrogates import Surrogate
from bionet.training.control.control import Control
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.local.readout import accuracy, readout_cross_entropy
from bionet.training.objective import Objective
from bionet.workloads.workload import Workload

CLASSES = 10
SHAPES = {"synthetic-digits": (60, 24), "fsdd-held-out-speaker": (60, 96), "fsdd": (60, 96)}
SAMPLES = {"fsdd-held-out-speaker": 2250, "fsdd": 2400}


@dataclass(frozen=True)
class Config:
    """Numbers of data and network; the defaults are for the drawn words."""

    dataset: str = "synthetic-digits"  # drawn; or fsdd-held-out-speaker, fsdd, from files
    held_out: str = "george"  # the speaker whom the test of fsdd-held-out-speaker is of
    samples: int = 2000  # drawn words to train on
    warps: tuple[float, ...] = (1.0,)  # factors on the bands of copies of recorded training digits
    hidden: int = 64  # spiking units
    recurrent: bool = True  # False leaves the recurrent weights out
    leak: float = 0.9  # share of its voltage that a unit keeps per step, at the start
    memory: float = 0.97  # share of its raised threshold that a unit keeps per step, likewise
    strength: float = 1.0  # how far the threshold rises
    input_strength: float = 2.0  # of the weights from the input, at the start
    recurrent_strength: float = 0.5  # of the weights between units, at the start
    slope: float = 10.0  # of the surrogate; the larger, the narrower


RECORDED = {"warps": (1.0, 0.86, 0.93, 1.08, 1.16), "hidden": 128}


# Data: spikes of shape (steps, channels).


def data(config: Config, seed: int) -> Splits:
    """Drawn words, or recordings, whose split is the same for all seeds."""
    if config.dataset == "synthetic-digits":
        return synthetic_digits(seed, train=config.samples)
    held_out = None if config.dataset == "fsdd" else config.held_out
    return fsdd(held_out=held_out, warps=config.warps)


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch steps channels"], Float[Array, "batch classes"]]:
    """Spikes in channels that belong to the class, and labels in {-1, +1}."""
    labels, noise = jax.random.split(key)
    steps, channels = SHAPES[config.dataset]
    label = jax.random.randint(labels, (batch_size,), 0, CLASSES)
    own = jnp.arange(channels) % CLASSES == label[:, None]
    rates = jnp.where(own, 0.3, 0.05)[:, None]
    spikes = jax.random.bernoulli(noise, rates, (batch_size, steps, channels))
    return spikes.astype(jnp.float32), 2.0 * jax.nn.one_hot(label, CLASSES) - 1.0


def baselines(config: Config, splits: Splits) -> dict[str, float]:
    """Chance, the nearest class mean of spike counts, and rules that read the spikes themselves."""
    train, test = splits.train, splits.test
    answers = {
        "nearest class mean of spike counts": nearest_class_mean(
            spike_counts(train), spike_counts(test).x
        ),
        "nearest class mean of spikes": nearest_class_mean(train, test.x),
        "nearest neighbour of spikes": nearest_neighbour(train, test.x),
        "ridge on the spikes": ridge_on_inputs(splits),
    }
    shares = {name: float(np.mean(answer == test.y)) for name, answer in answers.items()}
    return {"chance": 1.0 / CLASSES, **shares}


# Network: spikes -> recurrent adaptive units -> mean spikes -> a score per class.


@final
class Listener(eqx.Module):
    """Spiking units that hear a sequence, and a readout of how often each of them spikes."""

    hidden: RecurrentSpiking | CellChain
    readout: Synapses

    def rates(self, x: Float[Array, "n steps channels"]) -> Float[Array, "n units"]:
        """Spikes per unit, in tenths of the number of steps."""
        spikes, _ = over_time(self.hidden, x, time_axis=1)
        return 10.0 * spikes.mean(1)


def build(config: Config, key: PRNGKeyArray) -> Listener:
    """The untrained network."""
    into, out = jax.random.split(key)
    channels, n = SHAPES[config.dataset][1], config.hidden
    units = AdaptiveLIF(
        n,
        config.leak,
        config.memory,
        strength=config.strength,
        surrogate=Surrogate("superspike", config.slope),
    )
    if config.recurrent:
        hidden = RecurrentSpiking(
            channels,
            n,
            units,
            into,
            input_strength=config.input_strength,
            recurrent_strength=config.recurrent_strength,
        )
    else:
        weights = Synapses(channels, n, into, strength=config.input_strength)
        hidden = CellChain(weights, units)
    return Listener(hidden, Synapses(n, CLASSES, out))


def predict(
    model: Listener, x: Float[Array, "n steps channels"], key: PRNGKeyArray
) -> Float[Array, "n k"]:
    """A score per class."""
    return model.readout(model.rates(x))[0]


# Loss and control.


def examples(config: Config) -> int:
    """Training samples: of recordings, one for each warp."""
    return SAMPLES.get(config.dataset, 0) * len(config.warps) or config.samples


def _features(
    model: Listener, x: Float[Array, "n steps channels"], key: PRNGKeyArray
) -> Float[Array, "n d"]:
    """The rates that the readout hears."""
    return model.rates(x)


def _solve(model: Listener, W: Float[Array, "d k"], b: Float[Array, " k"]) -> Listener:
    return eqx.tree_at(lambda m: (m.readout.W, m.readout.bias), model, (W, b))


def _silence(model: Listener) -> Listener:
    """The model whose units do not hear each other."""
    if not isinstance(model.hidden, RecurrentSpiking):
        return model
    return eqx.tree_at(lambda m: m.hidden.J, model, jnp.zeros_like(model.hidden.J))


READOUT = LinearReadout(_features, _solve, lambda model: model.readout.W.shape, _silence)
OBJECTIVE = Objective(predict, readout_cross_entropy)

WORKLOAD = Workload(
    id="spoken-words",
    application="temporal",
    architecture="adaptive-lif-rnn",
    datasets=tuple(SHAPES),
    config=Config(),
    data=data,
    build=build,
    objective=lambda config: OBJECTIVE,
    metric=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    examples=examples,
    control=Control.solved_readout(lambda config: READOUT),
    presets={"fsdd-held-out-speaker": RECORDED, "fsdd": RECORDED},
)
