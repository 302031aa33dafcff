"""The directory of a run: what is in it, and who may write into it.

    config.json     what was asked for: recipe, data, seed, epochs, the full config, versions
    metrics.jsonl   one line per finished epoch
    checkpoint/     written by `fit`, enough to go on from the last finished epoch
    curve.png       the learning curve
    result.json     written last: a directory that has it is finished
    longer/         the same again: a finished run that is being made longer, until it is finished

Every file is written whole or not at all, so that a run which is killed at any moment leaves
a directory that `bionet resume` can read. Nothing of a finished run changes before the longer one
is finished, whose files then take the place of its own. One process at a time writes: it holds the
lock on `.lock`, which ends with it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bionet._core.files import write_json, write_whole
from bionet._core.locks import FileLock
from bionet.cli.errors import UsageError
from bionet.cli.plan import FORMAT, KIND, Plan, read_plan

LOCK = ".lock"
FILES = ("checkpoint", "metrics.jsonl", "curve.png", "config.json", "result.json")
"""All of a run, in the order in which a longer one takes its place."""


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run.

    Args:
        path: where it is.
    """

    path: Path

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def curve(self) -> Path:
        return self.path / "curve.png"

    @property
    def longer(self) -> RunDirectory:
        """The run that is going to take the place of this one."""
        return RunDirectory(self.path / "longer")

    @property
    def planned(self) -> bool:
        return (self.path / "config.json").exists()

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").exists()

    @property
    def begun(self) -> bool:
        """Returns whether an epoch is finished: its line is there, or at least its checkpoint."""
        saved = self.checkpoint.iterdir() if self.checkpoint.is_dir() else ()
        return bool(self.rows()) or any(entry.name.isdigit() for entry in saved)

    def lock(self) -> FileLock:
        """The lock that a process holds while it writes here."""
        busy = (
            f"Another process is at work on the run in '{self.path}'. Wait for it, end it, or name "
            "another directory."
        )
        return FileLock(self.path / LOCK, busy, temporary=True)

    def write_plan(self, plan: Plan) -> None:
        write_json(self.path / "config.json", {"kind": KIND, "format": FORMAT, **asdict(plan)})

    def write_result(self, result: Any) -> None:
        """Writes the curve, and after it the result, which says that the run is finished."""
        try:
            result.plot(self.curve)
        finally:  # A picture that could not be drawn loses no numbers.
            write_json(self.path / "result.json", result.to_dict())

    def extend(self, plan: Plan) -> RunDirectory:
        """Begins the longer run, with a copy of all that it goes on from."""
        half = RunDirectory(self.path / ".longer")
        shutil.rmtree(half.path, ignore_errors=True)
        half.write_plan(plan)
        if self.checkpoint.is_dir():
            shutil.copytree(self.checkpoint, half.checkpoint)
        if (self.path / "metrics.jsonl").exists():
            shutil.copy2(self.path / "metrics.jsonl", half.path)
        half.path.rename(self.longer.path)
        return self.longer

    def settle(self) -> None:
        """Puts a longer run that is finished in the place of this one; may be repeated."""
        shutil.rmtree(self.path / ".longer", ignore_errors=True)
        if not self.longer.path.is_dir():
            return
        if self.longer.finished:
            for name in FILES:
                _put(self.longer.path / name, self.path / name)
        if not self.longer.planned:
            shutil.rmtree(self.longer.path)

    def rows(self) -> list[dict[str, Any]]:
        """The metrics of the finished epochs, in order.

        Raises:
            UsageError: a line is damaged.
        """
        file = self.path / "metrics.jsonl"
        lines = file.read_bytes().splitlines() if file.exists() else []
        return [_row(file, number, line) for number, line in enumerate(lines, 1)]

    def keep_metrics(self, history: Iterable[Mapping[str, Any]]) -> None:
        """Writes `metrics.jsonl` anew, with the epochs that it lacks."""
        known = self.rows()
        kept = {row["epoch"]: row for row in [*known, *map(dict, history)]}
        rows = [kept[epoch] for epoch in sorted(kept)]
        if rows != known:
            write_whole(
                self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows)
            )

    def discard(self) -> None:
        """Removes what this run has written before its first epoch was finished."""
        (self.path / "config.json").unlink(missing_ok=True)
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def remove(self) -> None:
        """Removes the run with all that it has written."""
        shutil.rmtree(self.path, ignore_errors=True)

    def read_plan(self) -> Plan:
        """The plan in `config.json`.

        Raises:
            UsageError: it is missing, broken, of another program, or of a later bionet.
        """
        file = self.path / "config.json"
        if not file.is_file():
            raise UsageError(
                f"There is no run in '{self.path}': it has no config.json. "
                "Give the directory that `bionet run` named, such as runs/ID-DATA-seed0."
            )
        return read_plan(file)


def _put(source: Path, target: Path) -> None:
    """Moves a file or folder to where another may be."""
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        source.replace(target)


def _row(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
        raise UsageError(
            f"'{file}' is damaged: line {number} is not the JSON of an epoch. Delete the file: "
            "`bionet resume` writes it again, out of the checkpoint."
        )
    return row
