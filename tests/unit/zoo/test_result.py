"""What a run comes back with: a sequence, a table, a picture, a page, and honest words."""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace

import pytest
from rich.console import Console

from bionet.zoo.result import ROWS, Result


def rows(*losses):
    return tuple(
        {"epoch": n, "loss": loss, "accuracy": 1.0 - loss, "seconds": 0.1}
        for n, loss in enumerate(losses, 1)
    )


CONTROL = Result(
    recipe="toys-local (hidden frozen)",
    dataset="toys",
    seed=3,
    history=({"epoch": 1, "loss": 0.4, "accuracy": 0.91},),
    metrics={"loss": 0.41, "accuracy": 0.9},
)
RESULT = Result(
    recipe="toys-local",
    dataset="toys",
    seed=3,
    history=rows(0.5, 0.25, 0.125),
    metrics={"loss": 0.13, "accuracy": 0.925},
    baselines={"chance": 0.1, "nearest class mean": 0.8},
    control=CONTROL,
    seconds=12.34,
    details={"control": "hidden layer frozen, with its dynamics"},
    model=object(),
)
ALONE = replace(RESULT, control=None, baselines={}, details={})


def printed(what, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return console.file.getvalue()


def words(what):
    """What is printed, with single spaces and no breaks."""
    return " ".join(printed(what).split())


class TestSequence:
    def test_it_is_a_sequence_of_floats(self):
        assert isinstance(RESULT, Sequence)
        assert list(RESULT) == [0.5, 0.25, 0.125]
        assert len(RESULT) == 3
        assert all(type(loss) is float for loss in RESULT)

    def test_it_is_read_like_a_list(self):
        assert (RESULT[0], RESULT[-1], RESULT[1:]) == (0.5, 0.125, [0.25, 0.125])
        assert list(reversed(RESULT)) == [0.125, 0.25, 0.5]
        assert 0.25 in RESULT
        assert RESULT.index(0.25) == 1
        assert min(RESULT) == 0.125
        with pytest.raises(IndexError):
            RESULT[3]

    def test_no_epochs_are_an_empty_curve(self):
        empty = replace(RESULT, history=())
        assert (len(empty), list(empty)) == (0, [])
        assert not empty

    def test_it_can_not_be_changed(self):
        with pytest.raises(FrozenInstanceError):
            RESULT.seed = 4  # type: ignore[misc]

    def test_two_runs_are_equal_only_if_they_are_one(self):
        assert replace(RESULT) != RESULT
        assert len({RESULT, RESULT}) == 1


class TestVerdict:
    def against(self, control):
        metrics = {"loss": 0.4, "accuracy": control}
        return replace(RESULT, control=replace(CONTROL, metrics=metrics))

    def test_the_gain_is_over_the_control_on_test_data(self):
        assert RESULT.gain == pytest.approx(0.025)
        assert ALONE.gain is None

    @pytest.mark.parametrize(
        ("control", "outcome"),
        [
            (0.9, "92.5%, 2.5 points above its frozen control (90.0%)."),
            (0.95, "92.5%, 2.5 points BELOW its frozen control (95.0%)."),
            (0.925, "92.5%, the same as its frozen control (92.5%)."),
            (0.9247, "92.5%, the same as its frozen control (92.5%)."),
            (0.926, "92.5%, 0.1 points BELOW its frozen control (92.6%)."),
        ],
    )
    def test_it_says_which_way_it_came_out(self, control, outcome):
        sentence = f"Held-out accuracy after the last epoch: {outcome}"
        assert self.against(control).verdict() == sentence

    def test_without_a_control_it_is_the_number_alone(self):
        assert ALONE.verdict() == "Held-out accuracy after the last epoch: 92.5%."

    def test_another_metric_goes_by_its_name(self):
        result = replace(ALONE, metric="recall", metrics={"loss": 0.1, "recall": 0.5})
        assert result.verdict() == "Held-out recall after the last epoch: 50.0%."


class TestTable:
    def test_it_shows_everything_side_by_side(self):
        lines = [" ".join(line.split()) for line in printed(RESULT).splitlines()]
        text = words(RESULT)
        assert "toys-local on toys, seed 3" in lines
        assert "held-out data loss accuracy frozen control chance" in lines
        assert "validation, epoch 2 0.2500 75.0% 91.0% 10.0%" in lines
        assert "test, last epoch 0.1300 92.5% 90.0% 10.0%" in lines
        assert RESULT.verdict() in text
        assert "On the same test data: chance 10.0%, nearest class mean 80.0%." in text
        assert "Frozen control: hidden layer frozen, with its dynamics." in text
        assert "Trained in 12.3 s, compilation included." in text

    def test_below_is_in_the_table_too(self):
        worse = replace(RESULT, metrics={"loss": 0.4, "accuracy": 0.5})
        assert "40.0 points BELOW its frozen control" in words(worse)

    def test_what_is_not_there_has_no_column(self):
        text = printed(ALONE.table())
        assert "control" not in text
        assert "chance" not in text
        assert "validation, epoch 3" in text

    def test_no_epochs_leave_the_test_row(self):
        text = printed(replace(RESULT, history=()).table())
        assert "test, last epoch" in text
        assert "validation" not in text

    @pytest.mark.parametrize("epochs", [1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 1, 399, 400, 1001])
    def test_a_long_run_is_thinned_and_keeps_its_last_epoch(self, epochs):
        text = printed(replace(RESULT, history=rows(*[0.5] * epochs)).table())
        shown = [line for line in text.splitlines() if "validation, epoch" in line]
        assert len(shown) == epochs if epochs <= ROWS else ROWS / 2 < len(shown) <= ROWS
        assert f"validation, epoch {epochs} " in shown[-1]

    def test_rich_prints_it(self):
        assert printed(RESULT) == printed(RESULT.table())

    def test_it_fits_a_narrow_terminal(self):
        assert max(map(len, printed(RESULT.table(), width=60).splitlines())) <= 60

    def test_a_notebook_shows_it(self):
        page = RESULT._repr_html_()
        assert page.startswith("<pre>")
        assert page.endswith("</pre>")
        assert all(part in page for part in ("toys-local", "frozen control", "92.5%", "90.0%"))

    def test_a_notebook_shows_no_markup_of_strangers(self):
        page = replace(RESULT, dataset="<script>alert(1)</script>")._repr_html_()
        assert "<script>" not in page

    def test_square_brackets_are_no_markup(self):
        result = replace(RESULT, baselines={"ridge [linear]": 0.8})
        assert "ridge [linear] 80.0%" in words(result)


class TestPlot:
    @pytest.mark.slow
    def test_it_is_saved_as_a_picture(self, tmp_path):
        figure = RESULT.plot(tmp_path / "curve.png")
        assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG\r\n")
        assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]
        labels = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert any(label.startswith("frozen control") and "91.0%" in label for label in labels)
        assert any(label.startswith("chance") for label in labels)
        assert any(label.startswith("nearest class mean (test)") for label in labels)

    def test_it_shows_the_metric_by_epoch(self):
        figure = ALONE.plot()
        (line,) = (line for line in figure.axes[0].lines if line.get_label() == "accuracy")
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [0.5, 0.75, 0.875]

    def test_no_epochs_are_no_picture(self):
        with pytest.raises(ValueError, match="history"):
            replace(RESULT, history=()).plot()


class TestToDict:
    def test_json_gives_it_back(self):
        shown = RESULT.to_dict()
        assert json.loads(json.dumps(shown)) == shown
        assert shown["history"] == list(RESULT.history)
        assert shown["metrics"] == {"loss": 0.13, "accuracy": 0.925}
        assert shown["control"]["metrics"]["accuracy"] == 0.9
        assert shown["control"]["control"] is None
        assert shown["baselines"]["nearest class mean"] == 0.8
        for name in ("recipe", "dataset", "seed", "metric", "seconds", "stopped", "details"):
            assert shown[name] == getattr(RESULT, name)
        assert "model" not in shown

    def test_what_is_changed_in_it_changes_nothing_else(self):
        shown = RESULT.to_dict()
        shown["history"][0]["loss"] = math.nan
        shown["metrics"]["accuracy"] = 1.0
        assert RESULT[0] == 0.5
        assert RESULT.metrics["accuracy"] == 0.925
