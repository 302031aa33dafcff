"""Does evolution correct what a local rule is blind to, on noisy patterns?

The network and the two-phase dynamics of the local recipe (Badalotti et al., 2025,
arXiv:2509.05041), whose direction is corrected in every step by evolution strategies on the true
loss (Salimans et al., 2017, arXiv:1703.03864): of what a few pairs of perturbed networks say about
the loss, the part orthogonal to the local direction is added, at a fixed share of its length.

What to expect: parity. With few pairs for so many weights the correction is almost all noise;
its length is bounded, so it does no harm. The ablation is the local rule without the correction,
at a fraction of the cost. The optimum and the nearest class mean, which averaging favours, are
reported beside it, and the frozen control.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
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
from bionet.experimental.hybrid import LocalES
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.objective import Objective
from bionet.training.readout import FreeReadout, ReadoutHinge, accuracy
from bionet.training.two_phase import TwoPhase
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
    strength_backward: float = 0.3  # scale of the frozen weights that carry the label back
    j_d: float = 0.5  # self-coupling of the hidden units
    threshold_in: float = 3.5  # margin asked for at the input weights
    threshold_recurrent: float = 0.5  # margin asked for at the recurrent weights
    threshold_out: float = 3.5  # margin asked for at the readout weights
    clamped: int = 10  # most steps with the label
    free: int = 10  # most steps without the label, also when answering
    learning_rate: float = 2e-3  # of Adam
    pairs: int = 8  # pairs of perturbed networks per step
    sigma: float = 0.1  # standard deviation of the perturbation of each weight
    lam: float = 0.2  # length of the correction, as a share of the local direction's
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
    """The untrained network."""
    k = jax.random.split(key, 4)
    c = config
    hidden = {
        0: FullyConnected(c.dim, c.hidden, c.strength_forward, c.threshold_in, k[0]),
        1: RecurrentDiscrete(c.hidden, c.j_d, c.threshold_recurrent, k[1]),
        2: FrozenFullyConnected(c.classes, c.hidden, c.strength_backward, 0.0, k[2]),
    }
    output = {
        1: FullyConnected(c.hidden, c.classes, c.strength_forward, c.threshold_out, k[3]),
        2: OutputLayer(),
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))


# Objective and method.


def predictor(config: Config) -> FreeReadout:
    """Answers by settling without the label."""
    return FreeReadout(sizes(config), config.free)


def objective(config: Config) -> ReadoutHinge:
    """The mean margin hinge of the readout."""
    return ReadoutHinge(config.threshold_out)


def trainer(config: Config) -> LocalES:
    """Two-phase perceptron dynamics, corrected by evolution strategies."""
    local = TwoPhase(
        sizes(config),
        optimizer=optax.adam(config.learning_rate),
        clamped=config.clamped,
        free=config.free,
    )
    return LocalES(
        Objective(predictor(config), objective(config)),
        local,
        num_samples=config.pairs,
        sigma=config.sigma,
        lam=config.lam,
    )


RECIPE = Recipe(
    id="prototypes-hybrid",
    defaults=Config(),
    brief={"epochs": 4},
    data=data,
    sizes=sizes,
    network=network,
    trainer=trainer,
    predictor=predictor,
    objective=objective,
    score=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    ablation={"lam": 0.0},
    ablated="the correction by evolution",
    control_steps=lambda config: config.free,
)
