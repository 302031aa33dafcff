"""A recipe as a plug-in would have it: tiny, and complete."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from bionet import (
    FullyConnected,
    LayerMap,
    OutputLayer,
    RecurrentDiscrete,
    SequentialOrchestrator,
    SequentialState,
)
from bionet.datasets import make_prototypes, nearest_class_mean
from bionet.training import FreeReadout, Objective, ReadoutHinge, accuracy
from bionet.training.control.control import Control
from bionet.workloads import Workload
from bionet.zoo import Budget, Recipe


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

    dataset: str = "toys"
    toys: int = 3  # number of classes
    dim: int = 12  # bits of a sample
    hidden: int = 8  # binary hidden units


def data(config, seed):
    """Noisy samples of random patterns."""
    splits = make_prototypes(
        seed, num_classes=config.toys, dim=config.dim, flip=0.1, train=32, validation=16, test=16
    )
    return replace(splits, name="toys")


def synthetic(config, key, batch_size):
    """Random bits, all of the first class."""
    x = jax.random.rademacher(key, (batch_size, config.dim), jnp.float32)
    return x, jnp.tile(jnp.where(jnp.arange(config.toys) == 0, 1.0, -1.0), (batch_size, 1))


def baselines(config, splits):
    """The nearest class mean."""
    answers = nearest_class_mean(splits.train, splits.test.x)
    return {"nearest class mean": float(np.mean(answers == splits.test.y))}


def sizes(config):
    """The sample, the hidden units, the scores."""
    return SequentialState((config.dim, config.hidden, config.toys))


def network(config, key):
    """Input to hidden to output, and couplings among the hidden units."""
    k = jax.random.split(key, 3)
    hidden = {
        0: FullyConnected(config.dim, config.hidden, 1.0, 1.0, k[0]),
        1: RecurrentDiscrete(config.hidden, 0.5, 0.5, k[1]),
    }
    output = {1: FullyConnected(config.hidden, config.toys, 1.0, 1.0, k[2]), 2: OutputLayer()}
    return SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))


WORKLOAD = Workload(
    id="toys",
    application="toys",
    architecture="binary-rnn",
    datasets=("toys",),
    config=Config(),
    data=data,
    build=network,
    objective=lambda config: Objective(FreeReadout(sizes(config), 3), ReadoutHinge(1.0)),
    metric=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: 32,
    control=Control.frozen_dynamics(),
    state=sizes,
    settling_steps=lambda config: 3,
)

RECIPE = Recipe(
    id="toys-local",
    workload=WORKLOAD,
    method="two-phase",
    budget=Budget(batch_size=8, epochs=2),
    options={"learning_rate": 1e-2},
)
