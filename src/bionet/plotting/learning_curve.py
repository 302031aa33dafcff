"""Pictures: the learning curve of a run, and what happens when in an asynchronous network.

A curve is drawn beside everything that it must be compared with. This is the only file that
imports matplotlib, and it does so inside its functions. It builds
`Figure` objects without pyplot, so that no window, no backend and no global setting is
touched, on any machine. The figures of studies begin and end here too: the same drawing is saved
as the same bytes. Colours are those of Okabe and Ito, which stay apart for colour-blind readers and
in grey; every line also has its own dashes and its label beside it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from bionet._core.files import check_writable, own_path, write_with
from bionet._core.names import closest, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bionet.graph import ComputationGraph, Graph

CURVE = "#0072B2"
CONTROL = "#D55E00"
CHANCE = "#666666"
BASELINES = ("#009E73", "#CC79A7", "#8C6D1F", "#3B3B3B")
BREAK = 0.4  # A level is cut off where the empty space above it takes this share of the picture.
INK = "#222222"


class _Level(NamedTuple):
    """A horizontal line: what the curve is compared with."""

    label: str
    value: float
    color: str
    dashes: Any


def plot_curve(
    history: Sequence[Mapping[str, Any]],
    *,
    metric: str = "accuracy",
    control: float | None = None,
    baselines: Mapping[str, float] | None = None,
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draws a held-out metric per epoch, and the levels that it has to beat.

    Where one level (often chance) lies far below everything else, the vertical axis is
    broken, so that the curve and the control can be told apart.

    Args:
        history: one mapping per epoch, with "epoch" (from 1) and `metric`.
        metric: what to draw; accuracies, from 0 to 1, are shown in per cent.
        control: the metric of the frozen control.
        baselines: other levels by name, such as {"chance": 0.1}.
        title: one line above the picture.
        path: where to save the picture, whole or not at all; the suffix (.png, .pdf, .svg)
            says in which format.

    Returns:
        The figure. It belongs to no window; `figure.savefig` writes it again.

    Raises:
        ValueError: the history is empty or lacks the metric, or the suffix is not known.

    Example:
        >>> history = [{"epoch": 1, "accuracy": 0.91}, {"epoch": 2, "accuracy": 0.96}]
        >>> figure = plot_curve(history, control=0.93, baselines={"chance": 0.1})
        >>> len(figure.axes)  # the axis is broken above chance
        2
    """
    path = None if path is None else check_path(path)
    epochs, values = _curve(history, metric)
    levels = _levels(control, baselines or {})
    figure = blank_figure(6.4, 3.7)
    main, axes = _axes(figure, [*values, *(level.value for level in levels)])
    for ax in axes:
        _draw(ax, epochs, values, levels, metric)
    _finish(main, axes, epochs, metric, title)
    figure.draw_without_rendering()  # The labels need the final positions to keep apart.
    for ax in axes:
        _label(ax, values[-1], levels, metric)
    if path is not None:
        save_figure(figure, path)
    return figure


