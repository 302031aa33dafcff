"""Images on a feed-forward network: the plainest task on the plainest network.

Handwritten digits, MNIST or Fashion-MNIST, as rows of pixels, on an MLP with two hidden layers by
default. The loss is the mean softmax cross-entropy of the readout.

A method has to find hidden layers that beat random ones: the frozen control leaves them at their
start and solves the readout. On the small digits the nearest neighbour, a rule of one line, is
right 98.6 % of the time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.training.control.control import Control
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.local.readout import readout_cross_entropy
from bionet.training.objective import Objective
from bionet.workloads import images
from bionet.workloads.images import CLASSES, Images
from bionet.workloads.workload import Workload

ACTIVATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "relu": jax.nn.relu,
    "tanh": jax.nn.tanh,
}


@dataclass(frozen=True)
class Config(Images):
    """Numbers of data and network; the defaults are for the small digits."""

    hidden: int = 64  # units of each hidden layer
    depth: int = 2  # hidden layers
    activation: Literal["relu", "tanh"] = "relu"  # of the hidden units


LARGE = {"dark": 0.13, "gain": 3.2, "hidden": 400, "validation": 10_000}


def build(config: Config, key: PRNGKeyArray) -> eqx.nn.MLP:
    """The untrained network."""
    return eqx.nn.MLP(
        config.pixels,
        CLASSES,
        width_size=config.hidden,
        depth=config.depth,
        activation=ACTIVATIONS[config.activation],
        key=key,
    )


def predict(model: eqx.nn.MLP, x: Float[Array, "n d"], key: PRNGKeyArray) -> Float[Array, "n k"]:
    """A score per class."""
    return jax.vmap(model)(x)


@functools.cache  # the same functions, so that they compile once
def _readout(activation: str) -> LinearReadout:
    act = ACTIVATIONS[activation]

    def hidden(model: eqx.nn.MLP, x: Float[Array, "n d"], key: PRNGKeyArray) -> Array:
        for layer in model.layers[:-1]:
            x = act(jax.vmap(layer)(x))
        return x

    def solved(model: eqx.nn.MLP, W: Float[Array, "d k"], b: Float[Array, " k"]) -> eqx.nn.MLP:
        return eqx.tree_at(lambda m: (m.layers[-1].weight, m.layers[-1].bias), model, (W.T, b))

    return LinearReadout(hidden, solved, lambda model: model.layers[-1].weight.shape[::-1])


def readout(config: Config) -> LinearReadout:
    """Returns the place of the readout: it hears the last hidden layer."""
    return _readout(config.activation)


OBJECTIVE = Objective(predict, readout_cross_entropy)

WORKLOAD = Workload(
    id="images-mlp",
    **images.SHARED,
    architecture="mlp",
    config=Config(),
    build=build,
    objective=lambda config: OBJECTIVE,
    control=Control.solved_readout(readout),
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
)
