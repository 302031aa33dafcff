"""`bionet methods`: the training methods by their words, and all that can be set of one."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bionet._core.names import unknown
from bionet._core.tables import print_table
from bionet.cli.errors import UsageError
from bionet.cli.parser import add_plugin, load_plugins


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("word", metavar="WORD", nargs="?", help="all about one method")
    parser.add_argument("--family", metavar="NAME", help="only methods of this family")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_plugin(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    load_plugins(options.plugin)
    from bionet.training.registry import METHODS, UnknownMethodError

    if options.word is None:
        rows = [_summary(word) for word in METHODS]
        _check_family(options.family, rows)
        rows = [row for row in rows if options.family in (None, row["family"])]
        print(json.dumps(rows, indent=2, ensure_ascii=False)) if options.json else _print_all(rows)
        return 0
    try:
        details = _describe(options.word)
    except UnknownMethodError as error:
        raise UsageError(str(error)) from None
    print(json.dumps(details, indent=2, ensure_ascii=False)) if options.json else _print(details)
    return 0


def _check_family(family: str | None, rows: list[dict[str, Any]]) -> None:
    known = {row["family"] for row in rows}
    if family is not None and family not in known:
        raise UsageError(unknown("family", family, known))


def _summary(word: str) -> dict[str, Any]:
    from bionet.training.registry import METHODS

    spec = METHODS[word].spec
    return {
        "word": word,
        "family": spec.family,
        "needs": list(spec.needs),
        "summary": spec.summary,
        "from": _origin(word),
    }


def _origin(word: str) -> str:
    from bionet.training.registry import METHODS

    sha256, module = METHODS.origin(word), METHODS[word].__module__
    if sha256 is not None:
        return f"a plug-in, sha256 {sha256[:12]}"
    return "bionet" if module.partition(".")[0] == "bionet" else module


def _describe(word: str) -> dict[str, Any]:
    from bionet.cli.settings import fields_of
    from bionet.training.registry import METHODS

    method = METHODS[word]
    fields = [field._asdict() for field in fields_of(method.Options())]
    return {
        **_summary(word),
        "class": f"{method.__module__}.{method.__qualname__}",
        "sources": list(method.spec.sources),
        "options": [row | {"default": _plain(row["default"])} for row in fields],
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) or value is None else repr(value)


def _print_all(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("method", "family", "needs", "what it does"):
        table.add_column(name, no_wrap=name == "method")
    for row in rows:
        needs = "; ".join(row["needs"]) or "nothing"
        cells = (row["word"], row["family"], needs, row["summary"])
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    print_table(console, table)
    console.print("All that can be set of one: `bionet methods WORD`.", markup=False)


def _print(details: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(f"{details['word']}: {details['summary']}", style="bold", markup=False)
    console.print(f"Family: {details['family']}. From {details['from']}.", markup=False)
    console.print(f"Needs {'; '.join(details['needs']) or 'nothing'}.", markup=False)
    for paper in map(_paper, details["sources"]):
        console.print(f"Follows {paper}", markup=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("option", "type", "default", "what it is"):
        table.add_column(name, no_wrap=name == "option")
    for row in details["options"]:
        cells = (row["name"], row["type"], repr(row["default"]), row["comment"])
        table.add_row(*map(Text, cells))
    print_table(console, table)


def _paper(key: str) -> str:
    """A paper as a reader knows it; the key where it is none of ours."""
    from bionet._core.bibliography import references

    paper = references().get(key)
    if paper is None:
        return key
    ending = ", ".join(str(part) for part in (paper.venue, paper.year, paper.url) if part)
    return f"{', '.join(paper.authors)}. {paper.title}. {ending}"
