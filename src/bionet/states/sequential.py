"""One buffer per layer, in order: input, hidden layers, output.

A size is an int, for units in a row, or a shape such as `(28, 28, 1)`. The batch
is the leading axis of every buffer. `init` is the one place where data enters, so
it is the place that casts to the state's dtype and refuses wrong shapes, an empty
batch and NaN.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike

from bionet._core.checks import unless
from bionet._core.leaves import own_array
from bionet.states.interface import AbstractState


@final
class SequentialState(AbstractState):
    """The buffers of a network whose layers are numbered from the input to the output.

    Args:
        sizes: one size per buffer, an int or a shape without the batch axis.
        dtype: of all buffers; `init` casts to it.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.states.sequential import SequentialState

        state = SequentialState((4, 3, 2)).init(jnp.ones((8, 4)))
        print(len(state), state[1].shape, state.readout.shape)
        ```
    """

    buffers: tuple[Array, ...]
    sizes: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __init__(
        self, sizes: Sequence[int | Sequence[int]], dtype: DTypeLike = jnp.float32
    ) -> None:
        if not isinstance(sizes, Sequence):
            raise TypeError(f"SequentialState: sizes needs one size per buffer, got {sizes!r}.")
        self.sizes = tuple(_as_shape(index, size) for index, size in enumerate(sizes))
        if len(self.sizes) < 2:
            raise ValueError(
                f"SequentialState: needs an input and an output size at least, got sizes {sizes}."
            )
        self.dtype = jnp.dtype(dtype)
        self.buffers = tuple(jnp.zeros((1, *shape), self.dtype) for shape in self.sizes)

    def __getitem__(self, index: int) -> Array:
        """The buffer at `index`; negative indices count from the output."""
        return self.buffers[self._position(index)]

    def __len__(self) -> int:
        """The number of buffers, input and output included."""
        return len(self.sizes)

    def init(self, x: ArrayLike, y: ArrayLike | None = None) -> Self:
        """A state with the batch size of `x`: input `x`, output `y` or zeros, zeros between.

        Raises:
            ValueError: a shape that is not (batch, *size), a batch of size 0, or another
                number of labels than inputs.
            TypeError: values that are no real numbers.
            RuntimeError: NaN or infinity in `x` or `y` (also under jit).
        """
        placed = self.place(x, y)
        output = placed.readout if y is None else _finite("y", placed.readout)
        return self._with((_finite("x", placed[0]), *placed.buffers[1:-1], output))

    def place(self, x: ArrayLike, y: ArrayLike | None = None) -> Self:
        """As `init`, without a look at the values: for programs whose data have been checked.

        A check of values that are traced would be a call back to the host, and a program with
        one is compiled anew in every process.

        Raises:
            ValueError: as `init`.
            TypeError: as `init`.
        """
        x = self._admit("x", x, 0)
        batch = x.shape[0]
        last = len(self) - 1
        output = jnp.zeros((batch, *self.sizes[last]), self.dtype)
        if y is not None:
            output = self._admit("y", y, last)
            if output.shape[0] != batch:
                raise ValueError(
                    f"state.init: x has a batch of {batch}, but y has a batch of "
                    f"{output.shape[0]}; give one row of y per row of x."
                )
        between = (jnp.zeros((batch, *shape), self.dtype) for shape in self.sizes[1:-1])
        return self._with((x, *between, output))

    def replace(self, index: int, value: Array) -> Self:
        """The same state with `value` as buffer `index`.

        Raises:
            IndexError: there is no such buffer.
            ValueError: the shape of `value` is not (batch, *size).
        """
        position = self._position(index)
        if value.shape[1:] != self.sizes[position] or value.ndim == 0:
            raise ValueError(
                f"state.replace: buffer {position} needs shape "
                f"{_batch(self.sizes[position])}, got {value.shape}."
            )
        return self._with(
            tuple(own_array(value) if i == position else old for i, old in enumerate(self.buffers))
        )

    @property
    def readout(self) -> Array:
        """The output buffer."""
        return self.buffers[-1]

    def _position(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"The state has buffers 0 to {len(self) - 1}, but not {index}.")
        return index % len(self)

    def _with(self, buffers: tuple[Array, ...]) -> Self:
        return eqx.tree_at(lambda state: state.buffers, self, buffers)

    def _admit(self, name: str, value: ArrayLike, index: int) -> Array:
        """Casts `value` once, and refuses what no buffer can hold."""
        dtype = value.dtype if isinstance(value, jax.Array) else np.asarray(value).dtype
        if not any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
            raise TypeError(f"state.init: {name} needs real numbers, got dtype {dtype}.")
        array = own_array(value)
        if array.ndim == 0 or array.shape[1:] != self.sizes[index]:
            raise ValueError(
                f"state.init: {name} goes into buffer {index} and needs shape "
                f"{_batch(self.sizes[index])}, got {array.shape}."
            )
        if array.shape[0] == 0:
            raise ValueError(f"state.init: {name} is a batch of size 0; give one sample or more.")
        return array.astype(self.dtype)


def _finite(name: str, array: Array) -> Array:
    return unless(array, ~jnp.isfinite(array).all(), not_finite(name))


def not_finite(name: str) -> str:
    """The sentence for an input "x" or labels "y" that hold NaN or infinity."""
    return f"state.init: {name} holds NaN or infinity; clean the data before it enters a network."


def _as_shape(index: int, size: int | Sequence[int]) -> tuple[int, ...]:
    try:
        shape = tuple(operator.index(n) for n in (size if isinstance(size, Sequence) else (size,)))
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ValueError(
            f"SequentialState: size {index} needs positive ints, got {size!r}; "
            "write 784, or (28, 28, 1)."
        )
    return shape


def _batch(shape: tuple[int, ...]) -> str:
    return f"(batch, {', '.join(str(n) for n in shape)})"
