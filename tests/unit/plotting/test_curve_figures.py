from itertools import pairwise

import pytest

from bionet.plotting.curve_figures import (
    COARSE,
    COLOURS,
    CONTROL,
    GREY,
    MARKERS,
    TOGETHER,
    Curve,
    ink,
    plot_curves,
)

pytestmark = pytest.mark.slow


def curve(label, end=0.9, x=(1, 2, 3), **options):
    mean = [end - 0.2, end - 0.1, end][-len(x) :]
    ends = [y - 0.01 for y in mean], [y + 0.01 for y in mean]
    return Curve(label, x, mean, *ends, **options)


def draw(*curves, **options):
    return plot_curves(curves, **({"ylabel": "accuracy", "xlabel": "evaluations"} | options))


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def test_a_curve_is_what_was_given_with_its_band():
    (ax,) = draw(curve("local"), curve("es", 0.7)).axes
    found = lines(ax)["local"]
    assert list(found.get_xdata()) == [1, 2, 3]
    assert list(found.get_ydata()) == pytest.approx([0.7, 0.8, 0.9])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.69, 0.91))
    assert [text.get_text() for text in ax.texts] == ["es  70.0%", "local  90.0%"]


def test_one_point_is_a_level_from_side_to_side():
    (ax,) = draw(curve("local"), curve("frozen", 0.8, x=(1,), control=True)).axes
    found = lines(ax)["frozen"]
    assert list(found.get_ydata()) == pytest.approx([0.8, 0.8])
    assert found.get_color() == CONTROL


def test_labels_do_not_overlap():
    figure = draw(*(curve(f"arm-{n}", 0.9 + 1e-4 * n) for n in range(7)))
    (ax,) = figure.axes
    height = ax.get_window_extent().height / figure.dpi * 72
    places = sorted(text.xyann[1] * height for text in ax.texts)
    assert min(upper - lower for lower, upper in pairwise(places)) > 12
    assert 0 <= places[0] <= places[-1] <= height


def test_many_arms_have_a_picture_each_beside_all_the_others():
    count = 9
    figure = draw(*(curve(f"arm-{n}", 0.8 + 0.01 * n) for n in range(count)), title="nine")
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == count
    assert panels[2].get_title(loc="left") == "arm-2  82.0%"
    colours = [line.get_color() for line in panels[2].lines]
    assert (colours.count(GREY), colours[2]) == (count - 1, COLOURS[2])
    assert figure.get_suptitle() == "nine"


def test_the_lowest_picture_of_each_column_tells_its_costs():
    figure = draw(*(curve(f"arm-{n}", 0.8 + 0.01 * n) for n in range(8)))
    panels = [ax for ax in figure.axes if ax.get_visible()]
    told = [ax.xaxis.majorTicks[0].label1.get_visible() for ax in panels]
    assert told == [False] * 5 + [True] * 3


def test_long_names_lose_their_middle():
    long = "a-name-that-goes-on-and-on-until-it-is-as-long-as-no-other"
    (ax,) = draw(curve(long)).axes
    assert ax.texts[0].get_text() == "a-name-that-goes-…s-long-as-no-other  90.0%"
    figure = draw(curve(long), *(curve(f"arm-{n}") for n in range(9)))
    assert figure.axes[0].get_title(loc="left") == "a-name-that…-as-no-other  90.0%"


def test_costs_of_millions_are_told_in_full():
    (ax,) = draw(curve("a", x=(1e6, 2e6, 3e6))).axes
    assert ax.xaxis.get_major_formatter()(1_500_000, 0) == "1,500,000"


def test_costs_far_apart_are_drawn_on_a_logarithmic_axis():
    (near,) = draw(curve("a"), curve("b", x=(2, 3, 4))).axes
    (far,) = draw(curve("a"), curve("b", x=(100, 200, 300))).axes
    assert (near.get_xscale(), far.get_xscale()) == ("linear", "log")
    assert near.get_xlim()[0] == 0


def test_a_steep_beginning_is_cut_off():
    steep = Curve("steep", [1, 2, 3], [0.1, 0.95, 0.96], [0.1, 0.95, 0.96], [0.1, 0.95, 0.96])
    flat = curve("flat", 0.95)
    low, high = draw(steep, flat).axes[0].get_ylim()
    assert 0.5 < low < 0.85
    assert high > 0.96
    falls = Curve("falls", [1, 2, 3], [9.0, 0.5, 0.4], [9.0, 0.5, 0.4], [9.0, 0.5, 0.4])
    low, high = draw(falls, share=False, lower=True).axes[0].get_ylim()
    assert low < 0.4
    assert 0.5 < high < 4


def test_an_arm_keeps_its_colour_where_others_are_left_out():
    (ax,) = draw(curve("third", place=2)).axes
    assert lines(ax)["third"].get_color() == COLOURS[2]
    styles = [ink(place, curve("x")) for place in range(len(COLOURS) * len(MARKERS))]
    assert len({(each["color"], each["marker"]) for each in styles}) == len(styles)


def test_nothing_to_draw_is_refused(says):
    with says(ValueError, "plot_curves: there is nothing to draw."):
        draw()
    with says(ValueError, "plot_curves: there is nothing to draw."):
        draw(curve("a"), Curve("b", [], [], [], []))


def test_grey_lines_are_coarse_and_keep_both_ends():
    xs = list(range(1, 101))
    arms = [Curve(f"arm-{n}", xs, xs, xs, xs) for n in range(TOGETHER + 1)]
    figure = plot_curves(arms, ylabel="loss", xlabel="epochs", share=False)
    grey = [line for line in figure.axes[0].lines if line.get_color() == GREY]
    assert len(grey) == TOGETHER
    for line in grey:
        found = list(line.get_xdata())
        assert (found[0], found[-1]) == (1, 100)
        assert len(found) <= COARSE
        assert found[:5] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("x", [(1.4, 20, 60), (0.02, 1, 1.9), (100, 20_000, 500_000), (1, 30, 99)])
def test_ticks_of_a_logarithmic_axis_have_room_beside_each_other(x):
    figure = draw(*(curve(f"arm-{n}", x=x) for n in range(19)))
    figure.draw_without_rendering()
    ax = figure.axes[18]
    told = [tick for tick in ax.get_xticklabels(which="both") if tick.get_text()]
    low, high = ax.get_xlim()
    ends = [tick.get_window_extent() for tick in told if low <= tick.get_position()[0] <= high]
    assert len(ends) >= 2
    for one, other in pairwise(sorted(ends, key=lambda end: end.x0)):
        assert one.x1 < other.x0
