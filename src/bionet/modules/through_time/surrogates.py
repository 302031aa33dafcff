"""Spikes with a stand-in for their derivative: forward the hard step, backward a smooth bump.

A spike is 1 where the membrane is at its threshold or above, and 0 below: a step, whose true
derivative is zero wherever there is one. Surrogate-gradient learning leaves the step as it is
and puts another derivative in its place, which is large near the threshold and falls off away
from it. All kinds here are 1 at the threshold and differ in how they fall, so that one can be
put in the place of another without a new learning rate; the slope says how fast they fall.

The stand-in has no derivative of its own. Differentiating twice is therefore an error, and not
a number that means nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, ArrayLike, DTypeLike, Float

from bionet._core.leaves import known_array
from bionet._core.names import unknown
from bionet.modules.parameters import positive

Bump = Callable[[Array, Array], Array]


def _superspike(x: Array, slope: Array) -> Array:
    return 1 / (1 + slope * jnp.abs(x)) ** 2


def _arctan(x: Array, slope: Array) -> Array:
    return 1 / (1 + (jnp.pi / 2 * slope * x) ** 2)


def _tanh(x: Array, slope: Array) -> Array:
    return 1 - jnp.tanh(slope * x) ** 2


def _triangular(x: Array, slope: Array) -> Array:
    return jnp.maximum(1 - slope * jnp.abs(x), jnp.zeros_like(x))


def _boxcar(x: Array, slope: Array) -> Array:
    return (slope * jnp.abs(x) <= 1).astype(x.dtype)


def _sigmoid(x: Array, slope: Array) -> Array:
    return 4 * jax.nn.sigmoid(slope * x) * jax.nn.sigmoid(-slope * x)


def _straight_through(x: Array, slope: Array) -> Array:
    return jnp.ones_like(x)


# By name: the derivative that stands in, and the slope that is usual for it.
_KINDS: Final[dict[str, tuple[Bump, float]]] = {
    "arctan": (_arctan, 2.0),
    "boxcar": (_boxcar, 1.0),
    "sigmoid": (_sigmoid, 4.0),
    "straight-through": (_straight_through, 1.0),
    "superspike": (_superspike, 25.0),
    "tanh": (_tanh, 1.0),
    "triangular": (_triangular, 1.0),
}

SURROGATES: Final[tuple[str, ...]] = tuple(_KINDS)
"""The names of all kinds."""


@final
class Surrogate(eqx.Module):
    """A spike function: `surrogate(x)` is 1 where `x >= 0` and 0 elsewhere, exactly.

    In reverse and in forward mode its derivative is, with the slope k:

    | kind | derivative at x | usual slope | after |
    |---|---|---|---|
    | superspike | `1 / (1 + k abs(x))^2` | 25 | Zenke and Ganguli 2018 |
    | arctan | `1 / (1 + (π k x / 2)^2)` | 2 | Fang et al. 2021 |
    | tanh | `1 - tanh(k x)^2` | 1 | Neftci et al. 2019 |
    | triangular | `max(0, 1 - k abs(x))` | 1 | Esser et al. 2016, Bellec et al. 2018 |
    | boxcar | 1 where `k abs(x) <= 1`, else 0 | 1 | Wu et al. 2018 |
    | sigmoid | `4 s(k x) s(-k x)`, s the logistic function | 4 | Zenke and Vogels 2021 |
    | straight-through | 1 (the slope has no effect) | 1 | Bengio et al. 2013 |

    All are scaled to 1 at `x = 0`, which papers that start from a smooth step do not do: arctan
    is theirs times 2 / k, sigmoid theirs times 4 / k.

    Args:
        kind: one of `SURROGATES`.
        slope: how steeply the derivative falls off, above 0; None is the usual one. It is an
            array that does not learn, so it can be swept, or annealed, without a new trace.
        dtype: of the slope.

    Raises:
        ValueError: a kind that is not there, with the nearest; a slope that is not above 0.
        TypeError: when it is called, something that is no floating-point number; when it is
            differentiated twice.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.modules import Surrogate

        spike = Surrogate("arctan", slope=2.0)
        x = jnp.array([-0.5, 0.0, 0.5])
        print(spike(x), jax.grad(lambda x: spike(x).sum())(x))
        ```

    Source:
        Neftci, Mostafa and Zenke, "Surrogate gradient learning in spiking neural networks"
        (2019) [neftci2019surrogate]; Zenke and Vogels (2021) compare the shapes.
    """

    slope: Float[Array, ""]
    kind: str = eqx.field(static=True)

    def __init__(
        self, kind: str, slope: ArrayLike | None = None, dtype: DTypeLike = jnp.float32
    ) -> None:
        if kind not in _KINDS:
            raise ValueError(f"Surrogate: {unknown('surrogate', kind, _KINDS)}")
        value = known_array(_KINDS[kind][1] if slope is None else slope, dtype)
        if value.shape != ():
            raise ValueError(f"Surrogate: slope needs to be one number, got shape {value.shape}.")
        self.kind, self.slope = kind, positive("Surrogate", "slope", value)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """1 where `x` is 0 or more, 0 elsewhere, in the dtype of `x`."""
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
            raise TypeError(
                f"Surrogate: needs floating-point numbers, got {jnp.result_type(x)}. Pass the "
                "membrane less its threshold."
            )
        return _step(self.kind)(x, self.slope.astype(x.dtype))

    def derivative(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Returns the surrogate of the derivative at `x`."""
        return _KINDS[self.kind][0](x, self.slope.astype(x.dtype))

    def trained(self) -> dict[str, bool | Array]:
        """Nothing learns: the step does not depend on the slope."""
        return {}


@functools.cache
def _step(kind: str) -> Callable[[Array, Array], Array]:
    """The step of a kind; one function each, so that none is traced anew."""
    bump = _KINDS[kind][0]

    @jax.custom_jvp
    def step(x: Array, slope: Array) -> Array:
        return jnp.where(x >= 0, jnp.ones_like(x), jnp.zeros_like(x))

    @step.defjvp
    def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        x, slope = primals
        return step(x, slope), bump(_once.bind(x, kind=kind), slope) * tangents[0]

    return step


# The number itself, which cannot be differentiated any further. A primitive of its own, because
# loops drop custom rules once they have been differentiated, and keep primitives.
_once = Primitive("surrogate")
_once.def_impl(lambda x, *, kind: x)
_once.def_abstract_eval(lambda x, *, kind: x)
batching.defvectorized(_once)
mlir.register_lowering(_once, lambda context, x, *, kind: [x])


def _refuse(primals: Sequence[Array], tangents: Sequence[Array], *, kind: str) -> NoReturn:
    raise TypeError(
        f"Surrogate {kind!r}: can be differentiated once, and was differentiated twice. Its "
        "derivative stands in for that of a step and has no derivative of its own. For a second "
        "derivative put a smooth function in place of the spike."
    )


ad.primitive_jvps[_once] = _refuse
