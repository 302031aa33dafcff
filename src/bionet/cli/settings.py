"""Fields of a recipe's config: what they are called, what they mean, and `--set` for them.

A config is a frozen dataclass whose fields each carry a comment. The comments are read from
the source, so that `bionet show` never says something that the code does not. The text after
`--set field=` is read as the field's type by tyro, which knows optional values, choices,
tuples and paths.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import inspect
import io
import re
import textwrap
import tokenize
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bionet._core.names import unknown
from bionet.cli.errors import UsageError

if TYPE_CHECKING:
    from bionet.zoo.fields import Entry


class Field(NamedTuple):
    """One field of a config."""

    name: str
    type: str
    default: Any
    comment: str


def fields_of(config: Any) -> list[Field]:
    """The fields of a config in order, each with its present value and its comment."""
    from bionet.training.checks.values import field_types, type_name

    comments, types = _comments_of(config), field_types(config)
    return [
        Field(name, type_name(types[name]), getattr(config, name), comments.get(name, ""))
        for name in (field.name for field in dataclasses.fields(config))
    ]


def read_settings(
    config: Any, words: Sequence[str], owner: str, option: str = "--set"
) -> dict[str, Any]:
    """The values of `field=value` words, each read as the type of its field.

    Args:
        config: the config whose fields are meant.
        words: what came after each `--set`; the last one of a field counts.
        owner: whose fields they are, for the messages, such as "recipe 'prototypes-local'".
        option: what came before each word, for the messages.

    Raises:
        UsageError: a word has no "=", a field does not exist, or a value does not fit its type.
    """
    from bionet.training.checks.values import field_types, type_name  # it loads JAX

    types, values = field_types(config), {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise UsageError(f"Option {option} needs field=value, got {word!r}.")
        if name not in types:
            raise UsageError(f"In {owner}: {unknown('field', name, types)}")
        try:
            values[name] = _read(types[name], text.strip())
        except ValueError:
            raise UsageError(
                f"Field {name!r} of {owner} needs a value of type "
                f"{type_name(types[name])}, got {text!r}."
            ) from None
    return values


def _comments_of(config: Any) -> dict[str, str]:
    """The comment of each field, also of those that a recipe's config has from elsewhere."""
    flat: Mapping[str, Entry] | None = getattr(type(config), "FLAT", None)
    if flat is None:
        return _all_comments(type(config))
    return {
        name: _all_comments(entry.owner).get(entry.place.name, "") for name, entry in flat.items()
    }


@functools.cache
def _all_comments(config_type: type) -> dict[str, str]:
    """The comments of a dataclass and of those that it derives from."""
    comments: dict[str, str] = {}
    for base in reversed(config_type.__mro__):
        if dataclasses.is_dataclass(base):
            comments.update(_comments(base))
    return comments


def _read(kind: Any, text: str) -> Any:
    """`text` as a value of type `kind`, or ValueError."""
    if kind is str:
        return text
    import tyro

    inner = text[1:-1] if text[:1] + text[-1:] in ("()", "[]") else text
    parts = [part.strip() for part in inner.rstrip(",").split(",")] if inner else []
    if any(re.match(r"-(?![\d.])", part) for part in parts):
        raise ValueError(text)  # Else tyro would take it for an option.
    # First in Python's own spelling, which tyro wants, of what people write in any case.
    words = {"true": "True", "false": "False", "none": "None"}
    for attempt in ([words.get(part.casefold(), part) for part in parts], parts):
        with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            return tyro.cli(kind, args=attempt, console_outputs=False)
    raise ValueError(text)


def _comments(config_type: type) -> dict[str, str]:
    """Reads the comment after each field, above it, or in a string under it, in the source."""
    try:
        source = textwrap.dedent(inspect.getsource(config_type))
    except (OSError, TypeError):
        return {}
    remarks = {
        token.start[0]: (token.line.strip().startswith("#"), token.string.lstrip("# "))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    body = typing.cast(ast.ClassDef, ast.parse(source).body[0]).body
    found = {}
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            after = body[place + 1] if place + 1 < len(body) else None
            found[node.target.id] = _remark(node, after, remarks)
    return found


def _remark(
    node: ast.AnnAssign, after: ast.stmt | None, remarks: dict[int, tuple[bool, str]]
) -> str:
    last = node.end_lineno or node.lineno
    if last in remarks:
        return remarks[last][1]
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
        return " ".join(str(after.value.value).split())
    above, line = [], node.lineno - 1
    while remarks.get(line, (False, ""))[0]:
        above.insert(0, remarks[line][1])
        line -= 1
    return " ".join(above)
