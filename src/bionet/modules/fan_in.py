"""Sparse connections: a fixed number of incoming ones for each unit.

The senders of a unit are distinct, and every set of them is as likely as every other.
They are drawn without a dense matrix at any time, so that what is needed grows with the
number of connections, and 20,000 units that listen to 50 others each are drawn at once.
"""

from __future__ import annotations

import functools
from numbers import Real

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Int, PRNGKeyArray

from bionet._core.leaves import own_array
from bionet.modules.parameters import width


def fan_in_of(owner: str, senders: int, fan_in: int | None, sparsity: float | None) -> int:
    """The number of connections per unit, said by itself or as the share that is missing.

    Args:
        owner: the class that asks, named in errors.
        senders: how many units there are to listen to.
        fan_in: the number itself, or None.
        sparsity: the share of the senders that a unit does not listen to, or None. The
            number is then `round((1 - sparsity) * senders)`, and 1 at least.

    Raises:
        ValueError: both or neither given, a number that is no positive int or exceeds
            `senders`, a share outside [0, 1), no senders at all.
    """
    if (fan_in is None) == (sparsity is None):
        raise ValueError(
            f"{owner}: needs either fan_in or sparsity, got fan_in={fan_in!r} and "
            f"sparsity={sparsity!r}. Give one of them: fan_in=50, or sparsity=0.9."
        )
    if senders < 1:
        raise ValueError(f"{owner}: needs other units to listen to, got none.")
    if fan_in is None:
        return _from_sparsity(owner, senders, sparsity)
    number = width(owner, "fan_in", fan_in)
    if number > senders:
        raise ValueError(
            f"{owner}: fan_in needs at most {senders}, the number of units that a unit can "
            f"listen to, got {fan_in!r}."
        )
    return number


def _from_sparsity(owner: str, senders: int, sparsity: float | None) -> int:
    if not isinstance(sparsity, Real) or not 0 <= sparsity < 1:
        raise ValueError(
            f"{owner}: sparsity needs a number from 0 to below 1, the share of connections "
            f"that are missing, got {sparsity!r}."
        )
    return max(1, round((1 - float(sparsity)) * senders))


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def draw_senders(
    key: PRNGKeyArray, units: int, senders: int, fan_in: int
) -> Int[Array, "units fan_in"]:
    """For each unit `fan_in` distinct numbers from 0 to `senders - 1`, ascending.

    This is Floyd's sampling for all units at once. In round r the pool has grown to
    `senders - fan_in + r + 1` numbers: one of them is drawn, and where the unit has it
    already, it takes the newest number of the pool instead.
    """

    def one_round(r: Array, chosen: Array) -> Array:
        newest = senders - fan_in + r
        drawn = jax.random.randint(keys[r], (units,), 0, newest + 1, jnp.int32)
        known = (chosen == drawn).any(axis=0)
        return chosen.at[r].set(jnp.where(known, newest, drawn))

    keys = jax.random.split(key, fan_in)
    chosen = jnp.full((fan_in, units), -1, jnp.int32)
    return jnp.sort(jax.lax.fori_loop(0, fan_in, one_round, chosen).T, axis=1)


def without_self(indices: Int[Array, "units fan_in"]) -> Int[Array, "units fan_in"]:
    """Numbers among the other units, turned into numbers among all: no unit has its own."""
    own = jnp.arange(indices.shape[0], dtype=indices.dtype)[:, None]
    return indices + (indices >= own)


def given_senders(
    owner: str,
    indices: ArrayLike,
    units: int,
    senders: int,
    fan_in: int | None = None,
    sparsity: float | None = None,
) -> Int[Array, "units fan_in"]:
    """`indices` as an array, if they say for each unit who its senders are.

    Traced indices are taken as they are.

    Raises:
        ValueError: `fan_in` or `sparsity` beside them, another shape than (units, fan_in),
            no whole numbers, a number that no sender has, a sender twice in a row.
    """
    if fan_in is not None or sparsity is not None:
        raise ValueError(
            f"{owner}: indices say how many connections there are, so fan_in and sparsity need "
            f"to be None, got fan_in={fan_in!r} and sparsity={sparsity!r}."
        )
    array = own_array(indices)
    whole = jnp.issubdtype(array.dtype, jnp.integer)
    if array.ndim != 2 or array.shape[0] != units or array.shape[1] < 1 or not whole:
        raise ValueError(
            f"{owner}: indices needs whole numbers of shape ({units}, fan_in), a row of senders "
            f"for each unit, got shape {array.shape} and dtype {array.dtype}."
        )
    if isinstance(array, Tracer):
        return array.astype(jnp.int32)
    rows = np.sort(np.asarray(array), axis=1)
    if rows.min() < 0 or rows.max() >= senders:
        raise ValueError(
            f"{owner}: indices needs numbers from 0 to {senders - 1}, got {rows.min()} to "
            f"{rows.max()}."
        )
    twice = (rows[:, 1:] == rows[:, :-1]).any(axis=1)
    if twice.any():
        raise ValueError(
            f"{owner}: indices needs each sender once per unit, but unit "
            f"{int(np.flatnonzero(twice)[0])} has one twice."
        )
    return array.astype(jnp.int32)


def draw_windows(
    key: PRNGKeyArray,
    units: int,
    image: tuple[int, int] = (28, 28),
    window: tuple[int, int] = (9, 9),
    fan_in: int = 78,
) -> Int[Array, "units fan_in"]:
    """For each unit `fan_in` distinct pixels, ascending, inside a window of its own.

    The window lies inside the image, every place of it equally likely. A unit thus sees one
    part of the image, as a cell of the visual cortex does.

    Args:
        key: of the windows and the pixels.
        units: how many units.
        image: rows and columns; pixel (r, c) has the number `r * columns + c`.
        window: rows and columns.
        fan_in: pixels per unit.

    Raises:
        ValueError: a size that is no positive int, a window larger than the image, a fan-in
            larger than the window.

    Example:
        ```python
        import jax
        from bionet.modules.fan_in import draw_windows

        print(draw_windows(jax.random.key(0), 2, image=(8, 8), window=(3, 3), fan_in=4))
        ```
    """
    owner = "draw_windows"
    units = width(owner, "units", units)
    rows, columns = (width(owner, "image", size) for size in image)
    high, wide = (width(owner, "window", size) for size in window)
    if high > rows or wide > columns:
        raise ValueError(
            f"{owner}: window needs to fit into the image of {rows} x {columns} pixels, got "
            f"{high} x {wide}."
        )
    of_top, of_left, of_pixels = jax.random.split(key, 3)
    within = draw_senders(
        of_pixels, units, high * wide, fan_in_of(owner, high * wide, fan_in, None)
    )
    top = jax.random.randint(of_top, (units, 1), 0, rows - high + 1, jnp.int32)
    left = jax.random.randint(of_left, (units, 1), 0, columns - wide + 1, jnp.int32)
    return (top + within // wide) * columns + left + within % wide
