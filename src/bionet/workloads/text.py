"""The shared parts of workloads on text: windows of characters, counts, and the loss of a guess.

The texts are a drawn grammar of nested brackets with fillers between, where the bracket to be
closed is out of sight of trigrams (the default), and `tinyshakespeare`, a megabyte of plays, from a
file. A window holds 64 characters, and begins with an empty memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bionet.datasets import Parts
from bionet.datasets.counts import language_floors
from bionet.datasets.text import CHARACTERS, read_text
from bionet.training.objective import Objective

DATASETS = ("grammar", "tinyshakespeare")
TRAINING_TEXT = {"tinyshakespeare": 953_854}  # characters


@dataclass(frozen=True)
class Text:
    """Numbers of the data; the defaults are for the grammar."""

    dataset: str = "grammar"  # drawn; or tinyshakespeare, from a file
    window: int = 64  # characters that are read at a time
    sequences: int = 1024  # of the grammar, to train on

    @property
    def characters(self) -> int:
        """Characters that there are."""
        return CHARACTERS[self.dataset]


def data(config: Text, seed: int) -> Parts:
    """The text, whose split is the same for all seeds, or the grammar, drawn from the seed."""
    return read_text(config.dataset, seed, window=config.window, sequences=config.sequences)


def examples(config: Text) -> int:
    """Windows to train on."""
    characters = TRAINING_TEXT.get(config.dataset)
    return config.sequences if characters is None else (characters - 1) // config.window


def synthetic(
    config: Text, key: PRNGKeyArray, batch_size: int
) -> tuple[Int[Array, "batch time"], Int[Array, "batch time"]]:
    """A text of random characters, each followed by itself or the next one."""
    first, more = jax.random.split(key)
    start = jax.random.randint(first, (batch_size, 1), 0, config.characters, jnp.int32)
    steps = jax.random.bernoulli(more, 0.5, (batch_size, config.window)).astype(jnp.int32)
    text = jnp.concatenate([start, start + jnp.cumsum(steps, 1)], 1) % config.characters
    return text[:, :-1], text[:, 1:]


def baselines(config: Text, parts: Parts) -> dict[str, float]:
    """The share that counting guesses of the test text, and of the grammar the optimum."""
    return language_floors(config.dataset, parts)


def nats(outputs: Float[Array, "n time characters"], y: Int[Array, "n time"]) -> Float[Array, ""]:
    """The mean cross-entropy of the next character."""
    return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()


def guess_share(
    outputs: Float[Array, "n time characters"], y: Int[Array, "n time"]
) -> Float[Array, ""]:
    """The share of characters that are guessed right."""
    return jnp.mean(outputs.argmax(-1) == y)


# A network of text has `units(ids)`, what its readout hears, with the axes time, sample, unit.


def predict(
    model: Any, x: Int[Array, "n time"], key: PRNGKeyArray
) -> Float[Array, "n time characters"]:
    """A score per character as the next one."""
    return model(x)


def features(model: Any, x: Int[Array, "n time"], key: PRNGKeyArray) -> Float[Array, "n time d"]:
    """The units that the readout hears."""
    return jnp.swapaxes(model.units(x), 0, 1)


OBJECTIVE: Final = Objective(predict, nats)

SHARED: Final[dict[str, Any]] = {
    "application": "language",
    "datasets": DATASETS,
    "data": data,
    "objective": lambda config: OBJECTIVE,
    "metric": guess_share,
    "synthetic": synthetic,
    "baselines": baselines,
    "examples": examples,
}
"""What a `Workload` on text is made of, but for its network."""
