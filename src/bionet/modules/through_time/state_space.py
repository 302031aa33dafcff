"""A diagonal state-space layer: many damped oscillators that listen to the input, and a readout.

Each oscillator is a complex pole of a linear differential equation, sampled by holding the input
for a step of learned length. A pole is held as the logarithm of its damping and its frequency,
so that it decays whatever an optimiser, or noise, does to these numbers: the layer is stable by
construction. Being linear in time it can be run over a whole sequence at once.
"""

from __future__ import annotations

import math
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike, Float, PRNGKeyArray

from bionet.kernels.linear_recurrence import Pair, linear_recurrence, plus, times
from bionet.modules.parameters import gaussian, width
from bionet.modules.through_time.cells import AbstractSequenceCell, Shape, batch_axes


@final
class S5(AbstractSequenceCell):
    """A linear layer with memory, `ds/dt = pole * s + x @ B`, `y = Re(s @ C) + D * x`.

    With the step length h of a pole, holding `x` during a step (zero-order hold) makes it
    `s[t] = exp(pole * h) * s[t-1] + (exp(pole * h) - 1) / pole * (x[t] @ B)`. All numbers are
    reals; `B`, `C` and the state have a real and an imaginary part. A network puts something
    that is not linear between such layers.

    Args:
        features: units in and out.
        poles: oscillators; each stands for itself and its complex conjugate, so that a layer of
            `poles` has a state of twice as many dimensions.
        key: of `B`, `C`, `D` and the step lengths.
        shortest: of the step lengths at the start, which are spread evenly in their logarithm.
        longest: likewise. A pole remembers for about `2 / h` steps at the start.
        parallel: whether a sequence is run as a tree, see `bionet.kernels.linear_recurrence`;
            None decides by the device.
        dtype: of all leaves. The recurrence is run in single precision at least.

    Raises:
        ValueError: a number of units or poles that is no positive int; step lengths that are
            not above 0, or not in order.

    Example:
        ```python
        import jax
        from bionet.modules import S5, over_time

        key = jax.random.key(0)
        ys, state = over_time(S5(8, poles=16, key=key), jax.random.normal(key, (100, 4, 8)))
        print(ys.shape, state.real.shape)
        ```

    Source:
        Smith, Warrington and Linderman, "Simplified state space layers for sequence modeling"
        (2022) [smith2022simplified]. The poles start as the eigenvalues of their normal matrix
        (HiPPO-N), in one block; `B` and `C` are drawn in the basis of the eigenvectors.
    """

    log_decay: Float[Array, " poles"]
    frequency: Float[Array, " poles"]
    log_step: Float[Array, " poles"]
    B: Float[Array, "2 units poles"]
    C: Float[Array, "2 poles units"]
    D: Float[Array, " units"]
    features: int = eqx.field(static=True)
    poles: int = eqx.field(static=True)
    parallel: bool | None = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        poles: int,
        key: PRNGKeyArray,
        *,
        shortest: float = 0.001,
        longest: float = 0.1,
        parallel: bool | None = None,
        dtype: DTypeLike = jnp.float32,
    ) -> None:
        n = self.features = width("S5", "features", features)
        p = self.poles = width("S5", "poles", poles)
        if not 0 < shortest <= longest < math.inf:
            raise ValueError(
                "S5: shortest and longest need to be above 0 and in this order, got "
                f"{shortest} and {longest}."
            )
        self.parallel = parallel
        keys = jax.random.split(key, 6)
        self.log_decay = jnp.full(p, math.log(0.5), dtype)
        self.frequency = jnp.asarray(hippo_frequencies(p), dtype)
        span = math.log(shortest), math.log(longest)
        self.log_step = jax.random.uniform(keys[0], (p,), dtype, *span)
        # Variance 1 / units for |B|², and 2 / poles for the two parts of a pole and its conjugate.
        into = [gaussian(k, n, p, math.sqrt(0.5), dtype) for k in keys[1:3]]
        out = [gaussian(k, p, n, math.sqrt(2), dtype) for k in keys[3:5]]
        self.B, self.C = jnp.stack(into), jnp.stack(out)
        self.D = jax.random.normal(keys[5], (n,), dtype)

    @property
    def in_features(self) -> int:
        """As many as it has."""
        return self.features

    @property
    def discrete(self) -> tuple[Pair, Pair]:
        """The factors of a step: of the state, and of the input."""
        wide = jnp.promote_types(self.B.dtype, jnp.float32)
        decay, frequency = jnp.exp(self.log_decay.astype(wide)), self.frequency.astype(wide)
        step = jnp.exp(self.log_step.astype(wide))
        damping, angle = jnp.exp(-decay * step), frequency * step
        pole = Pair(damping * jnp.cos(angle), damping * jnp.sin(angle))
        # exp(z) - 1 without the rounding errors of the difference, where z is small.
        less_one = jnp.expm1(-decay * step) * jnp.cos(angle) - 2 * jnp.sin(angle / 2) ** 2
        norm = decay**2 + frequency**2
        inverse = Pair(-decay / norm, -frequency / norm)
        held = times(Pair(less_one, pole.imaginary), inverse)
        return pole, times(held, Pair(*self.B.astype(wide)))

    def __call__(
        self, x: Float[Array, "*batch units"], state: Pair
    ) -> tuple[Float[Array, "*batch units"], Pair]:
        """The answer to `x`, and the state that it leaves."""
        pole, driven = self.discrete
        state = plus(times(pole, state), _drive(x, driven))
        return self._read(state, x), state

    def over_time(
        self, xs: Float[Array, "time *batch units"], state: Pair, *, unroll: int = 1
    ) -> tuple[Float[Array, "time *batch units"], Pair]:
        """All answers, and the state after the last step."""
        pole, driven = self.discrete
        states = linear_recurrence(pole, _drive(xs, driven), state, self.parallel, unroll)
        return self._read(states, xs), jax.tree.map(lambda s: s[-1], states)

    def initial(self, batch_shape: Shape = ()) -> Pair:
        """Oscillators at rest."""
        shape = (*batch_axes(batch_shape), self.poles)
        wide = jnp.promote_types(self.B.dtype, jnp.float32)
        return Pair(jnp.zeros(shape, wide), jnp.zeros(shape, wide))

    def trained(self) -> dict[str, bool | Array]:
        """Everything learns."""
        return dict.fromkeys(("log_decay", "frequency", "log_step", "B", "C", "D"), True)

    def _read(self, states: Pair, xs: Float[Array, "... units"]) -> Float[Array, "... units"]:
        parts = zip(states, self.C, (1, -1), strict=True)
        real, imaginary = (sign * (part.astype(c.dtype) @ c) for part, c, sign in parts)
        return real + imaginary + self.D * xs.astype(self.D.dtype)


def _drive(xs: Float[Array, "... units"], driven: Pair) -> Pair:
    return Pair(*(xs.astype(matrix.dtype) @ matrix for matrix in driven))


def hippo_frequencies(poles: int) -> np.ndarray:
    """The positive frequencies of the normal part of the HiPPO matrix, in ascending order.

    Args:
        poles: how many; the matrix has twice as many rows, and each frequency also with a minus.

    Returns:
        The imaginary parts of its eigenvalues. All real parts are -1/2.
    """
    root = np.sqrt(np.arange(2 * poles) + 0.5)
    skew = np.triu(np.outer(root, root), 1)
    skew -= skew.T
    return np.linalg.eigvalsh(-1j * skew)[poles:]
