"""Figures of arms: each seed with mean and interval, and the metric against the cost.

Arms keep the colours and shapes that they have in the curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bionet.plotting.curve_figures import format_value, in_per_cent, ink, log_wanted, shorten
from bionet.plotting.learning_curve import (
    INK,
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


class Reached(NamedTuple):
    """The metric of an arm, by seed.

    Attributes:
        label: its name.
        mean: over seeds.
        low: the lower end of the mean's interval.
        high: the upper end.
        seeds: the value of each seed.
        control: whether it is the frozen control.
        place: its place among all arms, which gives colour and shape; None is that among these.
    """

    label: str
    mean: float
    low: float
    high: float
    seeds: Sequence[float] = ()
    control: bool = False
    place: int | None = None


class Spent(NamedTuple):
    """The cost of an arm, by seed.

    Attributes:
        mean: over seeds.
        low: the lower end of the mean's interval.
        high: the upper end.
    """

    mean: float
    low: float
    high: float


class Cost(NamedTuple):
    """A kind of cost.

    Attributes:
        label: its name and unit.
        spent: what each arm has spent; None where that is not known.
        front: the places of the arms that nothing beats, from cheap to dear; a line joins them.
    """

    label: str
    spent: Sequence[Spent | None]
    front: Sequence[int] = ()


def plot_results(
    arms: Sequence[Reached],
    *,
    xlabel: str,
    share: bool = True,
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draws each seed of each arm as a point, and over it the mean with its interval.

    Args:
        arms: from top to bottom.
        xlabel: what is drawn.
        share: whether values from 0 to 1 are shown in per cent.
        title: one line above the picture.
        path: where to save it; the suffix says in which format.

    Returns:
        The figure.

    Raises:
        ValueError: there is no arm, or the suffix is not known.

    Example:
        >>> figure = plot_results([Reached("local", 0.9, 0.88, 0.91)], xlabel="accuracy")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['local']
    """
    check_drawn("plot_results", arms)
    figure = blank_figure(7.4, 0.42 * len(arms) + 1.15)
    ax = figure.add_subplot()
    plain_axes(ax, "x")
    for place, arm in enumerate(arms):
        _draw_arm(ax, place, arm, share)
    for arm in arms:
        if arm.control:
            ax.axvspan(arm.low, arm.high, color="#EFEFEF", zorder=0, linewidth=0)
    ax.set_yticks(range(len(arms)), [shorten(arm.label) for arm in arms])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(arms) - 0.5, -0.6)
    ax.set_xlabel(xlabel, fontsize=10, color=INK)
    ax.locator_params(axis="x", nbins=7)
    if share:
        in_per_cent(ax.xaxis)
    return finish(figure, title, path)


def plot_front(
    arms: Sequence[Reached],
    costs: Sequence[Cost],
    *,
    ylabel: str,
    share: bool = True,
    title: str = "",
    path: str | Path | None = None,
) -> Figure:
    """Draws what arms have reached over what they have spent, one picture for each kind of cost.

    Args:
        arms: what they have reached.
        costs: from left to right.
        ylabel: what was reached.
        share: whether values from 0 to 1 are shown in per cent.
        title: one line above the picture.
        path: where to save it; the suffix says in which format.

    Returns:
        The figure.

    Raises:
        ValueError: there is no arm or no cost, or the suffix is not known.

    Example:
        >>> arms = [Reached("a", 0.9, 0.88, 0.92), Reached("b", 0.8, 0.7, 0.9)]
        >>> spent = [Spent(9.0, 8.0, 9.5), Spent(2.0, 2.0, 2.0)]
        >>> len(plot_front(arms, [Cost("seconds", spent, [1, 0])], ylabel="accuracy").axes)
        1
    """
    check_drawn("plot_front", arms, costs)
    width = 3.1 * len(costs) + 0.6
    longest = max(len(shorten(arm.label)) for arm in arms)
    across = max(1, min(len(arms), int(width / (0.08 * longest + 0.55))))
    figure = blank_figure(width, 3.0 + 0.2 * -(-len(arms) // across))
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for ax, cost in zip(panels, costs, strict=True):
        plain_axes(ax, "both")
        _draw_front(ax, arms, cost)
        ax.set_xlabel(cost.label, fontsize=10, color=INK)
    panels[0].set_ylabel(ylabel, fontsize=10, color=INK)
    if share:
        in_per_cent(panels[0].yaxis)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower left", ncols=across, frameon=False,
        fontsize=9, labelcolor=INK, handletextpad=0.3, columnspacing=1.6,
    )  # fmt: skip
    return finish(figure, title, path)


def _draw_arm(ax: Axes, place: int, arm: Reached, share: bool) -> None:
    style = ink(place, arm)
    color = style["color"]
    ax.plot(
        arm.seeds, [place] * len(arm.seeds), linestyle="", marker="o", markersize=4.5,
        markerfacecolor="none", markeredgecolor=color, alpha=0.65, zorder=2,
    )  # fmt: skip
    ax.plot([arm.low, arm.high], [place, place], color=color, linewidth=2.4, zorder=3,
            solid_capstyle="butt")  # fmt: skip
    ax.plot([arm.mean], [place], color=color, marker=style["marker"], markersize=7, zorder=4)
    mean, low, high = (format_value(v, share) for v in (arm.mean, arm.low, arm.high))
    ax.annotate(
        f"{mean}  [{low}, {high}]"
        .replace("%,", ",").replace("%]", "]"),
        xy=(1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5,
        color=color, annotation_clip=False,
    )  # fmt: skip


def _draw_front(ax: Axes, arms: Sequence[Reached], cost: Cost) -> None:
    known = [spent.mean for spent in cost.spent if spent is not None]
    if log_wanted(known):
        make_log(ax, known)
    for place, (arm, spent) in enumerate(zip(arms, cost.spent, strict=True)):
        style = ink(place, arm)
        xs, ys = ([spent.mean], [arm.mean]) if spent else ([], [])
        above = 2 if place in cost.front else 0  # what is unbeaten is hidden by nothing
        ax.plot(
            xs, ys, linestyle="", marker=style["marker"], color=style["color"], markersize=7.5,
            markeredgecolor="white", markeredgewidth=0.8, zorder=4 + above,
            label=shorten(arm.label),
        )  # fmt: skip
        if spent:
            line: dict[str, Any] = {"color": style["color"], "linewidth": 1.3, "zorder": 3 + above}
            ax.plot([spent.mean, spent.mean], [arm.low, arm.high], **line)
            ax.plot([spent.low, spent.high], [arm.mean, arm.mean], **line)
    joined = [(cost.spent[place], arms[place].mean) for place in cost.front]
    at = [(spent.mean, mean) for spent, mean in joined if spent is not None]
    ax.plot(
        [x for x, _ in at], [y for _, y in at], drawstyle="steps-post", color="#B5B5B5",
        linewidth=1.2, zorder=1,
    )  # fmt: skip
    if ax.get_xscale() == "linear":
        ax.margins(x=0.12)
        ax.locator_params(axis="x", nbins=5)
        plain_ticks(ax.xaxis)
