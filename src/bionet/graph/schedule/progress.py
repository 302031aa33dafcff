"""Tells how the building of a graph goes: a bar on a terminal, and times if they are asked for."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, final

from rich.console import Console
from rich.progress import Progress


@final
class Clock:
    """Prints how long each part took, if it is asked to.

    Args:
        tells: whether it prints at all.
    """

    def __init__(self, tells: bool) -> None:
        self._tells, self._last = tells, time.perf_counter()

    def __call__(self, done: str) -> None:
        now = time.perf_counter()
        if self._tells:
            print(f"Graph: {done} in {now - self._last:.3f} s")
        self._last = now


@final
class Bar:
    """A bar that is there while the supergraph grows, on a terminal alone.

    Args:
        wanted: whether it is shown at all.
    """

    def __init__(self, wanted: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            console=console, transient=True, disable=not (wanted and console.is_terminal)
        )

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("Supergraph", total=1.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, share: float) -> None:
        self._progress.update(self._task, completed=share)
