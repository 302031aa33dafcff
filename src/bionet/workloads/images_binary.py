"""Images on binary units: a network whose hidden units have no slope and talk to each other.

Handwritten digits, MNIST or Fashion-MNIST on one hidden layer of binary units with asymmetric
recurrent couplings (Badalotti et al., 2025 [badalotti2025dynamical]), which settles on each image.
The loss is the mean margin hinge of the readout, at the readout's own threshold.

A method has to tell hidden units what to be; the label has a way back to them, through frozen
weights. On the small digits the nearest neighbour, a rule of one line, is right 98.6 % of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jax
from jaxtyping import PRNGKeyArray

from bionet.kernels.products import Operands
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.states.sequential import SequentialState
from bionet.training.control.control import Control
from bionet.training.local.readout import FreeReadout, ReadoutHinge
from bionet.training.objective import Objective
from bionet.workloads import images
from bionet.workloads.images import CLASSES, Images
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config(Images):
    """Numbers of data and network; the defaults are for the small digits."""

    gain: float = 5.0  # factor on the pixels after that
    hidden: int = 256  # binary hidden units
    strength_forward: float = 1.0  # scale of the weights towards the output
    strength_backward: float = 1.6  # scale of the frozen weights that carry the label back
    j_d: float = 1.2  # self-coupling of the hidden units
    threshold_in: float = 1.4  # margin asked for at the input weights
    threshold_recurrent: float = 1.4  # margin asked for at the recurrent weights
    threshold_out: float = 5.0  # margin asked for at the readout weights
    steps: int = 5  # most steps in which it settles when answering
    operands: Operands = "weights"  # what products among binary units multiply, or bfloat16...


# MNIST is darker and larger. Fashion-MNIST takes the same numbers, chosen on MNIST alone.
LARGE = {
    "hidden": 1000,
    "dark": 0.13,
    "gain": 7.0,
    "threshold_in": 2.0,
    "threshold_recurrent": 2.0,
    "validation": 10_000,
}


# Network: image -> hidden <-> hidden -> output, and the label back to the hidden units.


def state(config: Any) -> SequentialState:
    """Three buffers: the image, the hidden units, the scores."""
    return SequentialState((config.pixels, config.hidden, CLASSES))


def build(config: Config, key: PRNGKeyArray) -> SequentialOrchestrator:
    """The untrained network."""
    k = jax.random.split(key, 4)
    c = config
    hidden = {
        0: FullyConnected(c.pixels, c.hidden, c.strength_forward, c.threshold_in, k[0]),
        1: RecurrentDiscrete(c.hidden, c.j_d, c.threshold_recurrent, k[1], operands=c.operands),
        2: FrozenFullyConnected(CLASSES, c.hidden, c.strength_backward, 0.0, k[2]),
    }
    output = {
        1: FullyConnected(
            c.hidden, CLASSES, c.strength_forward, c.threshold_out, k[3], operands=c.operands
        ),
        2: OutputLayer(),
    }
    return SequentialOrchestrator(layers=LayerMap.from_dict({1: hidden, 2: output}))


def objective(config: Config) -> Objective:
    """Answers by settling without the label; judged by the margins of the readout."""
    answer = FreeReadout(state(config), config.steps)
    return Objective(answer, ReadoutHinge(config.threshold_out))


SETTLING: Final[dict[str, Any]] = {
    **images.SHARED,
    "architecture": "binary-rnn",
    "control": Control.frozen_dynamics(),
    "state": state,
    "settling_steps": lambda config: config.steps,
}
"""What a `Workload` on binary units is made of; its config has `hidden` and `steps`."""

WORKLOAD = Workload(
    id="images-binary",
    **SETTLING,
    config=Config(),
    build=build,
    objective=objective,
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
)
