"""Draws a supergraph: the slots of a compiled network in order, and who waits for whom.

A column is a generation, whose slots do not wait for one another; a row is a node. Every slot
has its number in the order in which they are run. A line that would lead through a slot that it
does not end at bows out around it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from bionet.plotting.graph_figure import INK, WIDTH, color_names, colors, readable_on
from bionet.plotting.timeline import Episode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PITCH = 26.0  # of the rows, in points
BOWS = (0, 9, -9, 13, -13, 18, -18)  # by how much a line may bow, in points, the best first
APART = 8.5  # how far a line is from the middle of a slot, in points


def draw_supergraph(ax: Axes, slots: nx.DiGraph[Any], episode: Episode) -> None:
    """The slots, a column per generation and a row per node, and who waits for whom."""
    color = colors(episode)
    kinds = {told["kind"] for _, told in slots.nodes(data=True)}
    names = [row.name for row in episode.rows if row.name in kinds]
    names += sorted(kinds - set(names))
    last = max(int(told["generation"]) for _, told in slots.nodes(data=True))
    at = {
        slot: (told["generation"], -names.index(told["kind"]))
        for slot, told in slots.nodes(data=True)
    }
    for generation in range(0, last + 1, 2):
        ax.axvspan(generation - 0.5, generation + 0.5, color="#F3F3F3", linewidth=0, zorder=0)
    pitch = np.array([WIDTH / (last + 1), PITCH])
    taken = np.array(list(at.values())) * pitch
    for before, after in slots.edges:
        line = _free_line(np.array(at[before]) * pitch, np.array(at[after]) * pitch, taken)
        tint = color[slots.nodes[before]["kind"]]
        ax.plot(*(line / pitch).T, color=tint, linewidth=0.9, zorder=1)
    _draw_slots(ax, at, [color[slots.nodes[slot]["kind"]] for slot in at], pitch)
    ax.set_xlim(-0.5, last + 0.5)
    ax.set_ylim(-len(names) + 0.45, 0.55)
    ax.set_xticks(range(0, last + 1, 1 + last // 20))
    ax.set_xlabel("generation", fontsize=8.5, color=INK)
    ax.tick_params(axis="x", labelsize=8, length=0, labelcolor=INK)
    ax.set_yticks([-at for at in range(len(names))], names, fontsize=9)
    color_names(ax, [color[name] for name in names])
    ax.spines["bottom"].set_visible(False)
    said = f"Supergraph: {_count(len(slots), 'slot')} in {_count(last + 1, 'generation')}"
    ax.set_title(said, fontsize=9.5, color=INK, loc="left")


def _draw_slots(
    ax: Axes, at: dict[Any, tuple[int, int]], fills: list[str], pitch: np.ndarray
) -> None:
    radius = min(7.5, 0.42 * pitch[0])
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 3}
    for (slot, (x, y)), fill in zip(at.items(), fills, strict=True):
        ax.plot([x], [y], "o", markersize=2 * radius, color=fill, mec="white", mew=1, zorder=2)
        if radius > 4:
            ax.text(x, y, str(slot), fontsize=0.95 * radius, color=readable_on(fill), **style)


def _free_line(start: np.ndarray, end: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """A line between two slots that bows as little as it must to keep off the others."""
    share = np.linspace(0, 1, 25)[:, None]
    others = taken[~((taken == start).all(1) | (taken == end).all(1))]
    along = end - start
    across = np.array([-along[1], along[0]]) / np.hypot(*along)
    best, most = start + share * along, -1.0
    for bow in BOWS:
        line = start + share * along + bow * np.sin(np.pi * share) * across
        gaps = np.hypot(*(line[:, None] - others[None]).transpose(2, 0, 1))
        gap = float(gaps.min(initial=math.inf))
        if gap > APART:
            return line
        if gap > most:
            best, most = line, gap
    return best


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
