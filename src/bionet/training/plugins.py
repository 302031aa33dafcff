"""Method files of a user's own: run once, under a name made of their text, and told apart by it.

A file registers its methods by `register_method`. Runs and trials name a method by its word and the
sha256 of the text that it came from, never by a path, so that the same word can't mean something
else tomorrow. Workers elsewhere get the text.
"""

from __future__ import annotations

import linecache
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import final

from bionet._core.origins import running, text_hash
from bionet.training.registry import METHODS


@final
@dataclass(frozen=True)
class Plugin:
    """A method file that has been run.

    Attributes:
        name: the file, for the messages; a path or its last part.
        text: its source.
        words: the methods that it has registered.
    """

    name: str
    text: str
    words: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The sha256 of its text."""
        return text_hash(self.text)


LOADED: dict[str, Plugin] = {}
"""The plug-ins of this process, by their sha256."""


def load_plugin(path: str | Path) -> Plugin:
    """Runs a method file, and returns what it has registered.

    Where the file is not there, as on another machine, one of the same name that has been loaded
    already stands for it.

    Args:
        path: a Python file.

    Raises:
        ValueError: there is no such file, it can't be read or run, it registers no method, or a
            word of it is that of another method.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        for plugin in LOADED.values():
            if Path(plugin.name).name == file.name:
                return plugin
        raise ValueError(f"There is no plug-in at '{path}': it needs to be a Python file.")
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The plug-in '{path}' cannot be read: {error}") from None
    return run_plugin(text, str(file))


def run_plugin(text: str, name: str) -> Plugin:
    """Runs the text of a method file; the same text a second time changes nothing.

    Args:
        text: the source.
        name: where it is from, for the messages.

    Raises:
        ValueError: it can't be run, registers no method, or a word of it is that of another one.
    """
    sha256 = text_hash(text)
    if sha256 in LOADED:
        return LOADED[sha256]
    before = set(METHODS)
    module = types.ModuleType(f"bionet_plugin_{sha256[:16]}")
    module.__file__ = name
    _remember_source(text, name)
    sys.modules[module.__name__] = module  # dataclasses and pickle look for their own module
    try:
        with running(sha256):
            exec(compile(text, name, "exec"), vars(module))
    except (Exception, SystemExit) as error:  # a file that exits registers nothing
        del sys.modules[module.__name__]
        METHODS.forget(set(METHODS) - before)
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"The plug-in '{name}' cannot be run: {told}") from error
    words = tuple(word for word in METHODS if METHODS.origin(word) == sha256)
    if not words:
        raise ValueError(
            f"The plug-in '{name}' registers no method: write @bionet.register_method above a "
            "class in it."
        )
    LOADED[sha256] = Plugin(name, text, words)
    return LOADED[sha256]


def _remember_source(text: str, name: str) -> None:
    """Lets tracebacks and `inspect` show lines of a text that may be in no file here."""
    lines = text.splitlines(keepends=True)
    linecache.cache[name] = (len(text), None, lines, name)
