"""Text on gated recurrent units: the bracket to be closed is out of sight of any short count.

A small gated recurrent network (GRU: Cho et al., 2014 [cho2014learning]) reads windows of
characters and scores the next one; see `bionet.workloads.text` for the texts. The loss is the mean
cross-entropy of the next character, in nats; that of the frozen control is of a softmax readout on
the same frozen units.

A method has to make the network remember what is open. Without its recurrence it sees one
character; a count of four sees the last bracket, a longer one those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from bionet.modules.through_time.cells import Synapses
from bionet.training.control.control import Control
from bionet.training.control.linear_readout import LinearReadout
from bionet.workloads import text
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config(text.Text):
    """Numbers of data and network; the defaults are for the grammar."""

    units: int = 24  # gated units
    recurrent: bool = True  # False empties the memory before each character


# Network: characters -> gated recurrent units -> a score per character.


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
        n, characters = config.units, config.characters
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


def _solve(model: Reader, W: Float[Array, "d k"], b: Float[Array, " k"]) -> Reader:
    return eqx.tree_at(lambda m: (m.readout.W, m.readout.bias), model, (W, b))


# Without its memory the frozen network would see one character, as the bigram does.
READOUT = LinearReadout(text.features, _solve, lambda model: model.readout.W.shape)

WORKLOAD = Workload(
    id="text-gru",
    **text.SHARED,
    architecture="gru",
    config=Config(),
    build=Reader,
    control=Control.solved_readout(lambda config: READOUT),
    presets={"tinyshakespeare": {"units": 64}},
)
