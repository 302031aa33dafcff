"""Public names of a package that are imported when they are first asked for.

`import bionet` and `bionet list` answer at once, because nothing that needs JAX is loaded for them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from bionet._core.names import unknown


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `__getattr__` and `__dir__` of a package.

    Args:
        package: its name.
        homes: the module that each lazy name is taken from, by name; "module:other" if it has
            another name there. A name whose home is `package.name` is that module itself.

    Example:
        >>> look_up, names = lazy_names("json", {"decoder": "json.decoder"})
        >>> look_up("decoder").__name__
        'json.decoder'
    """
    space = vars(sys.modules[package])

    def look_up(name: str) -> Any:
        if name not in homes:
            known = [*homes, *space.get("__all__", ())]
            raise AttributeError(unknown(f"attribute of {package}", name, known))
        home, _, other = homes[name].partition(":")
        module = import_module(home)
        value = module if home == f"{package}.{name}" else getattr(module, other or name)
        space[name] = value
        return value

    def names() -> list[str]:
        return sorted({*space, *homes})

    return look_up, names
