"""Stored patterns: what a recurrent network recalls from a bad cue.

One layer of binary units with asymmetric couplings is shown random patterns; then it is started
from a corrupted one and settles. Hebb's rule (Hopfield, 1982 [hopfield1982neural]), which
adds each pattern once, breaks down above 0.14 patterns per unit, and the load here is
`patterns / units` = 0.3. Cues for training, validation and test are corrupted independently; the
patterns are the same, since what is to be learned is them. The loss is the share of wrong units
after recall, which is a count and has no slope.

A method has to make every pattern hold itself. There is no frozen control: no layer is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from bionet._core.grids import search_grid
from bionet.datasets import Part, Parts
from bionet.datasets.floors import PENALTIES
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.training.local.storage import Recall, recalled, wrong_bits
from bionet.training.objective import Objective
from bionet.workloads.workload import Workload


@dataclass(frozen=True)
class Config:
    """Numbers of data and network."""

    dataset: str = "patterns"  # drawn, so there is no file
    units: int = 200  # binary units
    patterns: int = 60  # stored patterns; the load is patterns / units
    flip: float = 0.15  # share of units of a cue that are wrong
    cues: int = 10  # cues per pattern, for validation and again for the test
    margin: float = 4.0  # local field asked for on the right side, with couplings of order 1
    steps: int = 20  # updates of all units in a recall


# Data: random patterns, and cues with fresh noise for each part.


def data(config: Config, seed: int) -> Parts:
    """The patterns of a seed, and corrupted ones as cues."""
    streams = np.random.SeedSequence(seed).spawn(4)
    drawn, *noise = (np.random.default_rng(stream) for stream in streams)
    patterns = drawn.choice(np.array([-1.0, 1.0], np.float32), (config.patterns, config.units))
    train, validation, test = (
        _cues(config, patterns, rng, count)
        for rng, count in zip(noise, (1, config.cues, config.cues), strict=True)
    )
    return Parts(train, validation, test, name="patterns")


def _cues(config: Config, patterns: np.ndarray, rng: np.random.Generator, count: int) -> Part:
    y = np.repeat(patterns, count, axis=0)
    flips = rng.random(y.shape) < config.flip
    return Part(np.where(flips, -y, y), y)


def synthetic(
    config: Config, key: PRNGKeyArray, batch_size: int
) -> tuple[Float[Array, "batch units"], Float[Array, "batch units"]]:
    """Corrupted random patterns, and the patterns."""
    drawn, noise = jax.random.split(key)
    y = jax.random.rademacher(drawn, (batch_size, config.units), float)
    flips = jax.random.bernoulli(noise, config.flip, y.shape)
    return jnp.where(flips, -y, y), y


def baselines(config: Config, parts: Parts) -> dict[str, float]:
    """The cue as it is, Hebb's couplings, solved ones, and the optimum, on the test cues."""
    (cues, wanted), stored = parts.test, parts.train.y
    hebbian = stored.T @ stored / config.units
    np.fill_diagonal(hebbian, 0.0)
    answers = {
        "cue as it is": cues,
        "Hebb's rule": _recall(hebbian, cues, config.steps),
        "couplings solved by ridge": _recall(_solve(config, parts), cues, config.steps),
        "nearest stored pattern (optimum)": stored[np.argmax(cues @ stored.T, axis=1)],
    }
    return {name: _share(answer, wanted) for name, answer in answers.items()}


def _recall(couplings: np.ndarray, cues: np.ndarray, steps: int) -> np.ndarray:
    activity = cues
    for _ in range(steps):
        activity = np.where(activity @ couplings >= 0, 1.0, -1.0)
    return activity


def _share(answer: np.ndarray, wanted: np.ndarray) -> float:
    return float(recalled(jnp.asarray(answer), jnp.asarray(wanted)))


def _solve(config: Config, parts: Parts) -> np.ndarray:
    """Each unit regressed on all the others, at once; the penalty is chosen on validation cues."""
    stored = parts.train.y.astype(np.float64)

    def solve(penalty: float) -> np.ndarray:
        inverse = np.linalg.inv(stored.T @ stored + penalty * np.eye(config.units))
        couplings = -inverse / np.diag(inverse)
        np.fill_diagonal(couplings, 0.0)
        return couplings

    def score(penalty: float) -> float:
        cues, wanted = parts.validation or parts.train
        return _share(_recall(solve(penalty), cues, config.steps), wanted)

    return solve(search_grid(score, PENALTIES, beyond=10.0)[0])


# Network and loss.


def build(config: Config, key: PRNGKeyArray) -> RecurrentDiscrete:
    """The untrained layer, without self-coupling."""
    return RecurrentDiscrete(config.units, 0.0, config.margin, key)


WORKLOAD = Workload(
    id="stored-patterns",
    application="memory",
    architecture="binary-rnn",
    datasets=("patterns",),
    config=Config(),
    data=data,
    build=build,
    objective=lambda config: Objective(Recall(config.steps), wrong_bits),
    metric=recalled,
    synthetic=synthetic,
    baselines=baselines,
    examples=lambda config: config.patterns,
    metric_name="recall",
)
