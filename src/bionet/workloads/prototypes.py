"""Noisy prototypes on binary units: which of ten random patterns has had bits of it flipped?

Patterns of 100 bits are shown with 30 % of their bits flipped. One hidden layer of binary units
with asymmetric recurrent couplings settles on each of them (Badalotti et al., 2025
[badalotti2025dynamical]), and a linear readout scores the patterns. Noise is independent from bit
to bit, which is what averaging is best at: the nearest class mean is close to the optimum, the rule
that knows the patterns.

A method has to tell hidden units what to be. The label has a way back to them, through frozen
weights, for methods that clamp it; `feedback=False` leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import (
    PrototypeSplits,
    Splits,
    make_prototypes,
    nearest_class_mean,
    nearest_prototype,
)
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractModule
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.control.control import Control
from bionet.training.local.readout import FreeReadout, ReadoutHinge, accuracy, readout_cross_entropy
from bionet.training.objective import Objective
from bionet.training.problem import Score
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

    dataset: str = "prototypes"  # generated, so there is no file
    classes: int = 10  # number of patterns
    dim: int = 100  # bits of a pattern
    flip: float = 0.3  # share of bits flipped in every sample
    samples: int = 1000  # training samples
    hidden: int = 256  # binary hidden units
    strength_forward: float = 1.0  # scale of the weights towards the output
    strength_backward: float = 0.3  # scale of the frozen weights that carry the label back
    feedback: bool = True  # whether there are such weights
    j_d: float = 0.5  # self-coupling of the hidden units
    threshold_in: float = 3.5  # margin asked for at the input weights
    threshold_recurrent: float = 0.5  # margin asked for at the recurrent weights
    threshold_out: float = 3.5  # margin asked for at the readout weights
    steps: int = 10  # most steps in which it settles when answering
    loss: Literal["hinge", "cross-entropy"] = "hinge"  # at the readout's threshold, or softmax


# Data: fresh noise on the same patterns for training, validation and test.


def data(config: Config, seed: int) -> PrototypeSplits:
    """The patterns of a seed, with noisy samples of them."""
    return make_prototypes(
        seed,
        num_classes=config.classes,
        dim=config.dim,
        flip=config.flip,
        train=config.samples,
        validation=1000,
        test=2000,
    )


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch dim"], Float[Array, "batch classes"]]:
    """Noisy samples of patterns that the key draws, and their labels in {-1, +1}."""
    patterns, labels, noise = jax.random.split(key, 3)
    prototypes = jax.random.rademacher(patterns, (config.classes, config.dim), jnp.float32)
    label = jax.random.randint(labels, (batch_size,), 0, config.classes)
    flipped = jax.random.bernoulli(noise, config.flip, (batch_size, config.dim))
    x = prototypes[label] * jnp.where(flipped, -1.0, 1.0)
    return x, 2.0 * jax.nn.one_hot(label, config.classes) - 1.0


def baselines(config: Config, splits: Splits) -> dict[str, float]:
    """Chance, the nearest class mean, and the optimum, on the test samples."""
    x, y = splits.test.x, splits.test.y
    rules = {"nearest class mean": nearest_class_mean(splits.train, x)}
    if isinstance(splits, PrototypeSplits):
        rules["nearest true prototype (optimum)"] = nearest_prototype(splits.prototypes, x)
    shares = {name: float(np.mean(answer == y)) for name, answer in rules.items()}
    return {"chance": 1.0 / config.classes, **shares}


# Network: input -> hidden <-> hidden -> output, and the label back to the hidden units.


def state(config: Config) -> SequentialState:
    """Three buffers: the sample, the hidden units, the scores."""
    return SequentialState((config.dim, config.hidden, config.classes))


def build(config: Config, key: PRNGKeyArray) -> SequentialOrchestrator:
    """The untrained network; its other weights are the same with and without feedback."""
    k = jax.random.split(key, 4)
    c = config
    hidden: dict[int, AbstractModule] = {
        0: FullyConnected(c.dim, c.hidden, c.strength_forward, c.threshold_in, k[0]),
        1: RecurrentDiscrete(c.hidden, c.j_d, c.threshold_recurrent, k[1]),
    }
    if c.feedback:
        hidden[2] = FrozenFullyConnected(c.classes, c.hidden, c.strength_backward, 0.0, k[2])
    output = {
        1: FullyConnected(c.hidden, c.classes, c.strength_forward, c.threshold_out, k[3]),
        2: OutputLayer(),
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))


# Loss: the mean margin hinge of the readout, at its own threshold, or its softmax cross-entropy.


def loss(config: Config) -> Score:
    """Returns the loss of an answer."""
    return ReadoutHinge(config.threshold_out) if config.loss == "hinge" else readout_cross_entropy


def objective(config: Config) -> Objective:
    """Answers by settling without the label."""
    return Objective(FreeReadout(state(config), config.steps), loss(config))


WORKLOAD = Workload(
    id="prototypes",
    application="prototypes",
    architecture="binary-rnn",
    datasets=("prototypes",),
    config=Config(),
    data=data,
    build=build,
    objective=objective,
    metric=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.samples,
    control=Control.frozen_dynamics(),
    state=state,
    settling_steps=lambda config: config.steps,
)
