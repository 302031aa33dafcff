"""The results of a study: a file with one whole JSON line per finished trial.

One process writes, and holds a lock while it does. A line goes to the disk in one write that is
flushed before the next trial is taken on, so a study that is killed loses what was running and
nothing else. What a kill in the middle of a write, or a full disk, may leave is cut off again.
A reader names every line that it cannot use, and counts them; none is dropped in silence.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from bionet._core.locks import FileLock

Line = dict[str, Any]
NEEDED = {"study": str, "arm": str, "seed": int, "trial": str, "stage": str, "metrics": dict}
"""What a line has at least, and of which type."""
OFTEN = {"config": dict, "metric": str, "number": int, "curve": list}
"""What most lines have too, and of which type."""
TUNING = ("config", "metric", "number")
"""What a line of a tuning trial has of these."""


@final
@dataclass(frozen=True)
class Read:
    """The content of a file of results.

    Attributes:
        lines: the good lines, in the order in which they were written.
        corrupted: what is wrong with each of the others, with its number.
    """

    lines: list[Line] = field(default_factory=list)
    corrupted: list[str] = field(default_factory=list)

    def told(self) -> str:
        """A sentence on the corrupted lines; empty where there is none."""
        if not self.corrupted:
            return ""
        count = len(self.corrupted)
        lines = "1 line was" if count == 1 else f"{count} lines were"
        return f"{lines} skipped: {'; '.join(self.corrupted)}."


def read_results(path: str | Path, study: str | None = None) -> Read:
    """Reads the lines of a study.

    Args:
        path: the file; one that is not there has no lines.
        study: the name of the study whose lines they have to be; None takes any.

    Raises:
        ValueError: there are lines of another study; both names are told.
    """
    file = Path(path)
    read = Read()
    if not file.exists():
        return read
    seen: dict[str, int] = {}
    for number, raw in enumerate(file.read_bytes().split(b"\n"), 1):
        if not raw.strip():
            continue
        line, fault = _understood(raw)
        if line is None:
            read.corrupted.append(f"line {number} of {file.name} {fault}")
        elif study is not None and line["study"] != study:
            raise ValueError(
                f"'{file}' holds results of the study {line['study']!r}, and this study is "
                f"{study!r}. Give each study a directory of its own, or move that file away."
            )
        elif line["trial"] in seen:
            first = seen[line["trial"]]
            read.corrupted.append(f"line {number} of {file.name} repeats the trial of line {first}")
        else:
            seen[line["trial"]] = number
            read.lines.append(line)
    return read


def _understood(raw: bytes) -> tuple[Line | None, str]:
    """A line, or what is wrong with it."""
    try:
        line = json.loads(raw)
    except ValueError:
        return None, "is no JSON"
    if not isinstance(line, dict):
        return None, "is no JSON object"
    for name, kind in NEEDED.items():
        if not isinstance(line.get(name), kind):
            return None, f"has no {name!r} of type {kind.__name__}"
    for name, kind in OFTEN.items():
        needed = name in line or (line["stage"] == "tuning" and name in TUNING)
        if needed and not isinstance(line.get(name), kind):
            return None, f"has no {name!r} of type {kind.__name__}"
    return line, ""


@final
class Lines:
    """A file that grows by whole lines of JSON; a context manager that holds its lock.

    Args:
        path: the file; it is made where it is not there.

    Raises:
        OSError: it cannot be written, or another process is writing it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        busy = f"Another process is writing '{self.path}'. Wait for it, or end it first."
        self._lock = FileLock(self.path, busy)
        self._file = -1
        self.mended = ""

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self.mended = self._mend()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        self._lock.__exit__(kind, error, trace)

    def append(self, line: Mapping[str, Any]) -> None:
        """Adds one line, and returns when it is on the disk.

        Raises:
            OSError: it could not be written; the file is as it was.
        """
        text = json.dumps(plain(line), ensure_ascii=False, allow_nan=False) + "\n"
        data = memoryview(text.encode())
        size = os.fstat(self._file).st_size
        try:
            while data:  # a disk that is nearly full takes a part
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, size)
            raise OSError(
                f"'{self.path}' could not be written ({error.strerror}). The trials before are "
                "safe, and no half line was left. Make room, and start the study again: it goes "
                "on from here."
            ) from error

    def _mend(self) -> str:
        """Cuts off what a kill in the middle of a write has left; says so, if it did."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        tail = content[whole:]
        if not tail:
            return ""
        if _understood(tail)[0] is not None:  # all of the line but its end
            os.write(self._file, b"\n")
            return ""
        os.ftruncate(self._file, whole)
        return (
            f"'{self.path}' ended in half a line ({len(tail)} bytes), left by a write that was cut "
            "off. It was removed; its trial runs again."
        )


def plain(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value
