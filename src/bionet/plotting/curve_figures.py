"""Learning curves of several arms over what they cost, each with the band of its interval.

Up to seven arms share one picture, and each line ends in its name and its last value. More of
them are drawn side by side: each picture has one arm in colour, and all the others in grey.
Where curves begin far below where they end, the beginning is cut off, so that their ends can be
format_value apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bionet.plotting.learning_curve import (
    INK,
    apart,
    blank_figure,
    check_drawn,
    finish,
    make_log,
    plain_axes,
    plain_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOGETHER = 7
"""The most curves that share one picture."""
IN_THREES = 9
"""The most pictures that stand three in a row; more of them stand four in a row."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D1F", "#56B4E9", "#5B4B9A")
"""What arms are drawn in, in their order; from the eighth on they begin again."""
MARKERS = ("o", "s", "^", "D", "v", "<", ">", "p", "h", "*")
"""The shapes of arms, a different number of them than of colours, so that no pair comes again."""
CONTROL = "#555555"
"""What the frozen control is drawn in, with dashes."""
GREY = "#CFCFCF"
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
ROOM = 36
"""The most letters of a name in a picture, and `NARROW` those above one of four in a row."""
NARROW = 24
COARSE = 24
"""About how many points a grey line has."""
FAR = 40.0
"""From this ratio of its ends on, an axis is logarithmic."""


class Curve(NamedTuple):
    """A mean over seeds and its interval, along a cost.

    A curve of one point is a level: it is drawn from one side to the other.

    Attributes:
        label: the name of the arm.
        x: the cost.
        mean: the metric at that cost.
        low: the lower ends of the intervals.
        high: the upper ends.
        control: whether it is the frozen control.
        place: its place among all arms, which gives colour and shape; None is that among these.
    """

    label: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    control: bool = False
    place: int | None = None


