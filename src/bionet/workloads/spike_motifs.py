"""Two motifs of spikes: the class is the sum of their numbers, so the first has to be held.

Two short spike motifs come one after the other, with a pause between them; both are one of four,
and the class is the sum of their numbers modulo four. Either motif alone says nothing about the
class, nor does the number of spikes, nor any sum of evidence over time. Times are jittered and
some spikes are missing.

But no network is needed for it: both motifs are always at the same place, so of 3,000 samples one
has nearly the same spikes, and one nearest neighbour on the raw raster is right in 99.8 %. The task
that neighbours do not solve is that of `bionet.workloads.motif_songs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Split, Splits, nearest_class_mean
from bionet.datasets.floors import nearest_neighbour, ridge_on_inputs
from bionet.workloads import spiking_units
from bionet.workloads.spiking_units import Units, random_spikes
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

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
    recurrent: bool = True  # whether the units hear each other
    slope: float = 2.0  # of the surrogate derivative

    @property
    def units(self) -> Units:
        """The network that reads such samples."""
        net = (self.hidden, self.leak, self.recurrent, self.slope)
        return Units(self.channels, 2 * (self.motif + self.pause), self.classes, *net, 2.0)


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
    halves = [_play(config, times[number], rng) for number in (first, second)]
    return Split(np.concatenate(halves, axis=1), (first + second) % config.classes)


def _play(config: Config, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    when = times + rng.normal(0, config.jitter, times.shape)
    when = np.clip(np.floor(when), 0, config.motif - 1).astype(int)
    there = rng.random(when.shape) >= config.missing
    x = np.zeros((len(times), config.motif + config.pause, config.channels), np.float32)
    sample, channel, _ = np.indices(when.shape)
    np.maximum.at(x, (sample, when, channel), there.astype(np.float32))
    return x


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch time channels"], Float[Array, "batch classes"]]:
    """Random spikes, the same for all samples of a class, and labels in {-1, +1}."""
    rate = config.spikes / config.motif
    return random_spikes(config.units, rate, config.missing, key, batch_size)


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


# Network and loss are those of `bionet.workloads.spiking_units`.

WORKLOAD = Workload(
    id="spike-motifs",
    **spiking_units.SHARED,
    datasets=("spike-motifs",),
    config=Config(),
    data=data,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.samples,
    control=spiking_units.control(without_recurrence=False),
)
