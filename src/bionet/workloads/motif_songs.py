"""Songs of spike motifs, two at once: the motif that follows the cue of the first singer.

Two singers are heard at once, each by 40 neurons. A song is five short spike motifs with pauses
between them: one is the singer's cue, the others are drawn at random out of four. The class is the
motif that follows the cue of the first singer; the second sings in the same way and means nothing.
Each motif has a tempo of its own, pauses are of random length, times are jittered, a fifth of the
spikes are missing and others come from nowhere.

So the cue has to be held over a pause of unknown length, until the next motif has been heard, and
no longer. Counts of spikes are at chance, and who knows which motifs were sung but not in which
order is right in 53 %.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Split, Splits, nearest_class_mean
from bionet.datasets.floors import nearest_neighbour, ridge_on_inputs
from bionet.datasets.spike_motifs import (
    CLASSES,
    make_motif_songs,
    shifted_neighbours,
    smooth_in_time,
)
from bionet.workloads import spiking_units
from bionet.workloads.spiking_units import Units, random_spikes
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

    dataset: str = "motif-songs"  # drawn, so there is no file
    singers: int = 2  # heard at once; the class is of the first
    neurons: int = 40  # input channels of each singer
    motifs: int = 5  # motifs of a song, the cue among them
    length: int = 6  # time steps of a motif at its own tempo
    pause: int = 6  # longest pause before a motif, in time steps
    steps: int = 60  # time steps of a sample
    jitter: float = 0.7  # standard deviation of a spike's time, in steps
    missing: float = 0.2  # share of spikes that do not come
    noise: float = 0.02  # share of steps at which a neuron spikes out of turn
    samples: int = 6000  # training samples
    hidden: int = 128  # spiking units
    leak: float = 0.8  # share of its voltage that a unit keeps per step
    recurrent: bool = True  # whether the units hear each other
    slope: float = 5.0  # of the surrogate derivative

    @property
    def units(self) -> Units:
        """The network that reads such samples."""
        net = (self.hidden, self.leak, self.recurrent, self.slope)
        return Units(self.singers * self.neurons, self.steps, CLASSES, *net, 1.0)


def data(config: Config, seed: int) -> Splits:
    """The motifs of a seed, with samples of their songs."""
    return make_motif_songs(
        seed,
        singers=config.singers,
        neurons=config.neurons,
        motifs=config.motifs,
        length=config.length,
        pause=config.pause,
        steps=config.steps,
        jitter=config.jitter,
        missing=config.missing,
        noise=config.noise,
        train=config.samples,
    )


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch time channels"], Float[Array, "batch classes"]]:
    """Random spikes, the same for all samples of a class, and labels in {-1, +1}."""
    rate = config.motifs / config.steps  # each neuron spikes once per motif
    return random_spikes(config.units, rate, config.missing, key, batch_size)


# What can be had without a network. Kernels, coincidences of spikes and time warping are not
# better; research/studies/recipe-tuning/motif_rules.py has what was tried.


def baselines(config: Config, splits: Splits) -> dict[str, float]:
    """Chance, and rules that count spikes, add them up or compare rasters, on the test samples."""
    counts, smooth = _read(splits, _count), _read(splits, _smooth)
    near = functools.partial(shifted_neighbours, neighbours=min(100, config.samples), reach=2)
    answers = {
        "spike count": nearest_class_mean(counts.train, counts.test.x),
        "ridge on spikes in ten bins": ridge_on_inputs(_read(splits, _bin)),
        "nearest neighbour": nearest_neighbour(splits.train, splits.test.x),
        "100 neighbours, smoothed and shifted": near(smooth.train, smooth.test.x),
    }
    shares = {name: float(np.mean(answer == splits.test.y)) for name, answer in answers.items()}
    return {"chance": 1 / CLASSES, **shares}


def _read(splits: Splits, how: Callable[[np.ndarray], np.ndarray]) -> Splits:
    def read(part: Split) -> Split:
        return Split(how(part.x), part.y)

    held_out = None if splits.validation is None else read(splits.validation)
    train, test = read(splits.train), read(splits.test)
    return Splits(train, held_out, test, name=splits.name, num_classes=splits.num_classes)


def _count(x: np.ndarray) -> np.ndarray:
    return x.sum(1)


def _bin(x: np.ndarray) -> np.ndarray:
    return np.stack([part.sum(1) for part in np.array_split(x, 10, axis=1)], 1)


def _smooth(x: np.ndarray) -> np.ndarray:
    return smooth_in_time(x, 1.0)[:, ::2]  # every second step is enough


# Network and loss are those of `bionet.workloads.spiking_units`.

WORKLOAD = Workload(
    id="motif-songs",
    **spiking_units.SHARED,
    datasets=("motif-songs",),
    config=Config(),
    data=data,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.samples,
    control=spiking_units.control(without_recurrence=True),
)
