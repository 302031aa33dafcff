"""The contents of a value as flat lines, so that two programs can tell whether they hold the same.

A line has a name, `optimizer.update.step_size` say, and a text: a number stands for itself, an
array for its sha256, a function for its qualified name and its code, followed by the variables
that it has closed over. An Optax transformation is made of such functions. No text depends on an
address, on the order of a set, or on the process, so a line can be kept in a file and compared.
Nothing is called and nothing is imported on the way, and what cannot be looked into, a lock for
example, stands for its type.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import equinox as eqx
import jax
import numpy as np

from bionet._core.leaves import as_numbers, is_key

CODE: Final = "()"
"""How the name of a line ends that holds a function: its code is another one in other versions."""
EXACT: Final = 2**53
"""Whole numbers below this are exact as floats too, and say the same in either type."""
LONG: Final = 100
"""The most characters of a text, and the most parts of a container, that are written out."""

Lines = dict[str, str]


def contents(value: Any, *, shapes_only: bool = False) -> Lines:
    """The contents of any value, by name.

    Args:
        value: a pytree, a module, an object, a function.
        shapes_only: arrays stand for their dtype and shape alone.

    Example:
        >>> contents({"rate": 0.5, "units": (3, 4)})
        {'rate': '0.5', 'units[0]': '3', 'units[1]': '4'}
    """
    return _Walk(shapes_only).lines_of(value)


def condense(lines: Mapping[str, str], most: int) -> Lines:
    """The lines, at most so many where that can be: what has too many parts stands for its sha256.

    Args:
        lines: as `contents` returns them.
        most: how many lines may stay; the names are cut to as many steps as that allows.
    """
    steps = max((name.count(".") for name in lines), default=0) + 1
    short = dict(lines)
    while len(short) > most and steps > 1:
        steps -= 1
        short = _cut(lines, steps)
    return short


def _cut(lines: Mapping[str, str], steps: int) -> Lines:
    groups: dict[str, Lines] = {}
    for name, text in lines.items():
        groups.setdefault(".".join(name.split(".")[:steps]), {})[name] = text
    short: Lines = {}
    for name, inside in groups.items():
        if list(inside) == [name]:
            short[name] = inside[name]
        else:
            coded = any(each.endswith(CODE) for each in inside)
            short[f"{name.removesuffix(CODE)}{CODE if coded else ''}"] = f"sha256:{digest(inside)}"
    return short


def digest(lines: Mapping[str, str]) -> str:
    """The sha256 of lines, whatever their order."""
    text = "\n".join(f"{name} = {lines[name]}" for name in sorted(lines))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@final
class _Walk:
    """One walk through a value; it remembers the objects that it is inside of."""

    def __init__(self, shapes_only: bool) -> None:
        self.shapes_only = shapes_only
        self._inside: set[int] = set()

    def lines_of(self, value: Any) -> Lines:
        return dict(self._walk("", value))

    def _walk(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        text = self._text(value)
        if text is not None:
            yield name or "value", text
        elif id(value) in self._inside:
            yield name, "the object that this is a part of"
        else:
            self._inside.add(id(value))
            yield from self._parts(name, value)
            self._inside.discard(id(value))

    def _text(self, value: Any) -> str | None:
        """The text of a value without parts; None for any other."""
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            # A schedule of Optax turns its whole numbers into floats when it is first called.
            if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
                value = int(value)
            said = str(value) if isinstance(value, enum.Enum) else repr(value)
            return said if len(said) <= LONG else _sha256(said.encode("utf-8", "surrogatepass"))
        if eqx.is_array(value) or isinstance(value, (np.ndarray, np.generic)):
            return self._array(value)
        if isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType, np.ufunc)):
            return _name_of(value)
        if isinstance(value, (enum.Enum, np.dtype, jax.ShapeDtypeStruct, re.Pattern)):
            return str(value)
        return None

    def _array(self, array: Any) -> str:
        kind = f"{array.dtype}{list(array.shape)}"
        if self.shapes_only:
            return kind
        numbers = np.asarray(as_numbers(array))
        if not numbers.shape and not is_key(array) and numbers.dtype.kind in "biufc":
            return f"{array.dtype} {numbers.item()!r}"
        if numbers.dtype.hasobject:
            return f"{kind} {digest(self.lines_of(numbers.tolist()))}"
        return f"{kind} {_sha256(numbers.tobytes())}"

    def _parts(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            named = {str(_label(key)): part for key, part in value.items()}
            yield from self._container(name, value, {key: named[key] for key in sorted(named)})
        elif isinstance(value, tuple) and hasattr(value, "_fields"):
            parts = dict(zip(getattr(value, "_fields"), value, strict=True))  # noqa: B009
            yield from self._name(name, parts)
        elif isinstance(value, (list, tuple)):
            parts = {f"[{place}]": part for place, part in enumerate(value)}
            yield from self._container(name, value, parts)
        elif isinstance(value, (set, frozenset)):
            yield name, f"{{{', '.join(sorted(digest(self.lines_of(part)) for part in value))}}}"
        elif callable(value) and not isinstance(value, eqx.Module):
            yield from self._function(name, value)
        else:
            yield from self._object(name, value)

    def _container(
        self, name: str, value: Any, parts: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        if not parts:
            yield name or "value", f"empty {type(value).__name__}"
        elif len(parts) > LONG:
            inside = dict(self._name("", parts))
            yield name, f"{type(value).__name__} of {len(parts)}, sha256 {digest(inside)}"
        else:
            yield from self._name(name, parts)

    def _name(self, name: str, parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for part_name, part in parts.items():
            joint = "" if not name or part_name.startswith("[") else "."
            yield from self._walk(f"{name}{joint}{part_name}", part)

    def _function(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, functools.partial):
            parts = {"func": value.func, "args": value.args, "keywords": value.keywords}
            yield from self._name(name, parts)
        elif isinstance(value, types.MethodType):
            yield from self._name(name, {"of": value.__self__, "method": value.__func__})
        elif isinstance(value, types.FunctionType):
            yield f"{name}{CODE}", f"{_name_of(value)} {_code(value.__code__)}"
            yield from self._name(name, _closure(value))
        elif isinstance(value, (jax.custom_jvp, jax.custom_vjp)):
            own = {key: part for key, part in vars(value).items() if not key.startswith("__")}
            yield from self._name(name, own)
        elif hasattr(value, "__wrapped__"):  # jit, a cache, a decorator that says so
            yield from self._walk(name, inspect.unwrap(value))
        else:
            yield from self._object(name, value)

    def _object(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        own = _attributes(value)
        yield f"{name}.type".lstrip("."), _name_of(type(value))
        if own is None:
            said = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
            yield f"{name}.value".lstrip("."), said if len(said) <= LONG else _sha256(said.encode())
        else:
            yield from self._name(name, own)


def _attributes(value: Any) -> dict[str, Any] | None:
    """Returns an object's fields, without what it has only cached; None for JAX's or NumPy's."""
    if type(value).__module__.partition(".")[0] in ("jax", "jaxlib", "numpy"):
        return None
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
    else:
        slots = [getattr(kind, "__slots__", ()) for kind in type(value).__mro__]
        slots = [[each] if isinstance(each, str) else list(each) for each in slots]
        names = [*getattr(value, "__dict__", {}), *(each for some in slots for each in some)]
    return {
        name: getattr(value, name)
        for name in names
        if not name.startswith("__") and hasattr(value, name) and not _cached(type(value), name)
    }


