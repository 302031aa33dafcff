"""Is the error of the output enough for every hidden layer to learn from?

A feed-forward network of two hidden layers of tanh units, each of which hears the error of the
output through a fixed random matrix of its own and of nothing else (direct feedback alignment:
Nøkland, 2016, arXiv:1609.01596), on handwritten digits: the small set of scikit-learn by default,
MNIST and Fashion-MNIST from files. No layer waits for the one above it.

What to expect: more than the frozen control, whose two hidden layers stay at their random start,
and, on the small digits, about what backprop reaches on the same network (`--method backprop`).
There the nearest neighbour, a rule of one line, is ahead of both.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from bionet.datasets import Splits, load, rescaled
from bionet.datasets.floors import classification_floors
from bionet.training.feedback_alignment import DirectFeedbackAlignment
from bionet.training.frozen_readout import LinearReadout
from bionet.training.objective import Objective
from bionet.training.readout import accuracy, readout_cross_entropy
from bionet.zoo.recipe import Recipe

PIXELS = {"digits": 64, "mnist": 784, "fashion-mnist": 784}
IMAGES = {"digits": 1437, "mnist": 60_000, "fashion-mnist": 60_000}
CLASSES = 10


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe; the defaults are for the small digits."""

    dataset: str = "digits"  # or mnist, fashion-mnist
    hidden: int = 64  # units of each hidden layer
    depth: int = 2  # hidden layers
    dark: float = 0.3  # the pixel value, from 0 to 1, that enters as zero
    gain: float = 2.0  # factor on the pixels after that
    strength: float = 1.0  # scale of the fixed feedback weights
    learning_rate: float = 3e-3  # of Adam at the start; it falls to zero along a cosine
    batch_size: int = 32  # images per step
    epochs: int = 30  # passes over the training images
    validation: int = 237  # training images held out for choices; the control needs some


LARGE = {
    "dark": 0.13,
    "gain": 3.2,
    "hidden": 400,
    "epochs": 10,
    "batch_size": 64,
    "validation": 10_000,
}
PRESETS = {"mnist": LARGE, "fashion-mnist": LARGE}


# Data: images as rows of pixels, shifted and stretched.


def data(config: Config, seed: int) -> Splits:
    """The images; the split is the same for all seeds."""
    splits = load(config.dataset, validation=config.validation)
    return rescaled(splits, dark=config.dark, gain=config.gain)


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch pixels"], Float[Array, "batch classes"]]:
    """Noisy copies of one random image per class, and their labels in {-1, +1}."""
    images, labels, noise = jax.random.split(key, 3)
    pixels = PIXELS[config.dataset]
    typical = jax.random.uniform(images, (CLASSES, pixels))
    label = jax.random.randint(labels, (batch_size,), 0, CLASSES)
    blurred = 0.7 * typical[label] + 0.3 * jax.random.uniform(noise, (batch_size, pixels))
    return config.gain * (blurred - config.dark), 2.0 * jax.nn.one_hot(label, CLASSES) - 1.0


def baselines(config: Config, splits: Splits) -> dict[str, float]:
    """Chance, and rules of one line that read the pixels, on the test images."""
    return classification_floors(splits)


# Model: a plain feed-forward network.


def network(config: Config, key: PRNGKeyArray) -> eqx.nn.MLP:
    """The untrained network."""
    return eqx.nn.MLP(
        PIXELS[config.dataset],
        CLASSES,
        width_size=config.hidden,
        depth=config.depth,
        activation=jax.nn.tanh,
        key=key,
    )


def predict(model: eqx.nn.MLP, x: Float[Array, "n d"], key: PRNGKeyArray) -> Float[Array, "n k"]:
    """A score per class."""
    return jax.vmap(model)(x)


# Objective, method and control.


def trainer(config: Config) -> DirectFeedbackAlignment:
    """Direct feedback alignment with Adam."""
    steps = config.epochs * ((IMAGES[config.dataset] - config.validation) // config.batch_size)
    rate = optax.cosine_decay_schedule(config.learning_rate, max(steps, 1))
    objective = Objective(predict, readout_cross_entropy)
    return DirectFeedbackAlignment(objective, optax.adam(rate), strength=config.strength)


def _hidden(model: eqx.nn.MLP, x: Float[Array, "n d"], key: PRNGKeyArray) -> Float[Array, "n d"]:
    """What the readout listens to."""
    for layer in model.layers[:-1]:
        x = jax.nn.tanh(jax.vmap(layer)(x))
    return x


def _solved(model: eqx.nn.MLP, W: Float[Array, "d k"], b: Float[Array, " k"]) -> eqx.nn.MLP:
    return eqx.tree_at(lambda m: (m.layers[-1].weight, m.layers[-1].bias), model, (W.T, b))


LINEAR = LinearReadout(_hidden, _solved, lambda model: model.layers[-1].weight.shape[::-1])

RECIPE = Recipe(
    id="classification-dfa",
    defaults=Config(),
    presets=PRESETS,
    data=data,
    network=network,
    trainer=trainer,
    predictor=lambda config: predict,
    objective=lambda config: readout_cross_entropy,
    score=accuracy,
    synthetic=synthetic,
    baselines=baselines,
    linear=lambda config: LINEAR,
    revisions={"baselines": 2},
)
