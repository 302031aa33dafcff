"""Files that are written whole or not at all.

The text goes to a hidden neighbour first, is flushed to the disk, and then takes
the name of the target in one step, so that a reader, or a run that was killed,
never sees half a file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

CLUTTER: Final = frozenset(
    {
        *(".DS_Store", ".localized", "Icon\r", ".Spotlight-V100", ".Trashes", ".fseventsd"),
        *("Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", ".directory", "@eaDir"),
        *("lost+found", ".gitkeep", ".keep", ".gitignore"),
    }
)
"""What systems and tools put into directories on their own."""


def write_whole(path: str | Path, content: str | bytes) -> Path:
    """Writes `content` to `path` atomically and returns the path."""
    data = content.encode("utf-8") if isinstance(content, str) else content

    def put(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    return write_with(path, put)


def write_with(path: str | Path, put: Callable[[Path], None]) -> Path:
    """Lets `put` write a temporary file with the suffix of `path`, then renames it to `path`.

    `~` is the user's home, and missing directories are made.
    """
    target = Path(path).expanduser()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        put(temporary)
        temporary.replace(target)
    except OSError as error:
        # A full disk does not say of which file it speaks, and nobody knows the temporary one.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(target), None
        raise
    finally:
        temporary.unlink(missing_ok=True)
    return target


def own_path(path: str | Path) -> Path:
    """The path that a user has named; `~` is their home.

    Raises:
        ValueError: it begins with `~NAME`, and nobody of that name has a home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"'{path}' begins with a home that is not there. Write the path out, or put ./ before "
            "it if a name begins with ~."
        ) from None


def check_writable(path: str | Path) -> Path:
    """The path, if a file can be written there; makes nothing.

    Raises:
        ValueError: it is a directory, a part of it is a file, or its directory can't be written.
    """
    target = Path(path)
    if target.is_dir():
        raise ValueError(f"'{target}' is a directory. Give the path of a file in it.")
    folder = next(each for each in target.absolute().parents if os.path.lexists(each))
    if not folder.is_dir():
        raise ValueError(f"'{target}' cannot be written: '{folder}' is no directory.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"'{target}' cannot be written: '{folder}' takes no new files. Check its rights, or "
            "choose another path."
        )
    return target


def write_json(path: str | Path, value: Any) -> Path:
    """Writes `value` as indented JSON, whole or not at all."""
    return write_whole(path, json.dumps(value, indent=2, sort_keys=False) + "\n")


def entries(directory: str | Path) -> list[Path]:
    """Lists what somebody has put into a directory, by name; a system's own files do not count.

    A directory with `.DS_Store`, `Thumbs.db` or `.gitkeep` in it and nothing else is empty.
    """
    return [path for path in sorted(Path(directory).iterdir()) if not _clutter(path.name)]


def _clutter(name: str) -> bool:
    same = {each.casefold() for each in CLUTTER}
    return name.startswith(("._", ".nfs")) or name.casefold() in same


def make_writable(directory: str | Path) -> None:
    """Makes a directory where it is missing, and writes a file into it that is gone at once.

    Raises:
        OSError: one of the two cannot be done.
    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass
