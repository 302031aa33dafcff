"""Images on binary units with few connections each, and feedback that learns.

One hidden layer of binary units that listen to some pixels of one window of the image, to some of
each other (asymmetric, learned), and to the output. By default what comes back is the error of the
answer, through weights that learn (Kolen and Pollack, 1994), and the loss is the mean cross-entropy
of the readout. With `feedback="label"` the label comes back through frozen weights, and the loss is
the mean margin hinge at the readout's own threshold (Badalotti et al., 2025
[badalotti2025dynamical]).

A method has to tell hidden units what to be, through that feedback. On the small digits the nearest
neighbour, a rule of one line, is right 98.6 % of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
from jaxtyping import PRNGKeyArray

from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fan_in import draw_windows
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.softmax import SoftmaxReadout
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.training.local.readout import FreeReadout, ReadoutHinge, readout_cross_entropy
from bionet.training.objective import Objective
from bionet.workloads.images import CLASSES, SIDE, Images
from bionet.workloads.images_binary import SETTLING, state
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config(Images):
    """Numbers of data and network; the defaults are for the small digits."""

    gain: float = 2.5  # factor on the pixels after that
    feedback: Literal["error", "label"] = "error"  # what comes back from the output
    hidden: int = 256  # binary hidden units
    window: int = 4  # side of the part of the image that a unit sees
    fan_in: int = 12  # pixels of it that the unit listens to
    fan_in_recurrent: int = 20  # hidden units that a hidden unit listens to
    strength_in: float = 1.0  # scale of the input weights at the start
    strength_recurrent: float = 0.0  # scale of the recurrent weights at the start
    strength_out: float = 0.1  # scale of the readout weights at the start
    strength_back: float = 1.0  # how hard the feedback acts on the hidden units
    j_d: float = 0.0  # self-coupling of the hidden units
    threshold_in: float = 1.0  # margin asked for at the input weights
    threshold_recurrent: float = 1.0  # margin asked for at the recurrent weights
    threshold_out: float = 7.0  # margin asked for at the readout, for feedback="label" alone
    steps: int = 2  # most steps in which it settles when answering


# MNIST has more pixels. Fashion-MNIST takes the same numbers, chosen on MNIST alone.
LARGE = {
    "hidden": 2000,
    "window": 9,
    "fan_in": 78,
    "dark": 0.13,
    "gain": 3.2,
    "validation": 10_000,
}


# Network: image -> hidden <-> hidden -> output, and back to the hidden units.


def build(config: Config, key: PRNGKeyArray) -> SequentialOrchestrator:
    """The untrained network."""
    c, side = config, SIDE[config.dataset]
    k = jax.random.split(key, 5)
    windows = draw_windows(k[4], c.hidden, (side, side), (c.window, c.window), c.fan_in)
    layer = SparseRecurrentDiscrete(
        c.hidden,
        c.j_d,
        c.threshold_recurrent,
        k[1],
        fan_in=c.fan_in_recurrent,
        strength=c.strength_recurrent,
    )
    if c.feedback == "error":
        back = LearnedFeedback(CLASSES, c.hidden, c.strength_back, k[2])
        readout = SoftmaxReadout(c.hidden, CLASSES, c.strength_out, k[3])
    else:
        back = FrozenFullyConnected(CLASSES, c.hidden, c.strength_back, 0.0, k[2])
        readout = FullyConnected(c.hidden, CLASSES, c.strength_out, c.threshold_out, k[3])
    image = SparseFullyConnected(
        side * side, c.hidden, c.strength_in, c.threshold_in, k[0], indices=windows
    )
    rows = {1: {0: image, 1: layer, 2: back}, 2: {1: readout, 2: OutputLayer()}}
    return SequentialOrchestrator(layers=LayerMap.from_dict(rows))


def objective(config: Config) -> Objective:
    """Answers by settling without feedback; judged by what the readout's rule descends."""
    answer = FreeReadout(state(config), config.steps)
    if config.feedback == "error":
        return Objective(answer, readout_cross_entropy)
    return Objective(answer, ReadoutHinge(config.threshold_out))


WORKLOAD = Workload(
    id="images-sparse-binary",
    **SETTLING,
    config=Config(),
    build=build,
    objective=objective,
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
)