def plot_graph(
    graph: Graph | ComputationGraph | Sequence[ComputationGraph],
    *,
    episode: int = 0,
    span: tuple[float, float] | None = None,
    rows: Sequence[str] | None = None,
    label: Literal["seq", "slot"] = "seq",
    supergraph: bool = True,
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draws what happens when in an episode, and the supergraph that it is run by.

    A row per node, and a box per step from its start to its end. A message goes from the end of
    a box to its arrival, waits on the rail there, and ends in an arrow at the step that sees it
    first. Steps that are not run are pale; messages that no step reads are faint and end in a
    cross.

    Args:
        graph: a compiled graph. Raw ones, one or several episodes, are drawn without what only
            the compiled one knows: supervisor, rates, what is not run, and the supergraph.
        episode: which one.
        span: from when to when, in seconds; None for the supervisor's first few steps.
        rows: the nodes to draw, from top to bottom; None for all, in the order of messages.
        label: the number of a step, or the number of the slot that it runs in.
        supergraph: whether the supergraph is drawn below.
        title: one line above the picture.
        path: where to save the picture, whole or not at all; the suffix (.png, .pdf, .svg)
            says in which format.

    Returns:
        The figure, with the timeline in `axes[0]` and the supergraph in `axes[1]`.

    Raises:
        TypeError: something that is no graph.
        IndexError: an episode that is not there.
        ValueError: a span that is empty or in which nothing takes place, a row that no node
            has, an unknown label, or an unknown suffix.

    Example:
        >>> from bionet.graph import ComputationGraph, Edge, Vertex
        >>> eye, hand = Vertex([0, 1], [0, 50], [10, 60]), Vertex([0], [70], [80])
        >>> seen = {("hand", "eye"): Edge([0, 1], [0, 0], [15, 65])}
        >>> figure = plot_graph(ComputationGraph({"eye": eye, "hand": hand}, seen))
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['eye', 'hand']
    """
    from matplotlib.figure import Figure

    from bionet.plotting import graph_figure
    from bionet.plotting.supergraph_figure import draw_supergraph
    from bionet.plotting.timeline import episode_of, span_of

    path = None if path is None else check_path(path)
    if label not in ("seq", "slot"):
        raise ValueError(f"plot_graph: label needs 'seq' or 'slot', got {label!r}.")
    shown = episode_of(graph, episode, rows)
    times = span_of(shown, span)
    slots = getattr(graph, "S", None) if supergraph else None
    figure = Figure(dpi=200, layout="constrained")
    kinds = set() if slots is None else {kind for _, kind in slots.nodes.data("kind")}
    axes = _panels(figure, len(shown.rows), len(kinds), bool(title))
    graph_figure.draw_episode(axes[0], shown, times)
    if slots is not None:
        draw_supergraph(axes[1], slots, shown)
    graph_figure.draw_key(figure, axes[0], shown, times)
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    figure.draw_without_rendering()  # The numbers need the final places to see who has room.
    graph_figure.number_steps(axes[0], shown, times, label)
    if path is not None:
        write_with(path, lambda temporary: figure.savefig(temporary, dpi=200))
    return figure


def _panels(figure: Figure, rows: int, kinds: int, title: bool) -> list[Axes]:
    """Axes for so many rows, and below for so many kinds; where they are many, rows are low."""
    heights = [rows * min(0.62, max(0.42, 7.5 / rows)) + 0.1]
    if kinds:
        heights.append(kinds * min(0.36, max(0.25, 4.0 / kinds)) + 0.1)
    figure.set_size_inches(7.0, sum(heights) + 0.6 * len(heights) + (0.75 if title else 0.5))
    return list(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])


def _curve(history: Sequence[Mapping[str, Any]], metric: str) -> tuple[list[int], list[float]]:
    if not history:
        raise ValueError("There is no epoch to draw: the history is empty. Train first.")
    for row in history:
        if metric not in row:
            raise ValueError(f"In the history: {unknown('metric', metric, map(str, row))}")
    numbers = [int(row.get("epoch", place)) for place, row in enumerate(history, start=1)]
    return numbers, [float(row[metric]) for row in history]


def _levels(control: float | None, baselines: Mapping[str, float]) -> list[_Level]:
    levels = []
    if control is not None:
        levels.append(_Level("frozen control", float(control), CONTROL, (0, (6, 2))))
    others = [name for name in baselines if name != "chance"]
    for place, name in enumerate(others):
        color = BASELINES[place % len(BASELINES)]
        levels.append(_Level(name, float(baselines[name]), color, (0, (1 + 2 * place, 2))))
    if "chance" in baselines:
        levels.append(_Level("chance", float(baselines["chance"]), CHANCE, (0, (1, 3))))
    return levels


def _axes(figure: Figure, heights: list[float]) -> tuple[Axes, list[Axes]]:
    """One pair of axes, or two where the lowest height is far below the others."""
    ordered = sorted({height for height in heights if math.isfinite(height)}) or [0.0]
    bottom, top = ordered[0], ordered[-1]
    if len(ordered) < 3 or ordered[1] - bottom < BREAK * (top - bottom):
        main = figure.add_subplot()
        room = 0.08 * (top - bottom) or 0.05
        main.set_ylim(bottom - room, top + room)
        return main, [main]
    main, low = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [7, 1], "hspace": 0.04}
    )
    room = 0.1 * (top - ordered[1]) or 0.05
    main.set_ylim(ordered[1] - room, top + room)
    # The same scale in both parts, so that a distance means the same everywhere.
    half = (top - ordered[1] + 2 * room) / 14
    low.set_ylim(bottom - half, bottom + half)
    low.set_yticks([bottom])
    _mark_break(main, low)
    return main, [main, low]


def _mark_break(main: Axes, low: Axes) -> None:
    main.spines["bottom"].set_visible(False)
    main.tick_params(axis="x", length=0, labelbottom=False)
    stroke: dict[str, Any] = {
        "marker": [(-1, -0.5), (1, 0.5)], "markersize": 7, "linestyle": "none",
        "color": INK, "clip_on": False, "label": "_break",
    }  # fmt: skip
    main.plot([0], [0], transform=main.transAxes, **stroke)
    low.plot([0], [1], transform=low.transAxes, **stroke)


def _draw(
    ax: Axes, epochs: list[int], values: list[float], levels: list[_Level], metric: str
) -> None:
    for level in levels:
        ax.axhline(level.value, color=level.color, linestyle=level.dashes, linewidth=1.3, zorder=2)
    marker = "o" if len(epochs) <= 30 else ""
    ax.plot(
        epochs, values, color=CURVE, linewidth=2.2, marker=marker, markersize=4.5, zorder=3,
        label=metric,
    )  # fmt: skip
    plain_axes(ax, "y")


def _finish(main: Axes, axes: list[Axes], epochs: list[int], metric: str, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    last = axes[-1]
    span = max(epochs[-1] - epochs[0], 1)
    last.set_xlim(epochs[0] - 0.03 * span, epochs[-1] + 0.03 * span)
    last.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    last.set_xlabel("epoch", fontsize=10, color=INK)
    if metric.endswith("accuracy"):
        for ax in axes:
            ax.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{round(100 * at, 4):g}%"))
    main.set_ylabel(f"{metric} on held-out data", fontsize=10, color=INK)
    main.set_title(title, fontsize=11, color=INK, loc="left", pad=10)


def _label(ax: Axes, last: float, levels: list[_Level], metric: str) -> None:
    """Writes each line's name and last value to the right of its end, without overlap."""
    low, high = ax.get_ylim()
    lines = [_Level("this network", last, CURVE, None), *levels]
    shown = sorted((line for line in lines if low <= line.value <= high), key=lambda at: at.value)
    height = ax.get_window_extent().height / ax.figure.dpi * 72  # in points
    places = apart([(line.value - low) / (high - low) * height for line in shown], 12.0, height)
    for line, place in zip(shown, places, strict=True):
        number = f"{line.value:.1%}" if metric.endswith("accuracy") else f"{line.value:.3g}"
        ax.annotate(
            f"{line.label}  {number}",
            xy=(1.0, line.value), xycoords=("axes fraction", "data"),
            xytext=(1.04, place / height), textcoords="axes fraction",
            color=line.color, fontsize=9, va="center", annotation_clip=False,
            fontweight="bold" if line.dashes is None else "normal",
            arrowprops={"arrowstyle": "-", "color": line.color, "linewidth": 0.7,
                        "shrinkA": 0, "shrinkB": 0, "relpos": (0.0, 0.5)},
        )  # fmt: skip


def apart(places: list[float], gap: float, height: float) -> list[float]:
    """Ascending places moved as little as needed to be `gap` apart and inside the height."""
    for _ in range(200):
        moved = False
        for lower in range(len(places) - 1):
            overlap = gap - (places[lower + 1] - places[lower])
            if overlap > 0.01:
                places[lower] -= overlap / 2
                places[lower + 1] += overlap / 2
                moved = True
        if not moved:
            break
    shift = max(0.0, -places[0]) if places else 0.0
    shift -= max(0.0, places[-1] + shift - height) if places else 0.0
    return [place + shift for place in places]


def blank_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, which belongs to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=200, layout="constrained")