def _cached(kind: type, name: str) -> bool:
    return isinstance(getattr(kind, name, None), functools.cached_property)


def _closure(function: types.FunctionType) -> dict[str, Any]:
    """The variables that a function has closed over, and its default arguments."""
    found: dict[str, Any] = {}
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # a variable that has no value yet
            found[name] = None
    defaults = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    found |= {f"{name}=": part for name, part in zip(names[::-1], defaults[::-1], strict=False)}
    return found | {f"{name}=": part for name, part in (function.__kwdefaults__ or {}).items()}


def _code(code: types.CodeType) -> str:
    """The sha256 of a function's code, whatever file and line it stands in."""
    parts = [code.co_code.hex(), repr(code.co_names), repr(code.co_freevars)]
    return _sha256("\n".join([*parts, *map(_constant, code.co_consts)]).encode("utf-8", "replace"))


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, frozenset):
        return repr(sorted(map(_constant, value)))
    return f"({', '.join(map(_constant, value))})" if isinstance(value, tuple) else repr(value)


def _label(key: Any) -> str:
    if isinstance(key, (str, int, float, bool, tuple, type(None))):
        return str(key)
    return _name_of(key) if hasattr(key, "__qualname__") else digest(contents(key))[:12]


def _name_of(value: Any) -> str:
    module = getattr(value, "__module__", None) or ""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__name__)
    return f"{module}.{name}".lstrip(".")


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
