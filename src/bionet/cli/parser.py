"""The grammar of the command line, and the sentences for what is not in it.

Each command is a module with `add_arguments(parser)` and `run(options) -> int`, imported only
when it is called for, so that `bionet list` pays for nothing but the list. argparse reads the
words (it loads in a few milliseconds, and lets us phrase every refusal ourselves); tyro reads
the typed values of `--set`, in `bionet.cli.settings`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

from bionet._core.files import own_path
from bionet._core.names import closest, unknown
from bionet.cli.errors import UsageError

COMMANDS = {
    "list": ("bionet.cli.listing", "the recipes of the zoo, filtered by tags or by name"),
    "matrix": ("bionet.cli.matrix", "which recipes there are, method by application or other tags"),
    "show": ("bionet.cli.show", "all about one recipe: fields, papers, how to run it"),
    "methods": ("bionet.cli.methods", "the training methods, what they need and what can be set"),
    "demo": ("bionet.cli.demo", "a network that learns in seconds, with a curve and a number"),
    "run": ("bionet.cli.run", "train a recipe on data and keep everything in a directory"),
    "resume": ("bionet.cli.resume", "go on with a run that was stopped"),
    "study": ("bionet.cli.study", "run a comparison over seeds, and report it"),
    "doctor": ("bionet.cli.doctor", "versions, devices, data and plug-ins on this machine"),
}


def dispatch(words: Sequence[str]) -> int:
    """Runs the command that `words` begins with, and returns its exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"bionet {version('bionet')}")
        return 0
    if words[0] not in COMMANDS:
        raise UsageError(_no_command(words[0]))
    name, summary = words[0], COMMANDS[words[0]][1]
    command = import_module(COMMANDS[name][0])
    parser = Parser(prog=f"bionet {name}", description=f"{summary[0].upper()}{summary[1:]}.")
    command.add_arguments(parser)
    if {"-h", "--help"} & set(words[1:]):
        print(parser.format_help(), end="")
        return 0
    return command.run(parser.read(words[1:]))


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises `UsageError` with a sentence, instead of exiting."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parses all the words, and leaves none over."""
        options, rest = self.parse_known_args(words)
        if not rest:
            return options
        if not rest[0].startswith("-"):
            raise UsageError(f"`{self.prog}` has no place for {rest[0]!r}. {self._see()}")
        name = rest[0].partition("=")[0]
        known = [word for word in self._option_string_actions if word.startswith("--")]
        near = closest(name, known, count=1)
        hint = f"Did you mean {near[0]!r}?" if near else self._see()
        raise UsageError(f"`{self.prog}` has no option {name!r}. {hint}")

    def error(self, message: str) -> NoReturn:
        missing = re.search(r"arguments are required: (.*)", message)
        if missing:
            raise UsageError(f"`{self.prog}` needs {missing[1]}, and nothing came. {self._see()}")
        empty = re.fullmatch(r"argument (\S+): expected .*", message)
        if empty:
            raise UsageError(f"Option {empty[1]} needs a value, and none came. {self._see()}")
        raise UsageError(f"`{self.prog}`: {message}. {self._see()}")

    def _see(self) -> str:
        return f"See `{self.prog} --help`."


def whole_number(name: str, least: int, most: int | None = None) -> Callable[[str], int]:
    """A reader of whole numbers for the option `name`, with the sentence for anything else."""
    bounds = f"of {least} or more" if most is None else f"from {least} to {most}"

    def read(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            raise UsageError(f"Option {name} needs a whole number {bounds}, got {word!r}.")
        return value

    return read


def place(word: str) -> str:
    """Reads a path; `~` is the user's home."""
    try:
        return str(own_path(word)) if word.startswith("~") else word
    except ValueError as error:
        raise UsageError(str(error)) from None  # argparse has a sentence of its own for the other


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """The option `--plugin`, for commands that take methods by their words."""
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="FILE.py", type=place,
        help="a Python file that registers methods of your own; may be given many times",
    )  # fmt: skip


def load_plugins(paths: Sequence[str]) -> list[dict[str, str]]:
    """Runs method files, and describes them as a run keeps them.

    Raises:
        UsageError: a file is not there, can't be run, or registers nothing.
    """
    if not paths:
        return []
    from bionet.training.plugins import load_plugin

    try:
        loaded = [load_plugin(path) for path in paths]
    except ValueError as error:
        raise UsageError(str(error)) from error
    return [{"path": each.name, "sha256": each.sha256, "text": each.text} for each in loaded]


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Adds `--seed`, the same for every command that trains."""
    read = whole_number("--seed", 0, 2**32 - 1)
    parser.add_argument("--seed", type=read, default=0, metavar="N", help="random seed (0)")


def _no_command(word: str) -> str:
    if word.startswith("-"):
        return f"`bionet` has no option {word!r}. See `bionet --help`."
    return unknown("command", word, COMMANDS)


def _overview() -> str:
    lines = [f"  bionet {name:<8} {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "bionet: train networks that are not ordinary feed-forward, and see what it costs.",
            "",
            *lines,
            "",
            "`bionet COMMAND --help` says more, `bionet --version` the version.",
            "Start with: bionet demo prototypes-local",
        ]
    )
