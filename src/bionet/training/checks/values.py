"""Values that no config and no options of a method can mean, refused before anything is trained.

The type of a field is its annotation. Its range goes by its name, since the names mean the same in
every recipe and method: a `learning_rate` is the size of a step, a `flip` a share. What a field
takes beyond that, its config says, or the method, which refuses its own `sigma`, `lam` or
`population`. Zeros that take a part out of a network (a feedback without strength, a rate of 0 for
one of the layers) stay allowed.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Final, Literal, Union

from bionet._core.names import unknown

POSITIVE: Final = {
    "learning_rate": "the size of a step",
    "slope": "how steeply a surrogate falls off",
    "gain": "a factor, or a steepness",
    "clip": "the longest that a pseudo-gradient may be",
    "dt": "the seconds of a step",
    "batch_size": "how many examples a step sees",
    **dict.fromkeys(("hidden", "units", "channels"), "a number of units"),
    **dict.fromkeys(("samples", "sequences", "starts", "schedules"), "how many there are"),
    **dict.fromkeys(("patterns", "cues", "spikes"), "how many there are"),
    **dict.fromkeys(("motif", "window", "answer"), "a length"),
}
"""Fields that need more than 0, and what they are."""

AT_LEAST_ZERO: Final = {
    **dict.fromkeys(("steps", "pause"), "a number of steps"),
    **dict.fromkeys(("depth", "blocks"), "a number of layers"),
    "validation": "how many examples are held out",
    **dict.fromkeys(("jitter", "spread"), "a size"),
    **dict.fromkeys(("decay_in", "decay_recurrent", "decay_out"), "a share of a weight"),
}
"""Fields that need 0 or more, and what they are; so do all rates and strengths."""

SHARES: Final = ("flip", "missing", "leak")
"""Fields from 0 to 1."""

STEPS: Final = ("rate_in", "rate_recurrent", "rate_out")
"""Learning rates of layers: one of them needs more than 0, or nothing is learned."""

LARGEST: Final = 2**31 - 1


def field_types(config: Any) -> dict[str, Any]:
    """The type of each field of a dataclass, or of an instance of one.

    Where an annotation cannot be resolved, it is the type of the field's value or default.
    """
    kind = config if isinstance(config, type) else type(config)
    try:
        hints = typing.get_type_hints(kind)
    except (NameError, TypeError):
        hints = {}
    return {
        field.name: hints.get(field.name, type(getattr(config, field.name, field.default)))
        for field in dataclasses.fields(config)
    }


def type_name(kind: Any) -> str:
    """A type as a reader knows it."""
    return kind.__name__ if type(kind) is type else str(kind).replace("typing.", "")


def check_values(owner: str, config: Any) -> None:
    """Checks the type and the range of each field of a config, or of a method's options.

    Args:
        owner: whose fields they are, for the messages, such as "recipe 'prototypes-local'".
        config: a dataclass.

    Raises:
        ValueError: a value is of another type than its field, is NaN or infinite, or lies where
            nothing can be meant by it.
    """
    kinds = field_types(config)
    values = {name: getattr(config, name) for name in kinds}
    for name, value in values.items():
        if not _fits(kinds[name], value):
            if isinstance(value, str) and (words := _words(kinds[name])):
                raise ValueError(f"In {owner}: {unknown(name, value, words)}")
            raise ValueError(
                f"In {owner}: `{name}` needs a value of type {type_name(kinds[name])}, got "
                f"{value!r}."
            )
        _check_numbers(owner, name, value)
    _check_rates(owner, values)


def _words(kind: Any) -> tuple[str, ...]:
    """The words that a type allows, where it allows nothing but words."""
    inner = typing.get_args(kind)
    words = typing.get_origin(kind) is Literal and all(isinstance(each, str) for each in inner)
    return inner if words else ()


def _fits(kind: Any, value: Any) -> bool:
    """Returns whether a value has the type of its field; types that are not known fit."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(each, value) for each in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        return isinstance(value, tuple)
    if kind is type(None):
        return value is None
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    return isinstance(value, kind) if kind in (bool, str) else True


def _check_numbers(owner: str, name: str, value: Any) -> None:
    for number in value if isinstance(value, tuple) else (value,):
        if not isinstance(number, bool) and isinstance(number, Real):
            told = f"In {owner}: `{name}` must be"
            if isinstance(number, Integral) and abs(int(number)) > LARGEST:
                raise ValueError(f"{told} a number of 32 bits, got {number}.")
            _check_range(told, name, float(number))


def _check_range(told: str, name: str, number: float) -> None:
    if not math.isfinite(number):
        raise ValueError(f"{told} a finite number, got {number:g}.")
    if name in POSITIVE and number <= 0:
        raise ValueError(f"{told} > 0, got {number:g}. It is {POSITIVE[name]}.")
    if name in SHARES and (number < 0 or number > 1):
        raise ValueError(f"{told} from 0 to 1, got {number:g}. It is a share.")
    if number < 0 and (meaning := _at_least_zero(name)):
        raise ValueError(f"{told} >= 0, got {number:g}. It is {meaning}.")


def _at_least_zero(name: str) -> str:
    """The meaning of a field that needs 0 or more; empty for another."""
    words = name.split("_")
    if "rate" in words:
        return "a rate; a rule of the opposite sign is another rule"
    return "a scale" if "strength" in words else AT_LEAST_ZERO.get(name, "")


def _check_rates(owner: str, values: Mapping[str, Any]) -> None:
    rates = [name for name in STEPS if name in values]
    if rates and all(values[name] == 0 for name in rates):
        names = ", ".join(f"`{name}`" for name in rates)
        raise ValueError(f"In {owner}: one of {names} must be > 0, or nothing is learned.")
