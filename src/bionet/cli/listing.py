"""`bionet list`: which recipes there are. Loads no JAX and no recipe."""

from __future__ import annotations

import argparse
import json

from bionet import zoo
from bionet._core.tables import print_table
from bionet.zoo.registry import AXES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument(
        "pattern", nargs="?", default="*", help="shell pattern for the ids, such as '*local*'"
    )
    for axis in AXES:
        parser.add_argument(f"--{axis}", metavar="NAME", help=f"only recipes of this {axis}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    named = set(zoo.names(options.pattern))
    tagged = zoo.list_recipes(**{axis: getattr(options, axis) for axis in AXES})
    specs = [spec for spec in tagged if spec.id in named]
    if options.json:
        print(json.dumps([spec.to_dict() for spec in specs], indent=2, ensure_ascii=False))
    elif not specs:
        print("No recipe has all of this together. Leave out one filter.")
    else:
        _print_table(specs)
    return 0


def _print_table(specs: list[zoo.RecipeSpec]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("id", style="bold cyan", no_wrap=True)
    table.add_column("method × architecture", min_width=16)
    table.add_column("what it shows", ratio=1, min_width=20)
    for spec in specs:
        how = f"{spec.method} × {spec.architecture}"
        table.add_row(*(Text(cell) for cell in (spec.id, how, spec.summary)))
    console = Console(highlight=False)
    print_table(console, table)
    console.print(f"Try one: bionet demo {specs[0].id}", style="dim", markup=False, soft_wrap=True)
