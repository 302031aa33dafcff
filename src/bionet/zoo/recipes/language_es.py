"""How far does evolution get on text, with a gated recurrent network and losses alone?

A small gated recurrent network (GRU: Cho et al., 2014, arXiv:1406.1078) predicts the next
character, trained by low-rank evolution (Sarkar et al., 2025, arXiv:2511.16652): the members of a
population differ from the mean by matrices of rank one, and nothing but their losses is looked at.
By default it reads a drawn grammar of nested brackets with fillers between; `tinyshakespeare`, a
megabyte of plays, is read from a file. Each window begins with an empty memory.

There are two recipes in this file, which differ in their numbers alone. `language-es` reads windows
of 32 characters, in which less is open at a time and more of the text is its easy beginning, so its
numbers do not compare with those of `language-s5`. `language-es-v2` reads the windows of 64 that
`language-s5` reads, and as many of them.

What to expect: more than trigrams guess, which see the fillers and no bracket; about what a count
of four characters guesses, which sees the last bracket; less than the best count of up to 16
characters, which sees the brackets before it. Without its recurrence (the ablation) the network
sees one character. The frozen control solves the readout of the gated units at their random start
by ridge, which falls short of the network; a softmax readout on the same frozen units guesses more
than the ridge and more than the network: its share stands beside the control's.
Backprop on the same network is `--method backprop`.

The loss is the mean cross-entropy of the next character, in nats; that of the frozen control is of
the softmax readout. The metric is the share of characters that are guessed right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bionet.datasets import Parts
from bionet.datasets.counts import language_floors
from bionet.datasets.text import CHARACTERS, read_text
from bionet.modules.cells import Synapses
from bionet.training.frozen_readout import LinearReadout
from bionet.training.lowrank_es import LowRankES
from bionet.training.objective import Objective
from bionet.zoo.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe; the defaults are for the grammar."""

    dataset: str = "grammar"  # drawn; or tinyshakespeare, from a file
    window: int = 32  # characters that are read at a time
    sequences: int = 512  # of the grammar, to train on
    units: int = 24  # gated units
    recurrent: bool = True  # False empties the memory before each character
    rank: int = 1  # of the noise in each weight matrix
    population: int = 128  # networks that are judged in each generation
    chunk: int | None = None  # networks that are judged at a time; None is all
    sigma: float = 0.05  # standard deviation of the noise in each weight
    learning_rate: float = 0.05  # of Adam at the start; it falls to zero along a cosine
    batch_size: int = 16  # windows that all networks of a generation are judged on
    epochs: int = 4  # passes over the training windows


# The data of language-s5: windows of 64, and as many of them. Sigma and batch size are tuned.
WIDE = Config(window=64, sequences=1024, sigma=0.1, batch_size=8)
PRESETS = {
    "tinyshakespeare": {
        "units": 64,
        "population": 256,
        "chunk": 64,
        "learning_rate": 0.02,
        "epochs": 1,
    }
}
TRAINING_TEXT = {"tinyshakespeare": 953_854}


# Data: windows of character ids, and the same one character later.


def data(config: Config, seed: int) -> Parts:
    """The text, whose split is the same for all seeds, or the grammar, drawn from the seed."""
    return read_text(config.dataset, seed, window=config.window, sequences=config.sequences)


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Int[Array, "batch time"], Int[Array, "batch time"]]:
    """A text of random characters, each followed by itself or the next one."""
    first, more = jax.random.split(key)
    characters = CHARACTERS[config.dataset]
    start = jax.random.randint(first, (batch_size, 1), 0, characters, jnp.int32)
    steps = jax.random.bernoulli(more, 0.5, (batch_size, config.window)).astype(jnp.int32)
    text = jnp.concatenate([start, start + jnp.cumsum(steps, 1)], 1) % characters
    return text[:, :-1], text[:, 1:]


def baselines(config: Config, parts: Parts) -> dict[str, float]:
    """The share that counting guesses of the test text, and of the grammar the optimum."""
    return language_floors(config.dataset, parts)


# Model: characters -> gated recurrent units -> a score per character.


