"""Data sets, each as a train, a validation and a test split that are kept apart.

`load` takes a data set by its name, `available` says which ones are on this machine,
and `make_prototypes` draws a task that needs no file. Where files lie, and when they are
downloaded, is in `bionet.datasets.sources`. Nothing here imports JAX, and importing
it downloads nothing.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from typing import Any, Literal, overload

from bionet._core.names import unknown
from bionet.datasets.images import FASHION_MNIST, MNIST, digits, fashion_mnist, mnist
from bionet.datasets.parts import Part, Parts
from bionet.datasets.prototypes import (
    PrototypeSplits,
    make_prototypes,
    nearest_class_mean,
    nearest_prototype,
)
from bionet.datasets.readers import DataError, read_idx
from bionet.datasets.scaling import rescaled
from bionet.datasets.sources import DataMissingError, whereabouts
from bionet.datasets.speech import FSDD, fsdd
from bionet.datasets.splits import Split, Splits, holdout, one_vs_all
from bionet.datasets.text import TINYSHAKESPEARE, tinyshakespeare

__all__ = [
    "NAMES",
    "DataError",
    "DataMissingError",
    "Part",
    "Parts",
    "PrototypeSplits",
    "Split",
    "Splits",
    "available",
    "digits",
    "fashion_mnist",
    "fsdd",
    "holdout",
    "load",
    "make_prototypes",
    "mnist",
    "nearest_class_mean",
    "nearest_prototype",
    "one_vs_all",
    "read_idx",
    "rescaled",
    "tinyshakespeare",
]

_LOADERS: dict[str, Callable[..., Splits | Parts]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "fsdd": fsdd,
    "tinyshakespeare": tinyshakespeare,
}

NAMES: tuple[str, ...] = tuple(_LOADERS)
"""The names that `load` knows."""


@overload
def load(name: Literal["digits", "mnist", "fashion-mnist", "fsdd"], **options: Any) -> Splits: ...
@overload
def load(name: Literal["tinyshakespeare"], **options: Any) -> Parts: ...
@overload
def load(name: str, **options: Any) -> Any: ...  # a name that is only known at run time
def load(name: str, **options: Any) -> Splits | Parts:
    """Loads a data set by its name.

    Args:
        name: One of `NAMES`.
        **options: What the data set's own function takes, such as `validation=0`;
            see `digits`, `mnist`, `fashion_mnist`, `fsdd` and `tinyshakespeare`.

    Returns:
        A `Splits` of three parts with class labels from 0: images have features from 0 to 1,
        and the spoken digits of "fsdd" are spikes. The text of "tinyshakespeare" has no classes
        and comes as `Parts`: windows of character ids, and the same one character later.

    Raises:
        ValueError: No data set has that name, or its own function raised it: a file
            is missing or damaged (`DataError`), an option is out of range.
        TypeError: The data set has no such option.
        ModuleNotFoundError: The extra `data` is needed, and not installed.

    Example:
        >>> load("digits", validation=0).train
        Split(1437 samples of shape (64,))
    """
    loader = _LOADERS.get(name)
    if loader is None:
        raise ValueError(unknown("data set", name, NAMES))
    known = inspect.signature(loader).parameters
    for option in options:
        if option not in known:
            raise TypeError(unknown(f"option of {name!r}", option, known))
    return loader(**options)


def available() -> dict[str, str]:
    """Lists the data sets on this machine; nothing is downloaded, and no file is read.

    Returns:
        For each of `NAMES`, where it was found, or "missing: " and why.

    Example:
        >>> sorted(available())
        ['digits', 'fashion-mnist', 'fsdd', 'mnist', 'tinyshakespeare']
    """
    return {
        "digits": _with_scikit_learn(),
        "mnist": whereabouts(MNIST),
        "fashion-mnist": whereabouts(FASHION_MNIST),
        "fsdd": whereabouts(FSDD),
        "tinyshakespeare": whereabouts(TINYSHAKESPEARE),
    }


def _with_scikit_learn() -> str:
    if importlib.util.find_spec("sklearn") is None:
        return "missing: comes with scikit-learn; run `pip install 'bionet[data]'`"
    return "in scikit-learn"
