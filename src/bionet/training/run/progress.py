"""A live line per epoch on a terminal, and silence anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Protocol, final


class Tell(Protocol):
    """Called after each epoch with its number and its row of the history."""

    def __call__(self, epoch: int, row: Mapping[str, float]) -> None: ...


@final
class _Silence:
    def __call__(self, epoch: int, row: Mapping[str, float]) -> None:
        return


@contextmanager
def epoch_progress(epochs: int, done: int, show: bool | None, metric: str) -> Generator[Tell]:
    """A progress bar over epochs, on the error stream.

    Args:
        epochs: how many there will be.
        done: how many lie behind a run that is resumed.
        show: True or False; None shows it on a terminal only.
        metric: the metric that is told beside the loss.
    """
    if not (sys.stderr.isatty() if show is None else show):
        yield _Silence()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs  {task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=epochs, completed=done, told="compiling")

        def tell(epoch: int, row: Mapping[str, float]) -> None:
            told = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", metric) if name in row)
            bar.update(task, completed=epoch, told=told)

        yield tell
