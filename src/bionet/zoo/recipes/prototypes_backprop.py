"""What does backprop reach on the prototypes, on a smooth twin of the binary network?

The same recurrent network as in the local recipe, with the same initial weights and couplings,
but with tanh in place of each sign: a sign has no slope, so a gradient can only be taken through
such a twin. It settles for a fixed number of steps and is trained by backpropagation through
them (Werbos, 1990, doi:10.1109/5.58337), and it is the twin that is evaluated. It uses the gradient
of the loss, which no local rule sees, so it is a yardstick and no rival.

What to expect: the network ends above its frozen control. The optimum is the rule that knows the
true patterns; the nearest class mean, which averages the training samples of a class, is close to
it and ahead of the network. Both are reported beside it. The task needs no recurrence: with
`steps=1`, in which the hidden units see the input alone, the same network does better.

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
from bionet.training.gradient import Gradient
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
    hidden: int = 256  # binary hidden units
    strength_forward: float = 1.0  # scale of the weights towards the output
    j_d: float = 0.5  # self-coupling of the hidden units
    steps: int = 10  # steps in which it settles, in training and when answering
    learning_rate: float = 2e-3  # of Adam
    batch_size: int = 16  # samples per step
    epochs: int = 10  # passes over the training samples


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
    """The untrained network of signs, whose twin is trained."""
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


def trainer(config: Config) -> Gradient:
    """Backprop through time on the smooth twin, with Adam."""
    objective = Objective(predictor(config), readout_cross_entropy)
    return Gradient(objective, optax.adam(config.learning_rate))


RECIPE = Recipe(
    id="prototypes-backprop",
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
