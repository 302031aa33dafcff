from bionet.plotting.curve_figures import COLOURS
from bionet.plotting.heat_map import plot_heat_map
from bionet.plotting.result_figures import Cost, Reached, Spent, plot_front, plot_results

ARMS = [
    Reached("local", 0.9, 0.88, 0.92, [0.88, 0.9, 0.92]),
    Reached("es", 0.8, 0.7, 0.85, [0.7, 0.85]),
    Reached("frozen", 0.75, 0.74, 0.76, [0.75], control=True),
]
SPENT = [Spent(100.0, 90.0, 120.0), Spent(10.0, 10.0, 10.0), None]


def test_each_seed_mean_and_interval_is_drawn():
    (ax,) = plot_results(ARMS, xlabel="accuracy", title="a title").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["local", "es", "frozen"]
    drawn = [list(map(float, line.get_xdata())) for line in ax.lines]
    assert drawn[:3] == [[0.88, 0.9, 0.92], [0.88, 0.92], [0.9]]
    assert [text.get_text() for text in ax.texts] == [
        "90.0%  [88.0, 92.0]", "80.0%  [70.0, 85.0]", "75.0%  [74.0, 76.0]"
    ]  # fmt: skip
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # from top to bottom
    assert ax.patches[0].get_x() == 0.74  # the control's interval behind all arms


def test_long_names_leave_room_for_the_picture():
    long = Reached("so-" * 30 + "on", 0.9, 0.88, 0.92)
    (ax,) = plot_results([long], xlabel="accuracy").axes
    assert len(ax.get_yticklabels()[0].get_text()) == 36
    (ax,) = plot_front([long], [Cost("seconds", SPENT[:1])], ylabel="accuracy").axes
    assert len(ax.figure.legends[0].get_texts()[0].get_text()) == 36


def test_other_numbers_are_no_per_cents():
    (ax,) = plot_results([Reached("a", 1.984, 1.8, 2.1)], xlabel="loss", share=False).axes
    assert ax.texts[0].get_text() == "1.98  [1.8, 2.1]"


def test_the_front_joins_those_that_nothing_beats():
    costs = [Cost("evaluations", SPENT, [1, 0]), Cost("seconds", [Spent(1, 1, 1)] * 3)]
    first, second = plot_front(ARMS, costs, ylabel="accuracy").axes
    assert (first.get_xlabel(), second.get_xlabel()) == ("evaluations", "seconds")
    joined = first.lines[-1]
    assert list(joined.get_xdata()) == [10.0, 100.0]
    assert list(joined.get_ydata()) == [0.8, 0.9]
    assert joined.get_drawstyle() == "steps-post"
    points = {line.get_label(): line for line in first.lines if line.get_label()[0] != "_"}
    assert list(points) == ["local", "es", "frozen"]
    assert list(points["frozen"].get_xdata()) == []  # its cost is not known
    assert points["es"].get_color() == COLOURS[1]
    assert points["local"].get_zorder() > points["frozen"].get_zorder()  # nothing hides it
    assert first.figure.legends[0].get_texts()[2].get_text() == "frozen"


def test_a_heat_map_compares_inside_a_column():
    cells = {
        ("a", "digits"): ("96", 0.96), ("b", "digits"): ("86", 0.86),
        ("a", "plays"): ("30", 0.30), ("b", "plays"): ("50", 0.50),
    }  # fmt: skip
    rows, columns = ["a", "b", "c"], ["digits", "plays"]
    (ax,) = plot_heat_map(cells, rows=rows, columns=columns).axes
    shades = ax.collections[0].get_array().reshape(3, 2)
    assert shades[:2].round(9).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert shades.mask[2].all()
    words = [text.get_text() for text in ax.texts]
    assert words == ["96", "30", "86", "50", "none yet", "none yet"]
    (ax,) = plot_heat_map(cells, rows=rows, columns=columns, lower=True).axes
    assert ax.collections[0].get_array().reshape(3, 2)[0].round(9).tolist() == [0.0, 1.0]


def test_small_differences_have_like_colours():
    cells = {("a", "x"): ("", 0.96), ("b", "x"): ("", 0.95)}
    (ax,) = plot_heat_map(cells, rows=["a", "b"], columns=["x"]).axes
    low, high = sorted(ax.collections[0].get_array().ravel())
    assert abs(high - low - 0.2) < 1e-9  # one of the five points that the colours span


def test_nothing_to_draw_is_refused(says):
    with says(ValueError, "plot_results: there is nothing to draw."):
        plot_results([], xlabel="accuracy")
    with says(ValueError, "plot_front: there is nothing to draw."):
        plot_front(ARMS, [], ylabel="accuracy")
    with says(ValueError, "plot_heat_map: there is nothing to draw."):
        plot_heat_map({}, rows=["a"], columns=[])
