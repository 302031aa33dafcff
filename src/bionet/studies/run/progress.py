"""The progress of a running study, as a live table on a terminal and plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, final

if TYPE_CHECKING:
    from rich.table import Table

    from bionet.studies.run.status import Status

NOTES = 5
"""How many of the last sentences stand under the live table."""


@final
@dataclass
class Progress:
    """Counts by the name of the arm.

    Attributes:
        name: the study.
        tuned: tuning trials that are done, and `to_tune` all of them.
        done: final trials that are done, and `total` all of them.
        failed: trials that failed in this run.
        running: the trials at work now, in words.
    """

    name: str
    tuned: dict[str, int]
    to_tune: dict[str, int]
    done: dict[str, int]
    total: dict[str, int]
    failed: dict[str, int]
    running: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    finished: int = 0

    @classmethod
    def of(cls, status: Status) -> Self:
        """Returns the progress of a study before it runs."""
        arms = status.arms
        return cls(
            status.study.name,
            tuned={name: len(arm.tuning) for name, arm in arms.items()},
            to_tune={name: arm.tuning_trials for name, arm in arms.items()},
            done={name: len(arm.done) for name, arm in arms.items()},
            total=dict.fromkeys(arms, len(status.study.seeds)),
            failed=dict.fromkeys(arms, 0),
        )

    @property
    def left(self) -> int:
        """Trials that are still to be done, tuning included."""
        done = sum(self.tuned.values()) + sum(self.done.values()) + sum(self.failed.values())
        return max(sum(self.to_tune.values()) + sum(self.total.values()) - done, 0)

    def note(self, line: dict[str, Any]) -> None:
        """Counts a finished trial."""
        counts = self.tuned if line["stage"] == "tuning" else self.done
        counts[line["arm"]] += 1
        self.finished += 1

    def remaining(self) -> str:
        """About how long it will take, by how long it has taken; empty while nobody can know."""
        if not self.finished or not self.left:
            return ""
        seconds = (time.monotonic() - self.began) / self.finished * self.left
        return f"about {_duration(seconds)} left"

    def table(self) -> Table:
        """The counts as a rich table."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(f"Study {self.name}"), box=box.SIMPLE_HEAD, title_justify="left")
        table.add_column("arm")
        tuned = any(self.to_tune.values())
        for name in ("tuned", "done", "failed") if tuned else ("done", "failed"):
            table.add_column(name, justify="right")
        for arm, total in self.total.items():
            tuning = f"{self.tuned[arm]}/{self.to_tune[arm]}" if self.to_tune[arm] else "none"
            cells = [tuning] if tuned else []
            failed = f"[red]{self.failed[arm]}[/red]" if self.failed[arm] else "0"
            table.add_row(Text(arm), *cells, f"{self.done[arm]}/{total}", failed)
        return table


class Tell(Protocol):
    """Called with the progress, and with what has just happened; empty where nothing has."""

    def __call__(self, progress: Progress, told: str) -> None: ...


def silent(progress: Progress, told: str) -> None:
    """Tells nothing."""


def plain(progress: Progress, told: str) -> None:
    """Prints a line for each thing that happens."""
    if told:
        count = sum(progress.done.values()) + sum(progress.tuned.values())
        total = sum(progress.total.values()) + sum(progress.to_tune.values())
        remaining = progress.remaining()
        print(f"[{count}/{total}] {told}{f'; {remaining}' if remaining else ''}", flush=True)


@contextmanager
def telling(live: bool | None = None) -> Generator[Tell]:
    """The messages of `run_study` on the screen.

    Args:
        live: a table that stays in its place, or lines; None is a table on a terminal only.
    """
    if not (sys.stdout.isatty() if live is None else live):
        yield plain
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    notes: list[str] = []
    with Live(console=Console(), refresh_per_second=4) as screen:

        def tell(progress: Progress, told: str) -> None:
            notes.extend([told] if told else [])
            now = ", ".join(progress.running) or "nothing"
            under = [*notes[-NOTES:], f"Running: {now}. {progress.remaining()}"]
            screen.update(Group(progress.table(), *(Text(each) for each in under)))

        yield tell


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
