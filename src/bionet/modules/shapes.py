"""The shapes that modules are given and stand between, and the errors when they do not fit.

An image is (height, width, channels). What moves over it, a kernel, a window or a stride,
is one number for both directions, or a pair (vertical, horizontal).

JAX would stretch a buffer with a width of one, or convolve an image of another size,
without a word. So modules that do not multiply by a matrix look at their buffers first.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Array

from bionet.modules.parameters import width

Pair = int | tuple[int, int]


def image_shape(owner: str, name: str, value: Sequence[int]) -> tuple[int, int, int]:
    """`value` as (height, width, channels), or a ValueError with the owner and the argument."""
    if not isinstance(value, Sequence) or len(value) != 3:
        raise ValueError(
            f"{owner}: {name} needs the shape (height, width, channels) of an image, "
            f"got {value!r}; write (28, 28, 1)."
        )
    height, across, channels = (width(owner, name, number) for number in value)
    return height, across, channels


def pair(owner: str, name: str, value: Pair) -> tuple[int, int]:
    """`value` for both directions, or a ValueError with the owner and the argument."""
    if not isinstance(value, Sequence):
        number = width(owner, name, value)
        return number, number
    if len(value) != 2:
        raise ValueError(f"{owner}: {name} needs one int or a pair of them, got {value!r}.")
    vertical, horizontal = (width(owner, name, number) for number in value)
    return vertical, horizontal


def check_buffer(owner: str, name: str, buffer: Array, shape: tuple[int, ...]) -> None:
    """Fails unless `buffer` is a batch of `shape`, because it would be stretched otherwise.

    Raises:
        ValueError: another shape; the sentence names the owner, the argument and both shapes.
    """
    if buffer.ndim == 0 or buffer.shape[1:] != shape:
        needed = f"(batch, {', '.join(str(n) for n in shape)})"
        raise ValueError(f"{owner}: {name} needs shape {needed}, got {buffer.shape}.")
