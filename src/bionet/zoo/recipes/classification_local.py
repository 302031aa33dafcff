"""Can a network of binary units learn to read real images without any gradient?

The same asymmetric binary recurrent network and the same two-phase perceptron dynamics
as for the prototypes (Badalotti et al., 2025, arXiv:2509.05041), on handwritten digits:
the small set of scikit-learn by default (8 x 8 pixels, no file needed), MNIST and
Fashion-MNIST from files.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jaxtyping import PRNGKeyArray

from bionet.datasets import Splits, load
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState

PIXELS = {"digits": 64, "mnist": 784, "fashion-mnist": 784}
CLASSES = 10


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe; the defaults are for the small digits."""

    dataset: str = "digits"  # or mnist, fashion-mnist
    hidden: int = 512  # binary hidden units
    gain: float = 2.0  # pixels from 0 to 1 are stretched to -gain / 2 to +gain / 2
    strength_forward: float = 1.0  # scale of the weights towards the output
    strength_backward: float = 0.3  # scale of the frozen weights that carry the label back
    j_d: float = 0.5  # self-coupling of the hidden units
    threshold_in: float = 1.0  # margin asked for at the input weights
    threshold_recurrent: float = 1.0  # margin asked for at the recurrent weights
    threshold_out: float = 3.5  # margin asked for at the readout weights
    clamped: int = 5  # most steps with the label
    free: int = 5  # most steps without the label, also when answering
    learning_rate: float = 1e-3  # of Adam at the start; it falls to zero along a cosine
    batch_size: int = 16  # samples per step
    epochs: int = 20  # passes over the training images
    images: int = 0  # training images held out for no validation; 0: the data set's own split


def data(config: Config, seed: int) -> Splits:
    return load(config.dataset)


def sizes(config: Config) -> SequentialState:
    return SequentialState((PIXELS[config.dataset], config.hidden, CLASSES))


def network(config: Config, key: PRNGKeyArray) -> SequentialOrchestrator:
    k = jax.random.split(key, 4)
    c = config
    hidden = {
        0: FullyConnected(PIXELS[c.dataset], c.hidden, c.strength_forward, c.threshold_in, k[0]),
        1: RecurrentDiscrete(c.hidden, c.j_d, c.threshold_recurrent, k[1]),
        2: FrozenFullyConnected(CLASSES, c.hidden, c.strength_backward, 0.0, k[2]),
    }
    output = {
        1: FullyConnected(c.hidden, CLASSES, c.strength_forward, c.threshold_out, k[3]),
        2: OutputLayer(),
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))
