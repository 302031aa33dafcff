"""`bionet matrix`: which recipes there are for each pair of tags. Loads no JAX and no recipe.

It is made from the registry each time, so it cannot drift from what is there. A cell without a
recipe stays empty: that is what nobody has written yet.
"""

from __future__ import annotations

import argparse
import json

from bionet import zoo
from bionet._core.tables import print_table
from bionet.zoo.registry import AXES

Cells = dict[str, dict[str, tuple[str, ...]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    for side, default in (("rows", "method"), ("columns", "application")):
        words = ", ".join(AXES)
        parser.add_argument(
            f"--{side}", metavar="TAG", default=default, help=f"one of {words} ({default})"
        )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    form.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    cells = zoo.matrix(rows=options.rows, columns=options.columns)
    if options.json:
        print(json.dumps(cells, indent=2, ensure_ascii=False))
    elif options.markdown:
        print(_markdown(cells, f"{options.rows} \\ {options.columns}"))
    else:
        _print_table(cells, f"{options.rows} \\ {options.columns}")
    return 0


def _markdown(cells: Cells, corner: str) -> str:
    columns = list(next(iter(cells.values())))
    lines = [[corner, *columns], ["---"] * (len(columns) + 1)]
    lines += [
        [name, *(", ".join(f"`{id}`" for id in row[column]) for column in columns)]
        for name, row in cells.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _print_table(cells: Cells, corner: str) -> None:
    """A table if the window is wide enough for whole ids, else a line for each cell."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column(corner, style="bold", no_wrap=True)
    columns = list(next(iter(cells.values())))
    for column in columns:
        table.add_column(column, style="cyan", no_wrap=True)
    for name, row in cells.items():
        table.add_row(Text(name), *(Text("\n".join(row[column])) for column in columns))
    endless = console.options.update(max_width=10_000)
    if console.measure(table, options=endless).maximum <= console.width:
        console.print(table)
        return
    lines = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, row in cells.items():
        lines.add_row(Text(name, style="bold"))
        for column in columns:
            if row[column]:
                lines.add_row(Text(f"  {column}"), Text(" ".join(row[column]), style="cyan"))
    print_table(console, lines)
