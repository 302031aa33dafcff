"""Equinox's mark for a field that an object does not have, which stays itself when it is copied.

A class may declare a field that its instances do not hold: one with a default and no place in
`__init__`, or an abstract one that a property fulfils. When such an object goes through
`jax.tree.map` or `jit`, Equinox (0.13) writes one object, its mark for "absent", into it, and puts
that mark into the tree structure, where it is compared by identity. `copy.deepcopy` and pickle
made another mark, so a copy had another structure than the original, and no program that was
compiled for the one took the other. Here both learn that there is one mark in each process.
"""

from __future__ import annotations

import copyreg
from typing import Any, final

import equinox as eqx
import jax


@final
class _Probe(eqx.Module):
    """A module with a field that it does not hold."""

    absent: None = eqx.field(static=True, default=None, init=False)


def mark() -> Any:
    """Equinox's mark for an absent field in this process, or None where it uses none."""
    found = jax.tree.map(lambda leaf: leaf, _Probe()).__dict__.get("__qualname__")
    return found if type(found).__module__.startswith("equinox") else None


def keep_mark() -> None:
    """Makes `copy`, pickle and cloudpickle return the mark itself, and not a copy of it."""
    if (found := mark()) is not None:
        copyreg.pickle(type(found), _by_name)


def _by_name(_: Any) -> tuple[Any, tuple[()]]:
    return mark, ()
