"""Draws an episode of an asynchronous network as a timeline.

A row per node, time to the right, a box per step. A message leaves at the end of a box, goes to
where it arrives, at a rail above or below the receiver's boxes, and waits there until the step
that sees it first. The axes are made in `bionet.plotting.learning_curve`; nothing is imported from
matplotlib here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bionet.graph import TICKS_PER_SECOND
from bionet.plotting.timeline import Episode, Messages, Row, Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GREY = "#222222", "#777777"
SUPERVISOR = "#D55E00"
OTHERS = ("#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#8C6D1F", "#3B3B3B")
HALF = 0.17  # of a row's height is the half of a box
RAIL = 0.11  # from a box to the first rail, and half of it from there to the next
THINNEST = 0.006  # of the width is a box at least
WIDTH = 390  # of the axes, in points, as far as it has to be known before they are laid out
TIP = ((0.0, 0.0), (-0.55, 1.0), (0.55, 1.0))  # an arrow head that ends where it stands


class _Place(NamedTuple):
    """The place where messages come into a row: on the rail at `rail`, and to the box at `edge`."""

    rail: float
    edge: float


class _Scene(NamedTuple):
    """The axes, what is seen on them, and how much of their unit a tick is."""

    ax: Axes
    episode: Episode
    span: Span
    scale: float
    word: str


def colors(episode: Episode) -> dict[str, str]:
    """A colour per node, the same whichever rows are drawn."""
    others = [name for name in episode.names if name != episode.supervisor]
    found = {name: OTHERS[at % len(OTHERS)] for at, name in enumerate(others)}
    return found if episode.supervisor is None else found | {episode.supervisor: SUPERVISOR}


def draw_episode(ax: Axes, episode: Episode, span: Span) -> None:
    """The rows, the steps, the messages and the supervisor's ticks, all but the numbers."""
    scene = _scene(ax, episode, span)
    height = {row.name: -at for at, row in enumerate(episode.rows)}
    ax.set_xlim(span[0] * scene.scale, span[1] * scene.scale)
    ax.set_ylim(-len(episode.rows) + 0.45, 0.55)
    _draw_ticks(scene)
    for row in episode.rows:
        ax.axhline(height[row.name], color="#DDDDDD", linewidth=0.8, zorder=0)
        _draw_steps(scene, row, height[row.name])
    for messages, place in zip(episode.messages, _places(episode, height), strict=True):
        _draw_messages(scene, messages, height[messages.sender], place)
    _name_rows(scene)
    ax.set_xlabel(f"time ({scene.word})", fontsize=8.5, color=INK)
    ax.tick_params(axis="x", labelsize=8, color=INK, labelcolor=INK)


def number_steps(ax: Axes, episode: Episode, span: Span, label: str) -> None:
    """Writes numbers to the boxes where there is room; the axes have their final place.

    Args:
        ax: the axes of the timeline.
        episode: what they show.
        span: from when to when.
        label: "seq" for the numbers of the steps, "slot" for those of their slots.
    """
    scene = _scene(ax, episode, span)
    width = ax.get_window_extent().width / ax.figure.dpi * 72  # in points
    for at, row in enumerate(episode.rows):
        numbers = row.slot if label == "slot" else np.arange(len(row.start))
        _number_row(scene, row, numbers, -at, width / (span[1] - span[0]))


def draw_key(figure: Figure, ax: Axes, episode: Episode, span: Span) -> None:
    """Says what boxes and lines mean, as far as they are there."""
    box: dict[str, Any] = {"marker": "s", "linestyle": "none", "markersize": 7}
    runs = np.concatenate([row.runs[_touches(row.start, row.end, span)] for row in episode.rows])
    read = np.concatenate([_show(m, span)[1] for m in episode.messages] or [np.zeros(0, bool)])
    compiled = episode.supervisor is not None
    entries: list[tuple[Any, str, dict[str, Any]]] = [
        (runs.any(), "a step", {**box, "color": GREY}),
        ((~runs).any(), "not run", {**box, "mfc": _pale(GREY), "mec": GREY}),
        (read.any(), "a message: on its way, waiting", {"color": GREY, "marker": "."}),
        (
            (~read).any(),
            "never read" if compiled else "never seen",
            {"color": _pale(GREY, 0.5), "linestyle": (0, (2, 1.5)), "marker": "x", "markersize": 4},
        ),
    ]
    if compiled:
        ticks = {"color": SUPERVISOR, "linewidth": 0.8, "dashes": (4, 2.5)}
        entries.append((True, "the supervisor's step", ticks))
    handles = [ax.plot([], [], label=text, **style)[0] for here, text, style in entries if here]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7.5,
        frameon=False, labelcolor=INK, handlelength=2.0, columnspacing=1.6,
    )  # fmt: skip


