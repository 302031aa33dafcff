"""Delays: the time that a step takes, and the time that a message travels.

A delay is drawn by NumPy when computation graphs are generated, in whole ticks. The trainable
delay is another kind of thing. Graphs are made with its lower end, so that a message is there
as soon as it ever can be; a window then holds the messages of the whole range, and the node
reads the signal as it was one delay ago, by interpolation. Time is thus a number that gradients
flow to, and the schedule stays as it is.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from bionet.graph.base import TICKS_PER_SECOND, ticks
from bionet.graph.state import InputState


class AbstractDelay(eqx.Module):
    """A distribution over delays."""

    @abc.abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
        """Draws `n` delays, in ticks, none negative."""


@final
class Deterministic(AbstractDelay):
    """Always the same delay.

    Args:
        seconds: the delay.

    Raises:
        ValueError: a negative delay, or one that is not finite.
    """

    seconds: float = eqx.field(static=True)

    def __init__(self, seconds: float) -> None:
        self.seconds = _seconds("Deterministic", "seconds", seconds)

    def sample(self, rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
        return np.full(n, ticks(self.seconds))


@final
class ClippedNormal(AbstractDelay):
    """Normal delays; what falls outside of the range is moved to its end.

    Args:
        mean: in seconds, before clipping.
        std: in seconds, before clipping.
        low: the shortest delay, in seconds.
        high: the longest delay, in seconds; None for any.

    Raises:
        ValueError: a number that is negative or not finite, or ends that are not in order.

    Example:
        ```python
        import numpy as np
        from bionet.graph import ClippedNormal

        print(ClippedNormal(0.010, 0.0025).sample(np.random.default_rng(0), 3))
        ```
    """

    mean: float = eqx.field(static=True)
    std: float = eqx.field(static=True)
    low: float = eqx.field(static=True)
    high: float | None = eqx.field(static=True)

    def __init__(
        self, mean: float, std: float, low: float = 0.0, high: float | None = None
    ) -> None:
        self.mean = _seconds("ClippedNormal", "mean", mean)
        self.std = _seconds("ClippedNormal", "std", std)
        self.low = _seconds("ClippedNormal", "low", low)
        self.high = None if high is None else _seconds("ClippedNormal", "high", high)
        _in_order("ClippedNormal", self.low, math.inf if self.high is None else self.high)

    def sample(self, rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
        return ticks(np.clip(rng.normal(self.mean, self.std, n), self.low, self.high))


@final
class Uniform(AbstractDelay):
    """Any delay between two, with equal probability.

    Args:
        low: the shortest delay, in seconds.
        high: the longest delay, in seconds.

    Raises:
        ValueError: a number that is negative or not finite, or ends that are not in order.
    """

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, low: float, high: float) -> None:
        self.low = _seconds("Uniform", "low", low)
        self.high = _seconds("Uniform", "high", high)
        _in_order("Uniform", self.low, self.high)

    def sample(self, rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
        return ticks(rng.uniform(self.low, self.high, n))


@final
class Mixture(AbstractDelay):
    """Each delay is drawn from one of several distributions, which is drawn first.

    It is what measured delays often look like: mostly short, and now and then a long one.

    Args:
        delays: the distributions.
        weights: how often each is taken, in proportion; None for equally often.

    Raises:
        TypeError: a part that is no delay, or is a trainable one.
        ValueError: no parts, another number of weights, or weights that are negative or all 0.
    """

    delays: tuple[AbstractDelay, ...]
    weights: tuple[float, ...] = eqx.field(static=True)

    def __init__(
        self, delays: Sequence[AbstractDelay], weights: Sequence[float] | None = None
    ) -> None:
        for delay in delays:
            if not isinstance(delay, AbstractDelay) or isinstance(delay, TrainableDelay):
                raise TypeError(
                    "Mixture: needs delays that are drawn, such as Uniform, got "
                    f"{type(delay).__name__}."
                )
        weights = [1.0] * len(delays) if weights is None else [float(w) for w in weights]
        total = sum(weights)
        if not delays or len(weights) != len(delays):
            raise ValueError(
                f"Mixture: needs one weight per delay and one delay at least, got {len(delays)} "
                f"delays and {len(weights)} weights."
            )
        if min(weights) < 0 or not 0 < total < math.inf:
            raise ValueError(
                f"Mixture: weights need to be 0 or more, finite, and not all 0, got {weights}."
            )
        self.delays = tuple(delays)
        self.weights = tuple(w / total for w in weights)

    def sample(self, rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
        drawn = np.stack([delay.sample(rng, n) for delay in self.delays])
        return drawn[rng.choice(len(self.delays), n, p=self.weights), np.arange(n)]


@final
class TrainableDelay(AbstractDelay):
    """A delay that gradients flow to: the signal as it was that long ago, out of a window.

    Give it to `connect`, with the `window` that `window_for` names, and put it into the node's
    parameters too. In the step, `delay(inputs, ts)` is the message that would have arrived just
    now; between two messages it is on the straight line from one to the other. A delay outside
    of the range is read as its end, and has no gradient there.

    Args:
        low: the shortest delay, in seconds. Generated messages take this long.
        high: the longest delay, in seconds.
        seconds: where training starts; None for the middle.

    Raises:
        ValueError: a number that is negative or not finite, or numbers that are not in order.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.graph import InputState, TrainableDelay

        seen = InputState(
            seq=jnp.array([3, 4]),
            ts_sent=jnp.array([60_000, 80_000]),
            ts_recv=jnp.array([60_000, 80_000]),
            data=jnp.array([1.0, 3.0]),
        )
        delay = TrainableDelay(0.0, 0.04, seconds=0.015)
        print(delay(seen, ts=jnp.array(80_000)))  # a quarter of the way from 1 to 3
        print(jax.grad(lambda d: d(seen, jnp.array(80_000)))(delay).seconds)  # -100 per second
        ```
    """

    seconds: Float[Array, ""]
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, low: float, high: float, seconds: float | None = None) -> None:
        self.low = _seconds("TrainableDelay", "low", low)
        self.high = _seconds("TrainableDelay", "high", high)
        _in_order("TrainableDelay", self.low, self.high)
        start = (self.low + self.high) / 2 if seconds is None else seconds
        start = _seconds("TrainableDelay", "seconds", start)
        if not self.low <= start <= self.high:
            raise ValueError(
                f"TrainableDelay: seconds needs to lie between low and high, {self.low} and "
                f"{self.high}, got {start}."
            )
        self.seconds = jnp.asarray(start)

    def sample(self, rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
        return np.full(n, ticks(self.low))

    def window_for(self, rate: float, jitter: float = 0.0) -> int:
        """Returns the number of messages of a sender at `rate` that cover the whole range.

        Args:
            rate: the sender's, in Hz.
            jitter: how much later than planned a message may be sent at most, in seconds.
        """
        reach = (self.high - self.low + jitter) * rate
        # One more than fit in, for the end of the line that lies before the range.
        return math.ceil(reach - 1e-9) + 1

    def __call__(self, inputs: InputState, ts: Int[ArrayLike, ""]) -> PyTree[Array]:
        """The message that arrives at `ts`, of the shape of one message.

        Args:
            inputs: the window. Before the oldest and after the newest of its messages the
                signal is constant; the output from before the first step is no end of a line.
            ts: now, in ticks.
        """
        delay = jnp.clip(self.seconds, self.low, self.high) * TICKS_PER_SECOND
        # Times relative to now are small, so that single precision holds each tick of them.
        sent = (inputs.ts_sent - ts).astype(delay.dtype)
        older = (sent <= -delay) | (inputs.seq < 0)
        left = jnp.clip(older.sum() - 1, 0, len(inputs) - 1)
        right = jnp.clip(left + 1, 0, len(inputs) - 1)
        gap = sent[right] - sent[left]
        on_line = older[left] & (inputs.seq[left] >= 0) & (gap > 0)
        share = jnp.where(on_line, (-delay - sent[left]) / jnp.where(gap > 0, gap, 1.0), 0.0)

        def between(data: Array) -> Array:
            # Off the line nothing of the other end is seen, be it infinite.
            end = jnp.where(on_line, data[right], data[left])
            mixed = data[left] + share.astype(data.dtype) * (end - data[left])
            return jnp.where(on_line, mixed, data[left]).astype(data.dtype)

        return jax.tree.map(between, inputs.data)


def as_delay(where: str, delay: AbstractDelay | float) -> AbstractDelay:
    """The delay itself, or seconds as a delay that is always the same."""
    if isinstance(delay, AbstractDelay):
        return delay
    if isinstance(delay, bool) or not isinstance(delay, int | float | np.number):
        raise TypeError(f"{where}: delay needs seconds or a delay, got {delay!r}.")
    return Deterministic(_seconds(where, "delay", delay))


def _seconds(where: str, name: str, value: float) -> float:
    try:
        fine = math.isfinite(value) and value >= 0
    except TypeError:
        raise TypeError(f"{where}: {name} needs seconds, got {value!r}.") from None
    if not fine:
        raise ValueError(f"{where}: {name} needs finite seconds, 0 or more, got {value}.")
    return float(value)


def _in_order(where: str, low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"{where}: needs low <= high, got {low} and {high}.")
