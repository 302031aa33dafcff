"""The result of a recipe: a curve, the numbers, and what to hold them against.

A `Result` is the learning curve itself, a sequence of held-out losses, one per epoch,
lower is better. Beside it stand the metrics on the test split after the last epoch, never
after the best one, the frozen control, and the baselines. A number without them says
little, so the table and the picture always show them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final, overload

from bionet._core.ownership import own_fields

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

ROWS = 20


@final
@dataclass(frozen=True, eq=False)
class Result(Sequence[float]):
    """The learning curve of one run, and what belongs to it.

    Attributes:
        recipe: the id of the recipe.
        dataset: the name of the data set.
        seed: the seed of the run.
        history: a row per epoch, with "epoch", "loss" and the metric on held-out data.
        metrics: loss and metric on the test split, after the last epoch.
        baselines: the metric of simpler rules on the test split, by name.
        control: the same network with its hidden layers frozen, where there is one.
        seconds: of training, with compilation.
        metric: the name of the metric.
        stopped: why the run ended: "epochs", "patience" or "callback".
        details: what else is worth knowing, for example which control was the better; "notes"
            holds sentences on the run itself, where there are any.
        model: the model after the last epoch.
    """

    recipe: str
    dataset: str
    seed: int
    history: tuple[Mapping[str, float], ...]
    metrics: Mapping[str, float]
    baselines: Mapping[str, float] = field(default_factory=dict)
    control: Result | None = None
    seconds: float = 0.0
    metric: str = "accuracy"
    stopped: str = "epochs"
    details: Mapping[str, Any] = field(default_factory=dict)
    model: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        own_fields(self, "history", "metrics", "baselines", "details")

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> list[float]: ...
    def __getitem__(self, index: int | slice) -> float | list[float]:
        """The held-out loss after an epoch, counted from 0."""
        return self._curve()[index]

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self.history)

    def __iter__(self) -> Iterator[float]:
        """The held-out losses, epoch by epoch."""
        return iter(self._curve())

    @property
    def gain(self) -> float | None:
        """The test metric less the control's; None where there is no control."""
        if self.control is None:
            return None
        return self.metrics[self.metric] - self.control.metrics[self.metric]

    def verdict(self) -> str:
        """One sentence on what was learned, whichever way it came out."""
        score = f"{self.metrics[self.metric]:.1%}"
        if self.gain is None or self.control is None:
            return f"Held-out {self.metric} after the last epoch: {score}."
        points = abs(100 * self.gain)
        if points < 0.05:
            how = "the same as"
        else:
            how = f"{points:.1f} points {'above' if self.gain > 0 else 'BELOW'}"
        return (
            f"Held-out {self.metric} after the last epoch: {score}, {how} its frozen control "
            f"({self.control.metrics[self.metric]:.1%})."
        )

    def table(self) -> Table:
        """The run as a rich table: a row per epoch, then the test split and the baselines."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=Text(f"{self.recipe} on {self.dataset}, seed {self.seed}"),
            caption=Text(self._caption()),
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        chance = self.baselines.get("chance")
        columns = ["held-out data", "loss", self.metric]
        columns += ["frozen control"] * (self.control is not None) + ["chance"] * (
            chance is not None
        )
        for name in columns:
            table.add_column(name, justify="left" if name == columns[0] else "right")
        beside = [] if self.control is None else [_percent(self._control_held_out())]
        last = [] if chance is None else [_percent(chance)]
        for row in _thin(self.history):
            name = f"validation, epoch {row['epoch']:.0f}"
            scores = [f"{row['loss']:.4f}", _percent(row[self.metric])]
            table.add_row(name, *scores, *beside, *last)
        table.add_section()
        beside = [] if self.control is None else [_percent(self.control.metrics[self.metric])]
        scores = [f"{self.metrics['loss']:.4f}", _percent(self.metrics[self.metric])]
        table.add_row("test, last epoch", *scores, *beside, *last, style="bold")
        return table

    def plot(self, path: str | Path | None = None) -> Figure:
        """The learning curve beside control and baselines; saved if a path is given.

        Raises:
            ValueError: the run has no epochs, or the suffix of the path is not known.
        """
        from bionet.plotting.learning_curve import plot_curve

        return plot_curve(
            self.history,
            metric=self.metric,
            control=None if self.control is None else self._control_held_out(),
            baselines={
                name if name == "chance" else f"{name} (test)": value
                for name, value in self.baselines.items()
            },
            title=f"{self.recipe} on {self.dataset}, seed {self.seed} (validation data)",
            path=path,
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it but the model, ready for JSON."""
        names = ("recipe", "dataset", "seed", "metric", "seconds", "stopped")
        return {
            **{name: getattr(self, name) for name in names},
            "metrics": dict(self.metrics),
            "baselines": dict(self.baselines),
            "details": dict(self.details),
            "control": None if self.control is None else self.control.to_dict(),
            "history": [dict(row) for row in self.history],
        }

    def __rich__(self) -> Table:
        """Returns the table of the result, for rich."""
        return self.table()

    def _repr_html_(self) -> str:
        """Returns the table of the result as text that keeps its columns, for notebooks."""
        import io

        from rich.console import Console

        console = Console(record=True, width=100, file=io.StringIO())
        console.print(self.table())
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")

    def _curve(self) -> list[float]:
        return [row["loss"] for row in self.history]

    def _control_held_out(self) -> float:
        control = self.control
        if control is None or not control.history:
            return float("nan")
        return control.history[-1][self.metric]

    def _caption(self) -> str:
        rules = [f"{name} {_percent(value)}" for name, value in self.baselines.items()]
        lines = [self.verdict()]
        if rules:
            lines.append(f"On the same test data: {', '.join(rules)}.")
        if "control" in self.details:
            lines.append(f"Frozen control: {self.details['control']}.")
        if "options" in self.details:
            lines.append(f"Options of {self.details['method']}: {self.details['options']}.")
        lines += self.details.get("notes", ())
        lines.append(f"Trained in {self.seconds:.1f} s, compilation included.")
        return "\n".join(lines)


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _thin(history: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """At most `ROWS` rows, evenly spaced, the last one always among them."""
    every = -(-len(history) // ROWS)
    return [
        row
        for place, row in enumerate(history, 1)
        if place % max(every, 1) == 0 or place == len(history)
    ]
