"""The shared parts of workloads on images: the pixels, a batch without files, rules of one line.

Handwritten digits, the small set of scikit-learn by default (8 x 8 pixels, no file needed), MNIST
and Fashion-MNIST from files. Pixels are shifted and stretched; training images are held out for
choices, and the split is the same for all seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Splits, load, rescaled
from bionet.datasets.floors import classification_floors
from bionet.training.local.readout import accuracy

DATASETS = ("digits", "mnist", "fashion-mnist")
SIDE = {"digits": 8, "mnist": 28, "fashion-mnist": 28}  # pixels of a row and of a column
IMAGES = {"digits": 1437, "mnist": 60_000, "fashion-mnist": 60_000}  # for training and validation
CLASSES = 10


@dataclass(frozen=True)
class Images:
    """Numbers of the data; the defaults are for the small digits."""

    dataset: str = "digits"  # or mnist, fashion-mnist
    dark: float = 0.3  # the pixel value, from 0 to 1, that enters as zero
    gain: float = 2.0  # factor on the pixels after that
    validation: int = 237  # training images held out for choices; the control needs some

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return SIDE[self.dataset] ** 2


def data(config: Images, seed: int) -> Splits:
    """The images; the split is the same for all seeds."""
    splits = load(config.dataset, validation=config.validation)
    return rescaled(splits, dark=config.dark, gain=config.gain)


def examples(config: Images) -> int:
    """The training images that are not held out."""
    return IMAGES[config.dataset] - config.validation


def synthetic(
    config: Images, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch pixels"], Float[Array, "batch classes"]]:
    """Noisy copies of one random image per class, and their labels in {-1, +1}."""
    images, labels, noise = jax.random.split(key, 3)
    typical = jax.random.uniform(images, (CLASSES, config.pixels))
    label = jax.random.randint(labels, (batch_size,), 0, CLASSES)
    blurred = 0.7 * typical[label] + 0.3 * jax.random.uniform(noise, (batch_size, config.pixels))
    return config.gain * (blurred - config.dark), 2.0 * jax.nn.one_hot(label, CLASSES) - 1.0


def baselines(config: Images, splits: Splits) -> dict[str, float]:
    """Chance, and rules of one line that read the pixels, on the test images."""
    return classification_floors(splits)


SHARED: Final[dict[str, Any]] = {
    "application": "classification",
    "datasets": DATASETS,
    "data": data,
    "metric": accuracy,
    "synthetic": synthetic,
    "baselines": baselines,
    "examples": examples,
}
"""What a `Workload` on images is made of, but for its network."""
