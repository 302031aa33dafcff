"""A table whose cells are coloured by their value: method by application, say.

Colours compare inside a column alone, since a number on one task says nothing beside one on
another. A cell that nobody has measured says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bionet.plotting.learning_curve import INK, blank_figure, check_drawn, finish

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_SPAN = 0.05
"""The least difference that the colours span, as a share of 1."""
Cells = Mapping[tuple[str, str], tuple[str, float]]
"""(row, column) mapped to what is written there and the value that colours it."""


def plot_heat_map(
    cells: Cells,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    share: bool = True,
    lower: bool = False,
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draws a table whose colours compare inside each column.

    Args:
        cells: (row, column) mapped to what is written there and the value that colours it.
        rows: from top to bottom.
        columns: from left to right.
        share: whether values are shares of 1, whose colours span five points at least.
        lower: whether less is better.
        title: one line above the picture.
        path: where to save it; the suffix says in which format.

    Returns:
        The figure.

    Raises:
        ValueError: there is no row or no column, or the suffix is not known.

    Example:
        >>> cells = {("two-phase", "digits"): ("96.1", 0.961)}
        >>> figure = plot_heat_map(cells, rows=["two-phase", "dfa"], columns=["digits"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['96.1', 'none yet']
    """
    check_drawn("plot_heat_map", rows, columns)
    widest = max(len(name) for name in rows)
    figure = blank_figure(0.085 * widest + 1.55 * len(columns) + 0.5, 0.52 * len(rows) + 1.0)
    ax = figure.add_subplot()
    shades = [[_shade(cells, row, each, rows, share, lower) for each in columns] for row in rows]
    ax.set_facecolor("#F5F5F5")
    ax.pcolormesh(
        [[math.nan if shade is None else shade for shade in line] for line in shades],
        cmap="GnBu", vmin=-0.15, vmax=1.55, edgecolors="white", linewidth=2.5,
    )  # fmt: skip
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            words, shade = cells.get((row, column), ("none yet", 0.0))[0], shades[y][x]
            color = "#9A9A9A" if shade is None else INK
            ax.text(x + 0.5, y + 0.5, words, ha="center", va="center", fontsize=8.5, color=color)
    ax.set_xticks([x + 0.5 for x in range(len(columns))], columns)
    ax.set_yticks([y + 0.5 for y in range(len(rows))], rows)
    ax.invert_yaxis()
    ax.tick_params(length=0, labelsize=9, labelcolor=INK)
    ax.xaxis.tick_top()
    for spine in ax.spines.values():
        spine.set_visible(False)
    return finish(figure, title, path)


def _shade(
    cells: Cells, row: str, column: str,
    rows: Sequence[str], share: bool, lower: bool,
) -> float | None:  # fmt: skip
    """Returns how far up in its column a cell is, from 0 to 1; None where it is empty."""
    if (row, column) not in cells:
        return None
    values = [cells[each, column][1] for each in rows if (each, column) in cells]
    bottom, top = min(values), max(values)
    least = LEAST_SPAN if share else 1e-12
    middle, half = (bottom + top) / 2, max(top - bottom, least) / 2
    shade = (cells[row, column][1] - middle) / (2 * half) + 0.5
    return 1 - shade if lower else shade
