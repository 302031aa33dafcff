"""Shifting and stretching the inputs of a data set, the same in all of its parts.

The numbers are given and not measured on the data, so no part can learn about another.
"""

from __future__ import annotations

import math
from dataclasses import replace

from bionet.datasets.splits import Split, Splits


def rescaled(splits: Splits, *, dark: float = 0.0, gain: float = 1.0) -> Splits:
    """The same data set with inputs `gain * (x - dark)`.

    Args:
        splits: The data set.
        dark: The value that enters as zero.
        gain: The factor after that.

    Raises:
        ValueError: A number that is not finite, or a gain of 0, which leaves no inputs.

    Returns:
        A data set of the same name and labels.

    Example:
        >>> from bionet.datasets import load, rescaled
        >>> float(rescaled(load("digits"), dark=0.5, gain=2.0).train.x.min())
        -1.0
    """
    if not (math.isfinite(dark) and math.isfinite(gain) and gain != 0):
        raise ValueError(
            f"rescaled: needs a finite dark and a finite gain other than 0, got dark={dark} and "
            f"gain={gain}."
        )

    def part(split: Split) -> Split:
        return Split(gain * (split.x - dark), split.y)

    held = None if splits.validation is None else part(splits.validation)
    return replace(splits, train=part(splits.train), validation=held, test=part(splits.test))
