"""Does a state-space network remember what a window of characters does not show?

A small network of S5 layers (Smith, Warrington and Linderman, 2022, arXiv:2208.04933) predicts the
next character, trained by backprop. By default it reads a drawn grammar of nested brackets with
fillers between, where the bracket to be closed is out of sight of trigrams, in windows of 64
characters; `tinyshakespeare`, a megabyte of plays, is read from a file. Each window begins with an
empty memory.

What to expect: on the grammar about what the optimum guesses, which knows the grammar and all that
is open, and more than any count of up to 16 characters. A count of four sees the last bracket, a
longer one the brackets before it. Without its state-space layers (the ablation) the network sees
one character and is a bigram. The frozen control solves the readout by ridge, behind state-space
layers that stay at their random start.

The loss is the mean cross-entropy of the next character, in nats; that of the frozen control is of
a softmax readout on the same frozen features. The metric is the share of
characters that are guessed right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bionet.datasets import Parts
from bionet.datasets.counts import language_floors
from bionet.datasets.text import CHARACTERS, read_text
from bionet.modules.over_time import over_time
from bionet.modules.state_space import S5
from bionet.training.frozen_readout import LinearReadout
from bionet.training.gradient import Gradient
from bionet.training.objective import Objective
from bionet.zoo.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """All numbers of the recipe; the defaults are for the grammar."""

    dataset: str = "grammar"  # drawn; or tinyshakespeare, from a file
    window: int = 64  # characters that are read at a time
    sequences: int = 1024  # of the grammar, to train on
    units: int = 32  # width of the network
    poles: int = 32  # oscillators of each state-space layer
    blocks: int = 2  # state-space layers, each with a gate behind it
    memory: bool = True  # False leaves the state-space layers out
    shortest: float = 0.01  # step lengths of the poles at the start; 2 / length is their memory
    longest: float = 0.5  # likewise
    learning_rate: float = 3e-2  # of Adam, after a rise and before a fall along a cosine
    batch_size: int = 32  # windows per step
    epochs: int = 8  # passes over the training windows


PRESETS = {
    "tinyshakespeare": {
        "window": 128,
        "units": 128,
        "poles": 64,
        "blocks": 3,
        "learning_rate": 4e-3,
        "batch_size": 16,
        "epochs": 4,
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


# Model: characters -> [state-space layer, gate] of each block -> a score per character.


@final
class Block(eqx.Module):
    """A state-space layer and a gate that mixes its units, around both of which there is a way."""

    norm: eqx.nn.LayerNorm
    layer: S5 | None
    gate: eqx.nn.Linear

    def __init__(self, config: Config, key: PRNGKeyArray) -> None:
        inner, outer = jax.random.split(key)
        n, s5 = config.units, None
        if config.memory:
            s5 = S5(n, config.poles, inner, shortest=config.shortest, longest=config.longest)
        self.norm = eqx.nn.LayerNorm(n)
        self.layer = s5
        self.gate = eqx.nn.Linear(n, 2 * n, key=outer)

    def __call__(self, xs: Float[Array, "time n units"]) -> Float[Array, "time n units"]:
        """The sequence, with what the block has to add."""
        seen = per_character(self.norm, xs)
        if self.layer is not None:
            seen, _ = over_time(self.layer, seen)
        value, gate = jnp.split(per_character(self.gate, jax.nn.gelu(seen)), 2, -1)
        return xs + value * jax.nn.sigmoid(gate)


@final
class Reader(eqx.Module):
    """Reads characters and scores the next one, at each place of a window."""

    embedding: Float[Array, "characters units"]
    blocks: tuple[Block, ...]
    norm: eqx.nn.LayerNorm
    readout: eqx.nn.Linear

    def __init__(self, config: Config, key: PRNGKeyArray) -> None:
        first, last, *keys = jax.random.split(key, 2 + config.blocks)
        characters = CHARACTERS[config.dataset]
        self.embedding = jax.random.normal(first, (characters, config.units))
        self.blocks = tuple(Block(config, key) for key in keys)
        self.norm = eqx.nn.LayerNorm(config.units)
        self.readout = eqx.nn.Linear(config.units, characters, key=last)

    def units(self, ids: Int[Array, "n time"]) -> Float[Array, "time n units"]:
        """What the readout listens to, at each place of a window."""
        xs = self.embedding[ids.T]
        for block in self.blocks:
            xs = block(xs)
        return per_character(self.norm, xs)

    def __call__(self, ids: Int[Array, "n time"]) -> Float[Array, "n time characters"]:
        """A score for each character as the next one."""
        return jnp.swapaxes(per_character(self.readout, self.units(ids)), 0, 1)


def per_character(
    layer: eqx.nn.Linear | eqx.nn.LayerNorm, xs: Float[Array, "time n units"]
) -> Float[Array, "time n more"]:
    """A layer of Equinox on each character of each window."""
    return jax.vmap(jax.vmap(layer))(xs)


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


def trainer(config: Config) -> Gradient:
    """Backprop with Adam, and a bound on the gradient."""
    characters = TRAINING_TEXT.get(config.dataset)
    count = config.sequences if characters is None else (characters - 1) // config.window
    steps = max(config.epochs * (count // config.batch_size), 2)
    rate = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, min(100, steps // 10), steps, 0.01 * config.learning_rate
    )
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=0.01))
    return Gradient(Objective(predict, nats), optimizer)


def _heard(
    model: Reader, x: Int[Array, "n time"], key: PRNGKeyArray
) -> Float[Array, "n time units"]:
    """What the readout listens to."""
    return jnp.swapaxes(model.units(x), 0, 1)


def _solved(model: Reader, W: Float[Array, "d k"], b: Float[Array, " k"]) -> Reader:
    return eqx.tree_at(lambda m: (m.readout.weight, m.readout.bias), model, (W.T, b))


# Without its memory the frozen network would see one character, as the bigram does.
LINEAR = LinearReadout(_heard, _solved, lambda model: model.readout.weight.shape[::-1])

RECIPE = Recipe(
    id="language-s5",
    defaults=Config(),
    presets=PRESETS,
    data=data,
    network=network,
    trainer=trainer,
    predictor=lambda config: predict,
    objective=lambda config: nats,
    score=guessed,
    synthetic=synthetic,
    baselines=baselines,
    linear=lambda config: LINEAR,
    ablation={"memory": False},
    ablated="the state-space layers",
    revisions={"control": 2, "baselines": 2},
)