def _scene(ax: Axes, episode: Episode, span: Span) -> _Scene:
    long = max(map(abs, span)) > 2.5 * TICKS_PER_SECOND
    return _Scene(ax, episode, span, (1 if long else 1e3) / TICKS_PER_SECOND, "s" if long else "ms")


def _draw_ticks(scene: _Scene) -> None:
    """A line per step of the supervisor, with its number above."""
    ax, span, ticks = scene.ax, scene.span, scene.episode.ticks
    shown = np.flatnonzero((ticks >= span[0]) & (ticks <= span[1]))
    if not len(shown):
        return
    every = math.ceil(20 * len(shown) / WIDTH)
    style: dict[str, Any] = {"fontsize": 8, "color": SUPERVISOR, "annotation_clip": False}
    style |= {"textcoords": "offset points"}
    for nth in shown:
        x = ticks[nth] * scene.scale
        ax.axvline(x, color=SUPERVISOR, linewidth=0.8, dashes=(4, 2.5), zorder=0.5)
        if nth % every == 0:
            ax.annotate(str(nth), (x, 1.0), (0, 2), ("data", "axes fraction"), ha="center", **style)
    said = f"{scene.episode.supervisor}'s step"
    ax.annotate(said, (0, 1.0), (-9, 2), "axes fraction", ha="right", **style)


def _draw_steps(scene: _Scene, row: Row, y: float) -> None:
    start, width = _boxes(row, scene.span)
    color, touched = colors(scene.episode)[row.name], _touches(row.start, row.end, scene.span)
    for runs, fill, edge in ((True, color, color), (False, _pale(color), _pale(color, 0.5))):
        shown = touched & (row.runs == runs)
        boxes = list(zip(start[shown] * scene.scale, width[shown] * scene.scale, strict=True))
        style: dict[str, Any] = {"facecolor": fill, "edgecolor": edge, "linewidth": 0.7}
        scene.ax.broken_barh(boxes, (y - HALF, 2 * HALF), zorder=3, **style)


def _draw_messages(scene: _Scene, messages: Messages, y: float, place: _Place) -> None:
    shown, read = _show(messages, scene.span)
    times = (messages.sent, messages.arrives, messages.seen)
    sent, arrives, seen = (part[shown] * scene.scale for part in times)
    ink, faint = (tint := colors(scene.episode)[messages.sender]), _pale(tint, 0.5)
    leaves = y + math.copysign(HALF, place.rail - y)
    line: dict[str, Any] = {"linewidth": 1.0, "zorder": 2.5, "solid_capstyle": "round"}
    mark: dict[str, Any] = {"linestyle": "none"}
    plot = scene.ax.plot
    plot(
        *_chains([sent, arrives], [leaves, place.rail], ~read), color=faint,
        linestyle=(0, (2, 1.5)), **line,
    )  # fmt: skip
    unread = arrives[~read]
    plot(unread, [place.rail] * len(unread), marker="x", color=faint, markersize=3.5, **mark)
    heights = [leaves, place.rail, place.rail, place.edge]
    plot(*_chains([sent, arrives, seen, seen], heights, read), color=ink, **line)
    plot(arrives[read], [place.rail] * read.sum(), marker=".", color=ink, markersize=3.5, **mark)
    tip = TIP if place.rail > place.edge else tuple((x, -y) for x, y in TIP)
    mark |= {"marker": tip, "markersize": 5.5, "mew": 0, "zorder": 4}
    plot(seen[read], [place.edge] * read.sum(), color=ink, **mark)


