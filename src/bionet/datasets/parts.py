"""Data whose targets are no classes: sequences to continue, states to start from, patterns.

`Splits` is for samples with class labels. `Parts` keeps the same three parts apart for anything
else that comes as an array of inputs and one of targets, with one row per example. Two parts may
hold the same rows, since a memory is asked for the very patterns that it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bionet._core.ownership import read_only

if TYPE_CHECKING:
    from jaxtyping import Shaped


class Part(NamedTuple):
    """Inputs and targets of one part, a row per example."""

    x: Shaped[np.ndarray, "n ..."]
    y: Shaped[np.ndarray, "n ..."]


@dataclass(frozen=True, eq=False)
class Parts:
    """A data set: what to train on, what to choose on, and what to report; read-only.

    Args:
        train: What the weights are fitted to.
        validation: What choices are made on, or None.
        test: What the final number is measured on, after all choices are made.
        name: The name that results and tables carry.

    Raises:
        ValueError: A part whose inputs and targets differ in number, or are none.
    """

    train: Part
    validation: Part | None
    test: Part
    name: str

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            part = getattr(self, name)
            if part is not None and not 0 < len(part.x) == len(part.y):
                raise ValueError(
                    f"The {name} part of {self.name!r} needs as many targets as inputs, and one "
                    f"at least, got {len(part.x)} inputs and {len(part.y)} targets."
                )
            if part is not None:
                owned = Part(*(read_only(np.asarray(array)) for array in part))
                object.__setattr__(self, name, owned)
