"""Does evolution correct what a surrogate gradient is blind to?

The task and the network of the recipe with surrogate gradients alone: two spike motifs one after
the other, whose numbers have to be added modulo four by a recurrent spiking network in dm-haiku.
A surrogate gradient (Neftci, Mostafa and Zenke, 2019, arXiv:1901.09948) is biased, since the
derivative it takes is not that of the spike. In every step it is corrected by evolution strategies
on the true loss (Salimans et al., 2017, arXiv:1703.03864): of what a few pairs of perturbed
networks say, the part orthogonal to the surrogate gradient is added, at a fixed share of its
length.

What to expect: parity with the surrogate gradient, which is the ablation and costs a fraction.
With few pairs for so many weights the correction is almost all noise; its length is bounded, so it
does no harm. The frozen control leaves the spiking layer at its random start. The task itself needs
no network: one nearest neighbour on the raw raster answers 99.8 % right, which is above both. The
comparison of the two gradients is the point here; `classification-rsnn-v2` has a harder task.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Split, Splits, nearest_class_mean
from bionet.datasets.floors import nearest_neighbour, ridge_on_inputs
from bionet.experimental.hybrid import SurrogateES
from bionet.interop.haiku import HaikuModel, from_haiku, predict
from bionet.modules.surrogates import Surrogate
from bionet.training.frozen_readout import LinearReadout
from bionet.training.objective import Objective
from bionet.training.readout import accuracy, readout_cross_entropy
from bionet.zoo.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe."""

    dataset: str = "spike-motifs"  # drawn, so there is no file
    classes: int = 4  # number of motifs, and of classes
    channels: int = 20  # input channels
    motif: int = 8  # time steps of a motif
    pause: int = 5  # time steps after each motif
    spikes: int = 2  # spikes of each channel in a motif
    jitter: float = 0.7  # standard deviation of a spike's time, in steps
    missing: float = 0.1  # share of spikes that do not come
    samples: int = 3000  # training samples
    hidden: int = 128  # spiking units
    leak: float = 0.8  # share of its voltage that a unit keeps per step
    slope: float = 2.0  # of the surrogate derivative
    clip: float = 1.0  # longest pseudo-gradient; a longer one is cut down to it
    learning_rate: float = 5e-3  # of Adam at the start; it falls to zero along a cosine
    pairs: int = 4  # pairs of perturbed networks per step
    sigma: float = 0.02  # standard deviation of the perturbation of each weight
    lam: float = 0.2  # length of the correction, as a share of the surrogate gradient's
    batch_size: int = 50  # samples per step
    epochs: int = 20  # passes over the training samples


# Data: spike times per motif and channel, jittered and thinned out.


def data(config: Config, seed: int) -> Splits:
    """The motifs of a seed, with samples of their pairs."""
    drawn, *parts = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
    times = drawn.uniform(0, config.motif, (config.classes, config.channels, config.spikes))
    sizes = (config.samples, 500, 1000)
    made = (_samples(config, times, rng, n) for rng, n in zip(parts, sizes, strict=True))
    return Splits(*made, name="spike-motifs", num_classes=config.classes)


def _samples(config: Config, times: np.ndarray, rng: np.random.Generator, count: int) -> Split:
    first, second = rng.integers(config.classes, size=(2, count))
    halves = [_heard(config, times[number], rng) for number in (first, second)]
    return Split(np.concatenate(halves, axis=1), (first + second) % config.classes)