def plot_curves(
    curves: Sequence[Curve],
    *,
    ylabel: str,
    xlabel: str,
    share: bool = True,
    lower: bool = False,
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draws learning curves with bands.

    Args:
        curves: one for each arm.
        ylabel: what is drawn.
        xlabel: what it is drawn along.
        share: whether values from 0 to 1 are shown in per cent.
        lower: whether less is better, as with a loss.
        title: one line above the picture.
        path: where to save it; the suffix says in which format.

    Returns:
        The figure.

    Raises:
        ValueError: there is no curve, or no point, or the suffix is not known.

    Example:
        >>> curve = Curve("local", [1, 2], [0.5, 0.9], [0.4, 0.88], [0.6, 0.92])
        >>> figure = plot_curves([curve], ylabel="accuracy", xlabel="epochs")
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['local  90.0%']
    """
    check_drawn("plot_curves", curves, *(curve.x for curve in curves))
    together = len(curves) <= TOGETHER
    figure, panels = _together() if together else _side_by_side(len(curves))
    for ax, name in zip(panels, [None] if together else range(len(curves)), strict=True):
        plain_axes(ax, "y")
        _draw(ax, curves, name, share)
    _scale(panels[0], curves, share=share, lower=lower)
    figure.supxlabel(xlabel, fontsize=10, color=INK)
    figure.supylabel(ylabel, fontsize=10, color=INK)
    finish(figure, title)
    if together:
        figure.draw_without_rendering()  # The labels need the final positions to keep apart.
        _label(panels[0], curves, share=share)
    return finish(figure, "", path)


def ink(place: int, arm: Any) -> dict[str, Any]:
    """Colour, dashes and marker of an arm, by its place among the arms.

    Args:
        place: where it comes in its figure.
        arm: a `Curve`, or anything else with a `control` and a `place` of its own.
    """
    place = place if arm.place is None else arm.place
    if arm.control:
        return {"color": CONTROL, "linestyle": (0, (3, 1.5)), "marker": "d"}
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def format_value(value: float, share: bool, digits: int = 1) -> str:
    """A value as it is written into a picture."""
    return f"{100 * value:.{digits}f}%" if share else f"{value:.{digits + 2}g}"


def shorten(name: str, room: int = ROOM) -> str:
    """A name in so many letters: one that is longer loses its middle."""
    if len(name) <= room:
        return name
    return f"{name[: room - room // 2 - 1]}…{name[len(name) - room // 2 :]}"


def in_per_cent(axis: Any) -> None:
    """Ticks of shares in per cent."""
    axis.set_major_formatter(lambda at, _: f"{round(100 * at, 4):g}%")


def log_wanted(values: Sequence[float]) -> bool:
    """Returns whether values are so far apart that their axis is logarithmic."""
    return bool(values) and min(values) > 0 and max(values) / min(values) > FAR


def _together() -> tuple[Figure, list[Axes]]:
    figure = blank_figure(7.4, 4.1)
    return figure, [figure.add_subplot()]


def _side_by_side(count: int) -> tuple[Figure, list[Axes]]:
    columns = 3 if count <= IN_THREES else 4
    rows = -(-count // columns)
    figure = blank_figure(9.0, 1.75 * rows + 0.7)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in panels[count:]:
        ax.set_visible(False)
    # What stands over a hidden picture has to show its own ticks.
    for ax in panels[max(count - columns, 0) : count]:
        ax.tick_params(labelbottom=True)
    return figure, list(panels[:count])


def _draw(ax: Axes, curves: Sequence[Curve], chosen: int | None, share: bool) -> None:
    """All curves, or one of them before the others."""
    for place, curve in enumerate(curves):
        if chosen is None or place == chosen:
            _stroke(ax, curve, ink(place, curve))
        elif curve.control:
            _stroke(ax, curve, ink(place, curve) | {"linewidth": 0.9, "zorder": 1}, band=False)
        else:
            _stroke(ax, _coarse(curve), {"color": GREY, "linewidth": 0.8, "zorder": 1}, band=False)
    if chosen is not None:
        name = shorten(curves[chosen].label, ROOM if len(curves) <= IN_THREES else NARROW)
        named = f"{name}  {format_value(curves[chosen].mean[-1], share)}"
        ax.set_title(named, fontsize=9, color=INK, loc="left", pad=4)


def _coarse(curve: Curve) -> Curve:
    """A curve with few points, most of them early: of n arms there are n squared such lines."""
    count = len(curve.x)
    kept = np.unique(np.geomspace(1, count, COARSE).round().astype(int)) - 1
    return curve._replace(x=[curve.x[n] for n in kept], mean=[curve.mean[n] for n in kept])


def _stroke(ax: Axes, curve: Curve, style: dict[str, Any], band: bool = True) -> None:
    style = {"linewidth": 2.0, "zorder": 3} | style | {"marker": "", "label": curve.label}
    shade: dict[str, Any] = {"color": style["color"], "alpha": 0.16, "linewidth": 0, "zorder": 2}
    if len(curve.x) == 1:
        ax.axhline(curve.mean[0], **style | {"linewidth": min(style["linewidth"], 1.4)})
        if band:
            ax.axhspan(curve.low[0], curve.high[0], **shade)
        return
    ax.plot(curve.x, curve.mean, **style)
    if band:
        ax.fill_between(curve.x, curve.low, curve.high, **shade)


def _scale(ax: Axes, curves: Sequence[Curve], *, share: bool, lower: bool) -> None:
    """The ends of the axes; the ends of the curves have a fair part of the height."""
    drawn = [curve for curve in curves if len(curve.x) > 1]
    ends = [x for curve in drawn for x in (curve.x[0], curve.x[-1])]
    if log_wanted(ends):
        make_log(ax, ends)
    elif drawn:
        ax.set_xlim(0, 1.02 * max(curve.x[-1] for curve in drawn))
    ax.set_ylim(*_heights(curves, -1.0 if lower else 1.0))
    if share:
        in_per_cent(ax.yaxis)
    if ax.get_xscale() == "linear":
        plain_ticks(ax.xaxis)


def _heights(curves: Sequence[Curve], sign: float) -> tuple[float, float]:
    def turned(values: Sequence[float]) -> list[float]:
        return [sign * value for value in values if math.isfinite(value)]

    every = [y for curve in curves for y in (*turned(curve.low), *turned(curve.high))]
    ends = [y for curve in curves for y in turned([curve.mean[-1]])] or [0.0]
    top, bottom, last = max(every, default=0.0), min(every, default=0.0), min(ends)
    room = max(1.2 * (max(ends) - last), 0.2 * (max(ends) - bottom))
    bottom = max(bottom, last - room)
    edge = 0.05 * (top - bottom) or 0.02
    low, high = sorted((sign * (bottom - edge), sign * (top + edge)))
    return low, high


def _label(ax: Axes, curves: Sequence[Curve], *, share: bool) -> None:
    """Writes each arm's name and last value to the right of its end, without overlap."""
    low, high = ax.get_ylim()
    height = ax.get_window_extent().height / ax.figure.dpi * 72  # in points
    order = sorted(range(len(curves)), key=lambda place: curves[place].mean[-1])
    ends = [(curves[place].mean[-1] - low) / (high - low) * height for place in order]
    for place, at in zip(order, apart(ends, 12.5, height), strict=True):
        curve = curves[place]
        inside = len(curve.x) > 1 and ax.get_xscale() == "linear"
        ax.annotate(
            f"{shorten(curve.label)}  {format_value(curve.mean[-1], share)}",
            xy=(curve.x[-1], curve.mean[-1]) if inside else (1.0, curve.mean[-1]),
            xycoords="data" if inside else ("axes fraction", "data"),
            xytext=(1.04, at / height), textcoords="axes fraction",
            color=ink(place, curve)["color"], fontsize=9, va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0,
                        "color": ink(place, curve)["color"], "relpos": (0.0, 0.5)},
        )  # fmt: skip
