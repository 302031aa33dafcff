"""One process at a time: a lock on a file, which ends with the process that holds it.

Where the system has `flock`, a process that is killed leaves no lock behind, whatever file it
leaves. Elsewhere the lock is a file of its own, which Windows removes with the process that has
made it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

fcntl: Any
try:
    import fcntl
except ImportError:  # there is none on Windows
    fcntl = None

TRIES = 10


@final
class FileLock:
    """A context manager that holds a lock, and is refused where another process holds it.

    Args:
        path: the file that the lock is on; it is made where it is not there, with its folder.
        busy: the sentence for whoever comes second.
        temporary: whether the file is there for the lock alone, and goes with it.

    Raises:
        OSError: another process holds the lock, or the file can't be made or locked.
    """

    def __init__(self, path: str | Path, busy: str, *, temporary: bool = False) -> None:
        self._path, self._busy, self._temporary = Path(path), busy, temporary
        self._file = -1

    def __enter__(self) -> Self:
        if fcntl is None:
            self._file = self._create()
            return self
        self._file = self._lock()
        while self._temporary and not self._there():  # its last holder has just removed it
            os.close(self._file)
            self._file = self._lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._temporary or fcntl is None:
                with contextlib.suppress(OSError):  # on Windows it goes when it is closed
                    self._beside.unlink()  # While it is held: later it may be another process's.
        finally:
            os.close(self._file)

    def _lock(self) -> int:
        file = self._open(self._path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise OSError(self._busy) from None
        except OSError as error:
            os.close(file)
            raise OSError(
                f"'{self._path}' cannot be locked ({error.strerror}). Choose a directory on "
                "another disk."
            ) from None
        return file

    def _there(self) -> bool:
        """Returns whether the file that is locked is still the one at the path."""
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False

    @property
    def _beside(self) -> Path:
        """The file that goes with the lock; where there is no `flock`, it is the lock."""
        if self._temporary:
            return self._path
        return self._path.with_name(f".{self._path.name}.lock")

    def _create(self) -> int:
        ends_with_me = getattr(os, "O_TEMPORARY", 0)
        try:
            return self._open(self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | ends_with_me)
        except FileExistsError:
            raise OSError(
                f"{self._busy} If there is none, delete the file '{self._beside}'."
            ) from None

    def _open(self, path: Path, flags: int) -> int:
        for _ in range(TRIES):
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # the folder was removed in between
                return os.open(path, flags, 0o644)
        return os.open(path, flags, 0o644)
