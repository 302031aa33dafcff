"""The linear readout of a model: its features, and the place of solved weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray, PyTree


class LinearReadout(NamedTuple):
    """The place of a model's linear readout.

    Attributes:
        features: `(model, x, key) -> (n, d)`, what the readout listens to, or `(n, time, d)` where
            it answers at each step.
        solved: `(model, W, b) -> model` with the readout `features @ W + b`, for `W` of shape
            (d, outputs) and `b` of shape (outputs,).
        widths: `model -> (d, outputs)`.
        without_recurrence: `model -> model`, the same without what its hidden units tell each
            other; None where there is nothing to leave out. The control is the better of the two.
    """

    features: Callable[[PyTree, Array, PRNGKeyArray], Float[Array, "n *time d"]]
    solved: Callable[[PyTree, Array, Array], PyTree]
    widths: Callable[[PyTree], tuple[int, int]]
    without_recurrence: Callable[[PyTree], PyTree] | None = None
