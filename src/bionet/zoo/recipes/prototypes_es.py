"""Can a network of binary units be trained by looking at its loss alone?

A small recurrent network of signs learns ten noisy prototypes by an evolution strategy (Open_ES:
Salimans et al., 2017, arXiv:1703.03864). A population of networks differs by Gaussian noise in all
weights and couplings; each is judged by the true loss of its hard units, and the mean moves to
where losses are low. No derivative is taken, so nothing has to be smooth.

What to expect: the network ends far above its frozen control at the same small width, and below
the optimum, the rule that knows the true patterns. The nearest class mean, which averages the
training samples of a class, is close to the optimum and ahead of any network here; both are
reported beside it. Cost grows with the number of weights, so the hidden layer is small.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import (
    PrototypeSplits,
    Splits,
    make_prototypes,
    nearest_class_mean,
    nearest_prototype,
)
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.evolution import Evolution
from bionet.training.objective import Objective
from bionet.training.readout import FreeReadout, accuracy, readout_cross_entropy
from bionet.zoo.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe."""

    dataset: str = "prototypes"  # generated, so there is no file
    classes: int = 10  # number of patterns
    dim: int = 100  # bits of a pattern
    flip: float = 0.3  # share of bits flipped in every sample
    samples: int = 1000  # training samples
    hidden: int = 32  # binary hidden units
    strength_forward: float = 1.0  # scale of the weights towards the output
    j_d: float = 0.5  # self-coupling of the hidden units
    steps: int = 5  # most steps in which it settles, in training and when answering
    population: int = 128  # networks that are judged in each generation
    sigma: float = 0.1  # standard deviation of the noise in each weight
    learning_rate: float = 0.03  # of Adam, which takes the estimated gradient
    batch_size: int = 250  # samples that all networks of a generation are judged on
    epochs: int = 40  # passes over the training samples


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
    found = {name: float(np.mean(answer == y)) for name, answer in rules.items()}
    return {"chance": 1.0 / config.classes, **found}


# Model: input -> hidden <-> hidden -> output, and the label back to the hidden units.


def sizes(config: Config) -> SequentialState:
    """Three buffers: the sample, the hidden units, the scores."""
    return SequentialState((config.dim, config.hidden, config.classes))


def network(config: Config, key: PRNGKeyArray) -> SequentialOrchestrator:
    """The untrained network."""
    k = jax.random.split(key, 4)  # as in the local recipe: the same weights
    c = config
    hidden = {
        0: FullyConnected(c.dim, c.hidden, c.strength_forward, 0.0, k[0]),
        1: RecurrentDiscrete(c.hidden, c.j_d, 0.0, k[1]),
    }
    output = {
        1: FullyConnected(c.hidden, c.classes, c.strength_forward, 0.0, k[3]),
        2: OutputLayer(),
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))


# Objective and method.


def predictor(config: Config) -> FreeReadout:
    """Answers by settling."""
    return FreeReadout(sizes(config), config.steps)


def trainer(config: Config) -> Evolution:
    """Open_ES with Adam."""
    return Evolution(
        Objective(predictor(config), readout_cross_entropy),
        "Open_ES",
        population=config.population,
        sigma=config.sigma,
        optimizer=optax.adam(config.learning_rate),
    )


RECIPE = Recipe(
    id="prototypes-es",
    defaults=Config(),
    data=data,
    sizes=sizes,
    network=network,
    trainer=trainer,
    predictor=predictor,
    objective=lambda config: readout_cross_entropy,
    score=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    control_steps=lambda config: config.steps,
)
