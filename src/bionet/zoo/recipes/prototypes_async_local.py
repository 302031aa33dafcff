"""Does a network learn by its local rule if its layers have no common clock, and delays?

It is the network of `prototypes-local`: ten random patterns of 100 bits, 30 % of them flipped,
and 256 binary units with asymmetric recurrent couplings that learn from two phases (Badalotti et
al., 2025, arXiv:2509.05041). But here the input sends at 50 Hz, the hidden units are updated at
40 Hz, and the output, which is the supervisor, at 20 Hz. An update takes some time, and each
message travels for some more; both vary from tick to tick. A row learns from the messages that
have reached it, not from what its senders hold by now.

What to expect: the network learns as well as with one clock, up to delays of 100 ms, four periods
of the hidden units. At 200 ms it falls seven points behind, since few rounds of the couplings fit
into the half second of a phase (`research/studies/async-delays`, five seeds). Test schedules are
others than those of training. The frozen control's readout is solved on features that settled
with one clock; it answers in asynchronous time, as the network does.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

import functools
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
from bionet.graph import ClippedNormal, Graph, Network, from_layer_map, generate_graphs
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.asynchronous import AsyncReadout, AsyncTwoPhase
from bionet.training.readout import ReadoutHinge, accuracy
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
    rate_in: float = 50.0  # Hz at which the input is sent
    rate_hidden: float = 40.0  # Hz at which the hidden units are updated
    rate_out: float = 20.0  # Hz at which the output is
    taking: float = 0.005  # seconds that an update takes
    delay: float = 0.01  # seconds that a message travels
    jitter: float = 0.25  # standard deviation of both, as a share of them
    episodes: int = 8  # schedules to train on, and as many others to test on
    clamped: int = 10  # steps of the output with the label
    free: int = 10  # its steps without the label, also when answering
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
    """The untrained weights."""
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


# Time: who is updated when, and how late everybody hears of it.


@functools.cache
def timed(config: Config, learning: bool) -> tuple[Network, Graph]:
    """The network in time, with schedules for learning or with others for answering."""
    with jax.ensure_compile_time_eval():
        lmap = network(config, jax.random.key(0)).lmap  # for its edges; the model has the weights
    rates = {0: config.rate_in, 1: config.rate_hidden, 2: config.rate_out}
    takes = ClippedNormal(config.taking, config.jitter * config.taking)
    late = ClippedNormal(config.delay, config.jitter * config.delay)
    delays = dict.fromkeys(rates, takes) | dict.fromkeys(lmap, late)
    nodes = from_layer_map(lmap, rates, delays, learning="accumulate" if learning else None)
    seconds = (config.clamped + config.free + 3) / config.rate_out
    graphs = generate_graphs(nodes.nodes, seconds, int(learning), config.episodes)
    return nodes, Graph(nodes.nodes, nodes.name(2), graphs, progress_bar=False)


# Objective and method.


def predictor(config: Config) -> AsyncReadout:
    """Answers after the free phase, by schedules that training has not seen."""
    return AsyncReadout(*timed(config, learning=False), config.free)


def objective(config: Config) -> ReadoutHinge:
    """The mean margin hinge of the readout."""
    return ReadoutHinge(config.threshold_out)


def trainer(config: Config) -> AsyncTwoPhase:
    """Two-phase perceptron dynamics in asynchronous time, with Adam."""
    return AsyncTwoPhase(
        *timed(config, learning=True),
        optimizer=optax.adam(config.learning_rate),
        clamped=config.clamped,
        free=config.free,
    )


RECIPE = Recipe(
    id="prototypes-async-local",
    defaults=Config(),
    data=data,
    sizes=sizes,
    network=network,
    trainer=trainer,
    predictor=predictor,
    objective=objective,
    score=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    control_steps=lambda config: config.free,
)