@final
class Reader(eqx.Module):
    """Reads characters and scores the next one, at each place of a window."""

    embedding: Float[Array, "characters gates"]
    J: Float[Array, "units gates"]
    bias: Float[Array, " gates"]
    readout: Synapses
    recurrent: bool = eqx.field(static=True)

    def __init__(self, config: Config, key: PRNGKeyArray) -> None:
        into, between, out = jax.random.split(key, 3)
        n, characters = config.units, CHARACTERS[config.dataset]
        self.embedding = jax.random.normal(into, (characters, 3 * n))
        self.J = jax.random.normal(between, (n, 3 * n)) / n**0.5
        self.bias = jnp.zeros(3 * n)
        self.readout = Synapses(n, characters, out)
        self.recurrent = config.recurrent

    def units(self, ids: Int[Array, "n time"]) -> Float[Array, "time n units"]:
        """The gated units, at each place of a window."""
        seen = jax.nn.one_hot(ids.T, len(self.embedding)) @ self.embedding + self.bias

        def step(
            memory: Float[Array, "n units"], driven: Float[Array, "n gates"]
        ) -> tuple[Float[Array, "n units"], Float[Array, "n units"]]:
            if not self.recurrent:
                memory = jnp.zeros_like(memory)
            keep, reset, new = jnp.split(driven, 3, -1)
            of_keep, of_reset, of_new = jnp.split(memory @ self.J, 3, -1)
            keep, reset = jax.nn.sigmoid(keep + of_keep), jax.nn.sigmoid(reset + of_reset)
            memory = keep * memory + (1 - keep) * jnp.tanh(new + reset * of_new)
            return memory, memory

        blank = jnp.zeros((len(ids), len(self.J)))
        return jax.lax.scan(step, blank, seen)[1]

    def __call__(self, ids: Int[Array, "n time"]) -> Float[Array, "n time characters"]:
        """A score for each character as the next one."""
        return jnp.swapaxes(self.readout(self.units(ids))[0], 0, 1)


def network(config: Config, key: PRNGKeyArray) -> Reader:
    """The untrained network."""
    return Reader(config, key)


def predict(
    model: Reader, x: Int[Array, "n time"], key: PRNGKeyArray
) -> Float[Array, "n time characters"]:
    """A score per character as the next one."""
    return model(x)


# Objective, method and control.


def nats(outputs: Float[Array, "n time characters"], y: Int[Array, "n time"]) -> Float[Array, ""]:
    """The mean cross-entropy of the next character."""
    return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()


def guessed(
    outputs: Float[Array, "n time characters"], y: Int[Array, "n time"]
) -> Float[Array, ""]:
    """The share of characters that are guessed right."""
    return jnp.mean(outputs.argmax(-1) == y)


def trainer(config: Config) -> LowRankES:
    """Low-rank ES with Adam."""
    characters = TRAINING_TEXT.get(config.dataset)
    count = config.sequences if characters is None else (characters - 1) // config.window
    steps = max(config.epochs * (count // config.batch_size), 1)
    return LowRankES(
        Objective(predict, nats),
        rank=config.rank,
        population=config.population,
        sigma=config.sigma,
        chunk=config.chunk,
        optimizer=optax.adam(optax.cosine_decay_schedule(config.learning_rate, steps)),
    )


def _heard(
    model: Reader, x: Int[Array, "n time"], key: PRNGKeyArray
) -> Float[Array, "n time units"]:
    """What the readout listens to."""
    return jnp.swapaxes(model.units(x), 0, 1)


def _solved(model: Reader, W: Float[Array, "d k"], b: Float[Array, " k"]) -> Reader:
    return eqx.tree_at(lambda m: (m.readout.W, m.readout.bias), model, (W, b))


# Without its memory the frozen network would see one character, as the bigram does.
LINEAR = LinearReadout(_heard, _solved, lambda model: model.readout.W.shape)

# What both recipes are made of; they differ in their numbers alone.
SHARED: dict[str, Any] = {
    "data": data,
    "network": network,
    "trainer": trainer,
    "predictor": lambda config: predict,
    "objective": lambda config: nats,
    "score": guessed,
    "synthetic": synthetic,
    "baselines": baselines,
    "linear": lambda config: LINEAR,
    "ablation": {"recurrent": False},
    "ablated": "the memory from character to character",
}
RECIPE_V2 = Recipe(id="language-es-v2", defaults=WIDE, brief={"epochs": 1}, **SHARED)
RECIPE = Recipe(
    id="language-es",
    defaults=Config(),
    presets=PRESETS,
    revisions={"control": 2, "baselines": 2},
    **SHARED,
)
