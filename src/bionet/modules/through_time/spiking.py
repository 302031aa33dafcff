"""Spiking units without weights: what a current does to a voltage, and when that makes a spike.

All are cells, `(current, state) -> (answer, state)`: leaky integrate-and-fire units, the same with
a threshold that rises with each spike, and leaky integrators that never spike, for a readout.
A unit integrates first and spikes in the same step. Weights come before them (`Synapses`) or
around them (`RecurrentSpiking`).

Spikes are a function of the state, and only the state is carried from step to step.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, DTypeLike, Float

from bionet.modules.parameters import per_unit, positive, width
from bionet.modules.through_time.cells import AbstractCell, Shape, batch_axes
from bionet.modules.through_time.leak import Leak
from bionet.modules.through_time.surrogates import Surrogate

Units = Float[Array, "*batch units"]
Spike = Callable[[Array], Array]


class AbstractNeuron(AbstractCell):
    """Spiking units that do not talk to each other: a current in, spikes out."""

    @abc.abstractmethod
    def spikes(self, state: Any) -> Units:
        """Returns 1 for each unit that spikes in this state, else 0."""

    @abc.abstractmethod
    def advance(self, current: Units, state: Any, spikes: Units) -> Any:
        """The state one step later.

        Args:
            current: what comes in now.
            state: that of the step before.
            spikes: those of the step before, `self.spikes(state)`; whoever has them already
                need not make them again.
        """

    def __call__(self, x: Units, state: Any) -> tuple[Units, Any]:
        """The spikes of this step, and the state that made them."""
        state = self.advance(x, state, self.spikes(state))
        return self.spikes(state), state


@final
class LIF(AbstractNeuron):
    """Leaky integrate-and-fire units, reset by subtraction.

    The voltage is `v[t] = leak * v[t-1] + current[t] - threshold * z[t-1]`, and the unit spikes,
    `z[t] = 1`, if `v[t] >= threshold`. The state is the voltage alone, from before the reset.

    Args:
        features: number of units.
        leak: the share of the voltage that a step leaves; for all units, or one per unit.
        threshold: of the voltage, above 0; for all units, or one per unit. It does not learn.
        surrogate: the spike and its derivative: a `Surrogate`, its name, or any function from
            the voltage less its threshold to spikes.
        learn_leak: whether the leak learns.
        reset_gradient: whether gradients go through the reset too. Without it deep networks
            learn more reliably (Zenke and Vogels 2021).
        dtype: of leak and threshold, and so of the voltage.

    Raises:
        ValueError: a width that is no positive int; a leak or threshold out of its range, or of
            another shape.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.modules import LIF, over_time

        spikes, voltage = over_time(LIF(1, leak=0.5), jnp.full((6, 1), 0.75))
        print(spikes[:, 0])
        ```

    Source:
        Neftci, Mostafa and Zenke (2019) [neftci2019surrogate]; the reset is not leaked, as in
        Bellec et al. (2018) [bellec2018long].
    """

    leak: Leak
    threshold: Float[Array, "..."]
    surrogate: Spike
    features: int = eqx.field(static=True)
    reset_gradient: bool = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        leak: ArrayLike = 0.9,
        *,
        threshold: ArrayLike = 1.0,
        surrogate: Spike | str = "superspike",
        learn_leak: bool = True,
        reset_gradient: bool = False,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        self.features = width("LIF", "features", features)
        self.leak = Leak("LIF", "leak", leak, self.features, learned=learn_leak, dtype=dtype)
        self.threshold = _threshold("LIF", threshold, self.features, dtype)
        self.surrogate = _spike("LIF", surrogate, dtype)
        self.reset_gradient = bool(reset_gradient)

    @property
    def in_features(self) -> int:
        """A current for each unit."""
        return self.features

    def spikes(self, state: Units) -> Units:
        """1 where the voltage is at its threshold or above."""
        return self.surrogate(state - self.threshold)

    def advance(self, current: Units, state: Units, spikes: Units) -> Units:
        """The next voltage."""
        reset = spikes if self.reset_gradient else jax.lax.stop_gradient(spikes)
        return self.leak.value * state + current - self.threshold * reset

    def initial(self, batch_shape: Shape = ()) -> Units:
        """No voltage."""
        return jnp.zeros((*batch_axes(batch_shape), self.features), self.threshold.dtype)

    def trained(self) -> dict[str, bool | Array]:
        """The leak, if it was made to learn."""
        return {"leak": True} if self.leak.learned else {}


class Adapting(NamedTuple):
    """The state of adaptive units: voltage, and the trace of past spikes."""

    voltage: Array
    adaptation: Array


@final
class AdaptiveLIF(AbstractNeuron):
    """Leaky integrate-and-fire units whose threshold rises with each spike and falls back slowly.

    With `a[t] = memory * a[t-1] + (1 - memory) * z[t-1]`, a trace between 0 and 1, the threshold
    is `threshold + strength * a[t]`. The voltage is that of `LIF`, and the reset subtracts the
    resting threshold. The trace remembers for much longer than the voltage does, which is what
    such units are for.

    Args:
        features: number of units.
        leak: the share of the voltage that a step leaves; for all units, or one per unit.
        memory: the share of the trace that a step leaves, likewise.
        strength: how far the threshold of a unit that spikes at every step rises, 0 or more.
        threshold: at rest, above 0. Neither it nor the strength learns.
        surrogate: the spike and its derivative: a `Surrogate`, its name, or any function from
            the voltage less its threshold to spikes.
        learn_leak: whether leak and memory learn.
        reset_gradient: whether gradients go through the reset too; they always go through the
            trace.
        dtype: of all leaves, and so of the state.

    Raises:
        ValueError: a width that is no positive int; a number out of its range, or of another
            shape.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.modules import AdaptiveLIF, over_time

        spikes, state = over_time(AdaptiveLIF(1, memory=0.9, strength=5.0), jnp.ones((12, 1)))
        print(spikes[:, 0], state.adaptation)
        ```

    Source:
        Bellec et al., "Long short-term memory and learning-to-learn in networks of spiking
        neurons" (2018) [bellec2018long]; the reset is that of Bellec et al. (2020).
    """

    leak: Leak
    memory: Leak
    strength: Float[Array, "..."]
    threshold: Float[Array, "..."]
    surrogate: Spike
    features: int = eqx.field(static=True)
    reset_gradient: bool = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        leak: ArrayLike = 0.9,
        memory: ArrayLike = 0.99,
        *,
        strength: ArrayLike = 1.0,
        threshold: ArrayLike = 1.0,
        surrogate: Spike | str = "superspike",
        learn_leak: bool = True,
        reset_gradient: bool = False,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "AdaptiveLIF"
        n = self.features = width(owner, "features", features)
        self.leak = Leak(owner, "leak", leak, n, learned=learn_leak, dtype=dtype)
        self.memory = Leak(owner, "memory", memory, n, learned=learn_leak, dtype=dtype)
        self.strength = per_unit(owner, "strength", strength, n, dtype, each="unit")
        if not isinstance(self.strength, Tracer) and (np.asarray(self.strength) < 0).any():
            raise ValueError(f"{owner}: strength needs to be 0 or more, got {strength!r}.")
        self.threshold = _threshold(owner, threshold, n, dtype)
        self.surrogate = _spike(owner, surrogate, dtype)
        self.reset_gradient = bool(reset_gradient)

    @property
    def in_features(self) -> int:
        """A current for each unit."""
        return self.features

    def spikes(self, state: Adapting) -> Units:
        """1 where the voltage is at its present threshold or above."""
        return self.surrogate(state.voltage - self.threshold - self.strength * state.adaptation)

    def advance(self, current: Units, state: Adapting, spikes: Units) -> Adapting:
        """The next voltage and trace."""
        reset = spikes if self.reset_gradient else jax.lax.stop_gradient(spikes)
        memory = self.memory.value
        return Adapting(
            self.leak.value * state.voltage + current - self.threshold * reset,
            memory * state.adaptation + (1 - memory) * spikes,
        )

    def initial(self, batch_shape: Shape = ()) -> Adapting:
        """No voltage, and the threshold at rest."""
        shape = (*batch_axes(batch_shape), self.features)
        return Adapting(*(jnp.zeros(shape, self.threshold.dtype) for _ in range(2)))

    def trained(self) -> dict[str, bool | Array]:
        """Leak and memory, if they were made to learn."""
        return {"leak": True, "memory": True} if self.leak.learned else {}


@final
class LeakyIntegrator(AbstractCell):
    """Units that never spike: `v[t] = leak * v[t-1] + current[t]`, and the voltage is the answer.

    Args:
        features: number of units.
        leak: the share of the voltage that a step leaves; for all units, or one per unit. A
            fixed leak of 1 sums everything up.
        learn_leak: whether the leak learns.
        dtype: of the leak, and so of the voltage.

    Raises:
        ValueError: a width that is no positive int; a leak out of its range, or of another shape.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.modules import LeakyIntegrator, over_time

        print(over_time(LeakyIntegrator(1, leak=0.5), jnp.ones((4, 1)))[0][:, 0])
        ```
    """

    leak: Leak
    features: int = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        leak: ArrayLike = 0.9,
        *,
        learn_leak: bool = True,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        owner = "LeakyIntegrator"
        self.features = width(owner, "features", features)
        self.leak = Leak(owner, "leak", leak, self.features, learned=learn_leak, dtype=dtype)

    @property
    def in_features(self) -> int:
        """A current for each unit."""
        return self.features

    def __call__(self, x: Units, state: Units) -> tuple[Units, Units]:
        """The voltage after the current `x`, as answer and as state."""
        voltage = self.leak.value * state + x
        return voltage, voltage

    def initial(self, batch_shape: Shape = ()) -> Units:
        """No voltage."""
        return jnp.zeros((*batch_axes(batch_shape), self.features), self.leak.raw.dtype)

    def trained(self) -> dict[str, bool | Array]:
        """The leak, if it was made to learn."""
        return {"leak": True} if self.leak.learned else {}


def _threshold(owner: str, value: ArrayLike, units: int, dtype: DTypeLike) -> Float[Array, "..."]:
    return positive(owner, "threshold", per_unit(owner, "threshold", value, units, dtype, "unit"))


def _spike(owner: str, surrogate: Spike | str, dtype: DTypeLike) -> Spike:
    if isinstance(surrogate, str):
        return Surrogate(surrogate, dtype=dtype)
    if not callable(surrogate):
        raise TypeError(
            f"{owner}: surrogate needs to be a Surrogate, its name or a function, got "
            f"{surrogate!r}."
        )
    return surrogate
