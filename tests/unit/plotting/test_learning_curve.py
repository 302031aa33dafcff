import subprocess
import sys
import time
from itertools import pairwise

import pytest

from bionet.plotting.learning_curve import BREAK, check_path, plot_curve

pytestmark = pytest.mark.slow

HISTORY = [{"epoch": n + 1, "loss": 1 / (n + 1), "accuracy": 0.9 + 0.01 * n} for n in range(6)]
BASELINES = {"chance": 0.1, "nearest class mean": 0.92}


def labels(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_the_curve_is_what_the_history_says():
    figure = plot_curve(HISTORY)
    (curve,) = (line for line in figure.axes[0].lines if line.get_label() == "accuracy")
    assert list(curve.get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert list(curve.get_ydata()) == [row["accuracy"] for row in HISTORY]


def test_every_level_is_labelled_with_its_value():
    figure = plot_curve(HISTORY, control=0.93, baselines=BASELINES)
    assert sorted(labels(figure)) == [
        "chance  10.0%",
        "frozen control  93.0%",
        "nearest class mean  92.0%",
        "this network  95.0%",
    ]


def test_a_level_far_below_is_cut_off_and_the_scale_kept():
    figure = plot_curve(HISTORY, baselines=BASELINES)
    main, low = figure.axes
    assert main.get_ylim()[0] > 0.8
    assert low.get_ylim()[0] < 0.1 < low.get_ylim()[1]
    heights = [
        ax.get_window_extent().height / (ax.get_ylim()[1] - ax.get_ylim()[0]) for ax in (main, low)
    ]
    assert heights[0] == pytest.approx(heights[1], rel=0.05)


def test_levels_that_are_near_need_no_break():
    assert len(plot_curve(HISTORY, control=0.88).axes) == 1
    slow = [{"epoch": 1, "accuracy": 0.15}, {"epoch": 2, "accuracy": 0.9}]
    assert BREAK > 0.1
    assert len(plot_curve(slow, baselines={"chance": 0.1}).axes) == 1


def test_labels_do_not_overlap():
    close = {f"level {n}": 0.95 + 0.0001 * n for n in range(5)}
    figure = plot_curve(HISTORY, control=0.9501, baselines=close)
    (ax,) = figure.axes
    height = ax.get_window_extent().height / figure.dpi * 72  # in points, as the letters
    places = sorted(text.xyann[1] * height for text in ax.texts)
    assert len(places) == 7
    assert min(upper - lower for lower, upper in pairwise(places)) > 11
    assert places[0] >= 0
    assert places[-1] <= height


def test_other_metrics_and_words_on_the_axes():
    figure = plot_curve(HISTORY, metric="loss", title="a title")
    (ax,) = figure.axes
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("loss on held-out data", "epoch")
    assert ax.get_title(loc="left") == "a title"
    assert labels(figure) == ["this network  0.167"]


@pytest.mark.parametrize("history", [HISTORY[:1], [{"accuracy": 0.5}, {"accuracy": float("nan")}]])
def test_one_epoch_and_bad_values_are_drawn(history):
    assert plot_curve(history, baselines={"chance": 0.1}).axes


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_it_is_saved_whole(tmp_path, suffix):
    path = tmp_path / "deep" / f"curve.{suffix}"
    plot_curve(HISTORY, path=path)
    begins = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(begins)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_the_same_drawing_is_saved_as_the_same_bytes(tmp_path, suffix):
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    plot_curve(HISTORY, baselines=BASELINES, path=first)
    time.sleep(1.1 if suffix == "pdf" else 0)  # what has a date has one of whole seconds
    plot_curve(HISTORY, baselines=BASELINES, path=second)
    assert first.read_bytes() == second.read_bytes()


def test_refusals():
    with pytest.raises(ValueError, match=r"the history is empty. Train first"):
        plot_curve([])
    with pytest.raises(ValueError, match=r"No metric is named 'acuracy'. Did you mean 'accuracy'?"):
        plot_curve(HISTORY, metric="acuracy")
    for path in ("curve", "curve.jepg"):
        with pytest.raises(ValueError, match=f"A picture cannot be saved as '{path}'"):
            check_path(path)


def test_no_window_system_is_touched():
    script = (
        "import sys; from bionet.plotting.learning_curve import plot_curve; "
        "assert 'matplotlib' not in sys.modules; "
        "plot_curve([{'epoch': 1, 'accuracy': 0.5}]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
