"""Data that a container owns: what the caller does with the original afterwards changes nothing.

A loader may refill one buffer batch by batch, and a caller may go on with the array or the dict
that was handed in. A container that checks what it is given, and keeps it, therefore keeps a copy.
An array that nobody can write to is kept as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import DTypeLike, Shaped


def is_unwritable(array: Any) -> bool:
    """Returns whether nobody can write to the memory, down to the array that owns it.

    A read-only view says nothing: the array under it may still be written to.
    """
    while (flags := getattr(array, "flags", None)) is not None:
        if flags.writeable:
            return False
        if array.base is None:
            return True
        array = array.base
    return isinstance(array, bytes)


def read_only(array: np.ndarray, dtype: DTypeLike | None = None) -> Shaped[np.ndarray, "..."]:
    """The numbers of `array` in memory that nobody writes to, cast to `dtype`.

    Returns:
        A read-only view of a copy, or of `array` itself where nobody can write to it.
    """
    wanted = array.dtype if dtype is None else dtype
    owned = array
    if not (array.dtype == wanted and is_unwritable(array)):
        owned = array.astype(wanted)
        owned.flags.writeable = False
    return owned.view()


def own_containers(value: Any) -> Any:
    """A copy of dicts, lists and tuples all the way down; what they hold is the same."""
    if isinstance(value, Mapping):
        return {name: own_containers(one) for name, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(own_containers, value))
    return value


def own_fields(holder: Any, *names: str) -> None:
    """Replaces the named fields of a frozen dataclass by copies, see `own_containers`."""
    for name in names:
        object.__setattr__(holder, name, own_containers(getattr(holder, name)))