def plain_axes(ax: Axes, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Takes away the frame where it says nothing; a light grid along "x", "y" or "both"."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        ax.spines[side].set_color("#8A8A8A")
    if grid is not None:
        ax.grid(axis=grid, color="#E4E4E4", linewidth=0.6)
        ax.set_axisbelow(True)
    ax.tick_params(which="both", labelsize=9, color="#8A8A8A", labelcolor=INK)


def make_log(ax: Axes, values: Sequence[float]) -> None:
    """Makes the horizontal axis, along which these lie, logarithmic, with ticks that have room."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    if max(values) / min(values) < 100:  # few powers of ten are in sight
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        plain_ticks(ax.xaxis)


def plain_ticks(axis: Any) -> None:
    """Ticks as numbers in full, with commas."""
    axis.set_major_formatter(lambda at, _: f"{round(at, 6):,.10g}")


def check_drawn(where: str, *given: Sequence[Any]) -> None:
    """Checks that each of the sequences has something in it.

    Raises:
        ValueError: one of them is empty.
    """
    if not all(len(each) for each in given):
        raise ValueError(f"{where}: there is nothing to draw. Leave out what has no points.")


def finish(figure: Figure, title: str = "", path: str | Path | None = None) -> Figure:
    """Writes a title over a figure, and saves it, as far as they are given."""
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
    if path is not None:
        save_figure(figure, path)
    return figure


@contextlib.contextmanager
def default_style() -> Generator[None]:
    """Figures drawn inside look as matplotlib has them, whatever the user's own settings are."""
    from matplotlib import style

    with style.context("default"):
        yield


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Saves a figure whole or not at all; the same drawing gives the same bytes.

    Args:
        figure: what to save.
        path: where; the suffix (.svg, .png, .pdf) says in which format.

    Returns:
        The path.

    Raises:
        ValueError: the suffix is not known.
        OSError: the file cannot be written.
    """
    from matplotlib import rc_context

    path = check_path(path)
    dates = {".svg": "Date", ".pdf": "CreationDate"}
    metadata = {dates[suffix]: None for suffix in [path.suffix.lower()] if suffix in dates}
    with rc_context({"svg.hashsalt": "bionet", "svg.fonttype": "path"}):
        return write_with(path, lambda file: figure.savefig(file, dpi=200, metadata=metadata))


def check_path(path: str | Path) -> Path:
    """The path, if a picture can be saved there; `~` is the user's home.

    Raises:
        ValueError: matplotlib knows no such format, and the message names those that it knows; or
            the path is a directory, or lies where nothing can be written.
    """
    from matplotlib.figure import Figure

    formats = sorted(Figure().canvas.get_supported_filetypes())
    suffix = Path(path).suffix.removeprefix(".").lower()
    if suffix not in formats:
        near = closest(suffix, formats, count=1) or ["png"]
        raise ValueError(
            f"A picture cannot be saved as '{path}'. Give a path that ends in .{near[0]}, "
            f"or in another of: {', '.join(formats)}."
        )
    return check_writable(own_path(path))