def _heard(config: Config, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    when = times + rng.normal(0, config.jitter, times.shape)
    when = np.clip(np.floor(when), 0, config.motif - 1).astype(int)
    there = rng.random(when.shape) >= config.missing
    x = np.zeros((len(times), config.motif + config.pause, config.channels), np.float32)
    sample, channel, _ = np.indices(when.shape)
    np.maximum.at(x, (sample, when, channel), there.astype(np.float32))
    return x


def _time(config: Config) -> int:
    return 2 * (config.motif + config.pause)


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch time channels"], Float[Array, "batch classes"]]:
    """Random spikes, the same for all samples of a class, and labels in {-1, +1}."""
    patterns, labels, noise = jax.random.split(key, 3)
    shape = (config.classes, _time(config), config.channels)
    spikes = jax.random.bernoulli(patterns, config.spikes / config.motif, shape).astype(float)
    label = jax.random.randint(labels, (batch_size,), 0, config.classes)
    there = jax.random.bernoulli(noise, 1 - config.missing, (batch_size, *shape[1:]))
    return spikes[label] * there, 2.0 * jax.nn.one_hot(label, config.classes) - 1.0


def baselines(config: Config, splits: Splits) -> dict[str, float]:
    """Chance, and rules that count spikes, add them up or compare rasters, on the test samples."""
    counted = Split(splits.train.x.sum(1), splits.train.y)
    answers = {
        "spike count": nearest_class_mean(counted, splits.test.x.sum(1)),
        "nearest neighbour": nearest_neighbour(splits.train, splits.test.x),
        "ridge on the raster": ridge_on_inputs(splits),
    }
    shares = {name: float(np.mean(answer == splits.test.y)) for name, answer in answers.items()}
    return {"chance": 1 / config.classes, **shares}


# Model: spikes -> recurrent spiking units -> a leaky readout, averaged over time.


def spiking(config: Config, x: Float[Array, "n time channels"]) -> Float[Array, "n hidden"]:
    """The low-passed spikes of the hidden units, averaged over time; to be transformed."""
    import haiku as hk

    # Plain parameters instead of hk.Linear: one product for all time steps.
    scale = hk.initializers.RandomNormal(2.0 / np.sqrt(config.channels))
    into = hk.get_parameter("into", (config.channels, config.hidden), init=scale)
    scale = hk.initializers.RandomNormal(0.5 / np.sqrt(config.hidden))
    among = hk.get_parameter("among", (config.hidden, config.hidden), init=scale)
    spike = Surrogate("arctan", config.slope)

    def step(carry: tuple, current: Array) -> tuple[tuple, None]:
        voltage, spikes, trace, total = carry
        held = config.leak * voltage - jax.lax.stop_gradient(spikes)
        voltage = held + current + spikes @ among
        spikes = spike(voltage - 1.0)
        trace = config.leak * trace + (1 - config.leak) * spikes
        return (voltage, spikes, trace, total + trace), None

    zeros = (jnp.zeros((len(x), config.hidden)),) * 4
    currents = jnp.swapaxes(x, 0, 1) @ into
    (_, _, _, total), _ = jax.lax.scan(step, zeros, currents)
    return total / _time(config)


def answered(config: Config, x: Float[Array, "n time channels"]) -> Float[Array, "n classes"]:
    """The scores; to be transformed."""
    import haiku as hk

    return hk.Linear(config.classes, name="readout")(10 * spiking(config, x))


@functools.lru_cache(maxsize=32)
def _transformed(config: Config) -> Any:
    import haiku as hk

    return hk.transform(functools.partial(answered, config))


def network(config: Config, key: PRNGKeyArray) -> HaikuModel:
    """The untrained network."""
    x = jnp.zeros((1, _time(config), config.channels))
    return from_haiku(_transformed(config), key, x)


# Objective, method and control.


def trainer(config: Config) -> SurrogateES:
    """Surrogate gradients through time with Adam, corrected by evolution strategies."""
    steps = config.epochs * (config.samples // config.batch_size)
    rate = optax.cosine_decay_schedule(config.learning_rate, max(steps, 1))
    return SurrogateES(
        Objective(predict, readout_cross_entropy),
        optax.chain(optax.clip_by_global_norm(config.clip), optax.adam(rate)),
        num_samples=config.pairs,
        sigma=config.sigma,
        lam=config.lam,
    )


@functools.lru_cache(maxsize=32)  # the same functions, so that they compile once
def linear(config: Config) -> LinearReadout:
    """Where the readout is: it hears the averaged, low-passed spikes."""
    import haiku as hk

    hidden = hk.without_apply_rng(hk.transform(functools.partial(spiking, config)))

    def features(model: HaikuModel, x: Array, key: PRNGKeyArray) -> Float[Array, "n hidden"]:
        return 10 * hidden.apply(model.params, x)

    def solved(model: HaikuModel, W: Array, b: Array) -> HaikuModel:
        return eqx.tree_at(lambda m: m.params["readout"], model, {"w": W, "b": b})

    return LinearReadout(features, solved, lambda model: model.params["readout"]["w"].shape)


RECIPE = Recipe(
    id="classification-rsnn-hybrid",
    defaults=Config(),
    brief={"epochs": 7},
    data=data,
    network=network,
    trainer=trainer,
    predictor=lambda config: predict,
    objective=lambda config: readout_cross_entropy,
    score=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    linear=linear,
    ablation={"lam": 0.0},
    ablated="the correction by evolution",
    revisions={"baselines": 2},
)
