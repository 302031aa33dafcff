"""JAX's persistent cache of compiled programs, for the command line and the workers of studies.

A recipe compiles some twenty programs, which takes longer than a short run. Programs without a call
back to the host can be kept on disk, and a second process starts from there. `BIONET_CACHE` names
the folder, or is "off". Whoever has set up JAX's own cache keeps theirs.

JAX can bound a cache by itself, but locks it for that and needs another package; here the oldest
programs are removed when a command starts.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

NAME: Final = "BIONET_CACHE"
OFF: Final = "off"
DIRECTORY: Final = "JAX_COMPILATION_CACHE_DIR"
LARGEST: Final = 2 * 2**30
"""Bytes from which on the older half is removed."""


def cache_folder() -> Path | None:
    """The folder of the cache; None where it is off."""
    given = os.environ.get(NAME, "").strip()
    if given.casefold() == OFF:
        return None
    if given:
        return Path(given).expanduser()
    home = os.environ.get("XDG_CACHE_HOME", "").strip()
    return (Path(home) if home else Path("~/.cache").expanduser()) / "bionet" / "compiled"


def cache_settings() -> dict[str, str]:
    """The environment variables with which JAX keeps what it compiles; empty where it is off.

    What the user has set is left as it is.
    """
    folder = cache_folder()
    if folder is None:
        return {}
    chosen = {
        DIRECTORY: str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return {name: os.environ.get(name, value) for name, value in chosen.items()}


def switch_on_cache() -> Path | None:
    """Has JAX keep what it compiles from now on in this process.

    Returns:
        The folder; None where it is off, cannot be written, or JAX has a cache already.
    """
    import jax

    folder, config = cache_folder(), jax.config
    if folder is None or config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    prune_cache(folder)
    for name, value in cache_settings().items():
        config.update(name.lower(), value if name == DIRECTORY else int(value))
    return folder


def prune_cache(folder: Path, largest: int = LARGEST) -> None:
    """Removes the files that were written first, until half of `largest` bytes are left.

    Nothing is removed from a folder that is smaller than `largest`. Another process may do the same
    at the same time.
    """
    with contextlib.suppress(OSError):
        found = sorted(
            (entry.stat().st_mtime, entry.stat().st_size, entry.path)
            for entry in os.scandir(folder)
            if entry.is_file()
        )
        size = sum(size for _, size, _ in found)
        if size <= largest:
            return
        for _, bytes_, path in found:
            if size <= largest // 2:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            size -= bytes_