def _chains(
    times: list[np.ndarray], heights: list[float], kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lines through points, one per message that is kept, as one line with gaps."""
    count = int(kept.sum())
    x = np.stack([*(time[kept] for time in times), np.full(count, np.nan)], 1)
    return x.ravel(), np.tile([*heights, np.nan], count)


def _places(episode: Episode, height: dict[str, int]) -> list[_Place]:
    """A rail of its own for each connection of a row, on the side that the messages come from."""
    used: dict[tuple[str, int], int] = {}
    places = []
    for messages in episode.messages:
        y = height[messages.receiver]
        side = -1 if height[messages.sender] < y else 1
        before = used.get((messages.receiver, side), 0)
        used[messages.receiver, side] = before + 1
        edge = y + side * HALF
        places.append(_Place(edge + side * RAIL * (1 + before / 2), edge))
    return places


def _name_rows(scene: _Scene) -> None:
    ax, rows, tints = scene.ax, scene.episode.rows, colors(scene.episode)
    names = [row.name if row.rate is None else f"{row.name}\n{row.rate:g} Hz" for row in rows]
    ax.set_yticks([-at for at in range(len(rows))], names, fontsize=9)
    color_names(ax, [tints[row.name] for row in rows])
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.name == scene.episode.supervisor else "normal")


def color_names(ax: Axes, tints: list[str]) -> None:
    """Gives the names of rows the colours of what stands in them, darker."""
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    for label, tint in zip(ax.get_yticklabels(), tints, strict=True):
        red, green, blue = _rgb(tint)
        label.set_color((0.72 * red, 0.72 * green, 0.72 * blue))


def _number_row(scene: _Scene, row: Row, numbers: np.ndarray, y: float, points: float) -> None:
    """Numbers inside of the boxes, where all of them fit; else those that fit, before them."""
    start, width = _boxes(row, scene.span)
    room = np.diff(start + width, prepend=-np.inf) - width
    shown = np.flatnonzero(_touches(row.start, row.end, scene.span) & (numbers >= 0))
    needs = {at: 4.0 * len(str(numbers[at])) + 3 for at in shown}
    style: dict[str, Any] = {"fontsize": 6.5, "va": "center_baseline", "clip_on": True}
    if all(points * width[at] > needs[at] for at in shown):
        on = {True: readable_on(colors(scene.episode)[row.name]), False: INK}
        for at in shown:
            x, ink = start[at] + width[at] / 2, on[bool(row.runs[at])]
            said = str(numbers[at])
            scene.ax.text(x * scene.scale, y, said, color=ink, ha="center", zorder=5, **style)
        return
    style["bbox"] = {"facecolor": "white", "linewidth": 0, "pad": 0.6}
    for at in shown:
        if points * room[at] > needs[at]:
            x, said = (start[at] - 1.5 / points) * scene.scale, str(numbers[at])
            scene.ax.text(x, y, said, color=GREY, ha="right", zorder=2.3, **style)


def _boxes(row: Row, span: Span) -> tuple[np.ndarray, np.ndarray]:
    """Returns where boxes begin and how wide they are, in ticks; no time is a thin one."""
    least = THINNEST * (span[1] - span[0])
    width = np.maximum(row.end - row.start, least)
    return row.start - np.where(row.end - row.start < least, least / 2, 0), width


def _touches(start: np.ndarray, end: np.ndarray, span: Span) -> np.ndarray:
    return (end >= span[0]) & (start <= span[1])


def _show(messages: Messages, span: Span) -> tuple[np.ndarray, np.ndarray]:
    """Returns which messages are on their way or wait within the span, and which are read."""
    shown = _touches(messages.sent, np.maximum(messages.arrives, messages.seen), span)
    return shown, messages.read[shown]


def _rgb(color: str) -> tuple[float, float, float]:
    return (
        int(color[1:3], 16) / 255,
        int(color[3:5], 16) / 255,
        int(color[5:7], 16) / 255,
    )


def _pale(color: str, share: float = 0.2) -> str:
    """The colour, mixed with white."""
    return "#" + "".join(f"{round(255 * (1 - share * (1 - part))):02X}" for part in _rgb(color))


def readable_on(color: str) -> str:
    """Returns a colour that can be read on a colour."""
    red, green, blue = _rgb(color)
    return INK if 0.3 * red + 0.6 * green + 0.1 * blue > 0.52 else "white"
