"""Text on state-space layers: the bracket to be closed is out of sight of any short count.

A small network of S5 layers (Smith, Warrington and Linderman, 2022 [smith2022simplified]) reads
windows of characters and scores the next one; see `bionet.workloads.text` for the texts. The loss
is the mean cross-entropy of the next character, in nats; that of the frozen control is of a softmax
readout on the same frozen features.

A method has to make the network remember what is open. Without its state-space layers it sees one
character and is a bigram; a count of four sees the last bracket, a longer one those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.state_space import S5
from bionet.training.control.control import Control
from bionet.training.control.linear_readout import LinearReadout
from bionet.workloads import text
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config(text.Text):
    """Numbers of data and network; the defaults are for the grammar."""

    units: int = 32  # width of the network
    poles: int = 32  # oscillators of each state-space layer
    blocks: int = 2  # state-space layers, each with a gate behind it
    memory: bool = True  # False leaves the state-space layers out
    shortest: float = 0.01  # step lengths of the poles at the start; 2 / length is their memory
    longest: float = 0.5  # likewise


PLAYS = {"window": 128, "units": 128, "poles": 64, "blocks": 3}


# Network: characters -> [state-space layer, gate] of each block -> a score per character.


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
        characters = config.characters
        self.embedding = jax.random.normal(first, (characters, config.units))
        self.blocks = tuple(Block(config, key) for key in keys)
        self.norm = eqx.nn.LayerNorm(config.units)
        self.readout = eqx.nn.Linear(config.units, characters, key=last)

    def units(self, ids: Int[Array, "n time"]) -> Float[Array, "time n units"]:
        """Returns the features of the readout, at each place of a window."""
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


def _solve(model: Reader, W: Float[Array, "d k"], b: Float[Array, " k"]) -> Reader:
    return eqx.tree_at(lambda m: (m.readout.weight, m.readout.bias), model, (W.T, b))


# Without its memory the frozen network would see one character, as the bigram does.
READOUT = LinearReadout(text.features, _solve, lambda model: model.readout.weight.shape[::-1])

WORKLOAD = Workload(
    id="text-s5",
    **text.SHARED,
    architecture="s5",
    config=Config(),
    build=Reader,
    control=Control.solved_readout(lambda config: READOUT),
    presets={"tinyshakespeare": PLAYS},
)
