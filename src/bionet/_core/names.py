"""Near misses: what an unknown name is told.

Every lookup by name in bionet (a recipe, a field, a data set, a phase) fails with
one sentence that says what was asked for, and what it may have meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The names in `known` most like `name`, best first, at most `count`."""
    options = {option.casefold(): option for option in known}
    key = str(name).casefold()
    matches = difflib.get_close_matches(key, list(options), n=count, cutoff=0.5)
    # 'local' is far from 'prototypes-local' in edits, and yet what was meant.
    matches += [low for low in sorted(options) if key and key in low and low not in matches]
    return [options[match] for match in matches[:count]]


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not there.

    Args:
        kind: what was looked up, in the singular, such as "recipe".
        name: what was asked for.
        known: all names that exist.

    Returns:
        For example `No recipe is named 'prototype-local'. Did you mean 'prototypes-local'?`
    """
    options = sorted(known)
    near = closest(name, options)
    said = f"No {kind} is named {name!r}."
    if near:
        return f"{said} Did you mean {' or '.join(repr(option) for option in near)}?"
    if options:
        return f"{said} There are: {', '.join(options)}."
    return f"{said} There is none yet."
