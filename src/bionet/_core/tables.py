"""Prints a table, or its cells one below the other where the window is too narrow for it.

Rich would cut the words short, and an id that is cut is no longer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ENDLESS = 10_000


def print_table(console: Console, table: Any) -> None:
    """Prints a rich table, or anything else that rich can print.

    Args:
        console: where.
        table: what; a table that would have to cut a word is printed as lines.
    """
    from rich.measure import Measurement
    from rich.table import Table

    if isinstance(table, Table):
        endless = console.options.update(max_width=ENDLESS)
        if Measurement.get(console, endless, table).minimum > console.width:
            _print_lines(console, table)
            return
    console.print(table)


def _print_lines(console: Console, table: Table) -> None:
    """A line per row, or, where the columns have names, a line per cell."""
    rows = zip(*(list(column.cells) for column in table.columns), strict=True)
    names = [str(column.header) for column in table.columns] if table.show_header else []
    if table.title:
        console.print(table.title, soft_wrap=True, markup=False)
    for first, *others in rows:
        if not names:
            cells = [str(cell).strip() for cell in (first, *others)]
            indent = "  " if str(first).startswith(" ") else ""
            console.print(indent + "  ".join(filter(None, cells)), soft_wrap=True, markup=False)
            continue
        console.print(str(first), style="bold", soft_wrap=True, markup=False)
        for name, cell in zip(names[1:], others, strict=True):
            if text := " ".join(str(cell).split()):
                console.print(f"  {name}: {text}", soft_wrap=True, markup=False)
    if table.caption:
        console.print(table.caption, soft_wrap=True, markup=False)
