"""The fingerprint of a run: what has to be the same for a checkpoint to belong to it.

It is kept in the checkpoint beside the arrays, part by part and line by line, so that a refusal
can name what differs. The number of epochs is not in it, for a run may be made longer; nor are the
devices that share a batch, for a run may move. Versions are kept beside it and are told, not
refused. Where they differ, the code of functions is not compared and neither is what only one of
the two has, since another Optax has other functions inside.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from bionet._core.contents import CODE, condense, contents
from bionet.training.method import AbstractMethod
from bionet.training.problem import Problem
from bionet.training.run.devices import ShardedBatches

PACKAGES: Final = ("bionet", "jax", "jaxlib", "equinox", "optax", "evosax", "numpy")
LINES: Final = 300
"""The most lines of a part that are kept one by one."""
TOLD: Final = 60
"""The most characters of a value in a sentence."""

Fingerprint = dict[str, dict[str, str]]

_PARTS: Final = ("settings", "data", "method", "model", "objective", "generator")
"""In the order in which they are compared: the first one that differs is told."""


def fingerprint(problem: Problem, method: AbstractMethod, key: PRNGKeyArray) -> Fingerprint:
    """Describes what a run is made of, by part.

    The arrays of the model are not in it: a checkpoint holds them as they were trained.

    Args:
        problem: model, objective, data and settings.
        method: its type, leaves, static fields and the functions of its optimiser.
        key: of the run.
    """
    train = problem.train.batches if isinstance(problem.train, ShardedBatches) else problem.train
    data = {"train": train, "validation": problem.validation, "test": problem.test}
    asked = ("predict", "loss", "metric", "metric_name")
    found = {
        "settings": contents(dict(problem.settings)),
        "data": contents(data),
        "method": contents(method),
        "model": contents(problem.model, shapes_only=True),
        "objective": contents({name: getattr(problem, name) for name in asked}),
        "generator": {"name": generator(key)},
    }
    return {part: condense(_without_devices(lines), LINES) for part, lines in found.items()}


def _without_devices(lines: Mapping[str, str]) -> dict[str, str]:
    return {name: lines[name] for name in lines if "mesh" not in name.split(".")}


def generator(key: PRNGKeyArray) -> str:
    """The name of a key's generator; a raw key is one of JAX's default generator."""
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return str(jax.random.key_impl(key))
    return str(jax.config.jax_default_prng_impl)  # pyright: ignore[reportAttributeAccessIssue]


def list_versions() -> dict[str, str]:
    """The versions of Python and of the packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def difference(
    saved: Mapping[str, Mapping[str, str]], here: Fingerprint, *, same_versions: bool
) -> str | None:
    """The first thing in which two runs differ, in words; None where they are the same.

    Args:
        saved: the fingerprint of the one that a checkpoint comes from.
        here: that of the one that is to go on.
        same_versions: whether both were made with the same packages.
    """
    for part in _PARTS:
        then, now = dict(saved.get(part, {})), here[part]
        names = [name for name in {**now, **then} if then.get(name) != now.get(name)]
        if not same_versions:
            names = [name for name in names if name in then and name in now]
            names = [name for name in names if not name.endswith(CODE)]
        if names:
            return _describe(part, names, then, now)
    return None


def _describe(part: str, names: list[str], then: Mapping[str, str], now: Mapping[str, str]) -> str:
    name = min(names, key=lambda name: name.endswith(CODE))  # a number says more than a function
    was, here = (_short(lines.get(name, "absent")) for lines in (then, now))
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"`{name.removesuffix(CODE)}` of the {part} was {was} and is {here} here{more}"


def _short(text: str) -> str:
    head, mark, number = text.partition("sha256:")
    return f"{head}{mark}{number[:8]}" if mark else text[:TOLD]


def versions_told(then: Mapping[str, Any], now: Mapping[str, str]) -> str | None:
    """The sentence on versions that have changed since; None where none has."""
    changed = [
        f"{name} {was} (now {now.get(name, 'absent')})"
        for name, was in then.items()
        if now.get(name) != was
    ]
    if not changed:
        return None
    return f"The run began with {', '.join(changed)}: it went on, but maybe not bit for bit."
