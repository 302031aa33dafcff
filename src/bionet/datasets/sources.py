"""The place of a published data set: a folder of yours, the cache, or its home on the web.

Files are looked for in the folder that `BIONET_DATA` names, then in the user's cache,
and only then downloaded into that cache, by pooch. `$BIONET_DATA/mnist/` holds MNIST,
`$BIONET_DATA/fashion_mnist/` Fashion-MNIST, and so on; files may be gzipped or not. What is
downloaded is checked before it takes its name in the cache, and whatever is read is
checked again. Nothing is downloaded at import, nor where `download=False`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bionet._core.files import own_path, write_with
from bionet.datasets.readers import DataError, decode_idx

VARIABLE = "BIONET_DATA"


class DataMissingError(DataError, FileNotFoundError):
    """A file of data is nowhere; the sentence says which one, and where to put it."""


@dataclass(frozen=True)
class Source:
    """A data set that is published as files.

    Args:
        title: What people call it.
        folder: The name of its folder, in `$BIONET_DATA` and in the cache.
        base_url: The address of the folder that the files are downloaded from, over https.
        sha256: For each file, without `.gz`, the checksum of its uncompressed content.
        ending: What the names of the published files have behind those of `sha256`.

    Raises:
        ValueError: An address without https.
    """

    title: str
    folder: str
    base_url: str
    sha256: Mapping[str, str]
    ending: str = ".gz"

    def __post_init__(self) -> None:
        _secure(self.title, self.base_url)


def load_idx(
    source: Source, file: str, *, download: bool = True, base_url: str | None = None
) -> np.ndarray:
    """Reads one file of a source, wherever it lies, and checks that it is the published one.

    Args:
        source: The data set.
        file: The name of the file, without `.gz`.
        download: Whether to download the file where it is absent.
        base_url: The folder to download from, in place of the source's own.

    Returns:
        The array that the file holds.

    Raises:
        DataError: The file that was found, or what was downloaded, is not the published one.
        DataMissingError: The file is absent, and was not or could not be downloaded.
        ModuleNotFoundError: The file is absent, and pooch, which downloads, is not installed.
        ValueError: `BIONET_DATA` names no folder, or a `base_url` without https.
    """
    return load_file(source, file, decode_idx, download=download, base_url=base_url)


def load_file(
    source: Source,
    file: str,
    decode: Callable[..., Any],
    *,
    download: bool = True,
    base_url: str | None = None,
    remote: str | None = None,
    convert: Callable[[bytes], bytes] | None = None,
) -> Any:
    """Reads one file of a source by any decoder, wherever it lies, as `load_idx` does.

    Args:
        source: The data set.
        file: The name of the file, without the source's ending.
        decode: What makes data of the bytes and checks them; takes what `decode_idx` takes.
        download: Whether to download the file where it is absent.
        base_url: The folder to download from, in place of the source's own.
        remote: The name of what is downloaded, where it is not that of the file.
        convert: What makes the file of the bytes that were sent, where they are not the file.

    Returns:
        What `decode` returns.

    Raises:
        DataError: As in `load_idx`.
        DataMissingError: As in `load_idx`.
        ModuleNotFoundError: As in `load_idx`.
        ValueError: As in `load_idx`.
    """
    path = _find(source, file)
    if path is None:
        url = f"{(base_url or source.base_url).rstrip('/')}/{remote or file + source.ending}"
        path = _download(
            source, file, _secure(source.title, url), decode, allowed=download, convert=convert
        )
    return decode(
        path.read_bytes(),
        origin=str(path),
        sha256=source.sha256[file],
        remedy="Put the original file there, or delete it and load again, which downloads it.",
    )


def whereabouts(source: Source) -> str:
    """Returns the place of a source's files, or "missing: " and why, without downloading.

    The files are looked for, and not read.
    """
    try:
        paths = {file: _find(source, file) for file in source.sha256}
    except ValueError as error:
        return f"missing: {error}"
    absent = [file for file, path in paths.items() if path is None]
    if not absent:
        return ", ".join(sorted({str(path.parent) for path in paths.values() if path}))
    which = "not" if len(absent) == len(paths) else f"{' and '.join(absent)} not"
    get = "`load` downloads it" if _pooch() else "run `pip install 'bionet[data]'`"
    return f"missing: {which} in {_look_in(source)}; {get}, or set {VARIABLE}"


def _find(source: Source, file: str) -> Path | None:
    for folder in _folders(source):
        for name in (f"{file}.gz", file):
            if (folder / name).is_file():
                return folder / name
    return None


def _folders(source: Source) -> list[Path]:
    """The folders to look in, best first: `$BIONET_DATA`, then the cache."""
    folders = []
    if named := os.environ.get(VARIABLE):
        root = own_path(named)
        if not root.is_dir():
            raise ValueError(
                f"{VARIABLE} is set to {named!r}, which is not a folder. "
                f"Set it to the folder that holds {source.folder!r}, or unset it."
            )
        folders.append(root / source.folder)
    if pooch := _pooch():
        folders.append(_cache(pooch, source))
    return folders


def _look_in(source: Source) -> str:
    return " or ".join(str(folder) for folder in _folders(source)) or f"${VARIABLE} (not set)"


def _pooch() -> ModuleType | None:
    """pooch, an extra, knows the cache of every platform, and downloads."""
    try:
        import pooch
    except ModuleNotFoundError:
        return None
    return pooch


def _cache(pooch: ModuleType, source: Source) -> Path:
    return Path(pooch.os_cache("bionet")) / source.folder


def _download(
    source: Source,
    file: str,
    url: str,
    decode: Callable[..., Any],
    *,
    allowed: bool,
    convert: Callable[[bytes], bytes] | None,
) -> Path:
    stored = file + source.ending
    needs = f"{source.title} needs the file '{stored}', which is not in {_look_in(source)}"
    put = (
        f"put it into a folder {source.folder!r} and set {VARIABLE} to the folder "
        f"that holds {source.folder!r}"
    )
    if not allowed:
        raise DataMissingError(f"{needs}. Allow downloads, or {put}.")
    pooch = _pooch()
    if pooch is None:
        raise ModuleNotFoundError(
            f"{needs}, and pooch, which downloads it, is not installed. "
            f"Run `pip install 'bionet[data]'`, or {put}.",
            name="pooch",
        )
    target = _cache(pooch, source) / stored
    pooch.get_logger().info("Downloading %s to %s", url, target)

    def fetch(temporary: Path) -> None:
        pooch.HTTPDownloader(chunk_size=1 << 16, timeout=30)(url, str(temporary), None)
        raw, remedy = temporary.read_bytes(), f"Try again later, or {put}."
        if convert is not None:
            raw = convert(raw)
            temporary.write_bytes(raw)
        decode(raw, origin=f"What {url} sent", sha256=source.sha256[file], remedy=remedy)

    try:
        return write_with(target, fetch)
    except OSError as error:  # The errors of requests are OSErrors too.
        raise DataMissingError(
            f"{needs}, and downloading {url} to {target.parent} failed ({_reason(error)}). "
            f"Try again online, or {put}."
        ) from error


def _secure(title: str, url: str) -> str:
    """`url`, if nobody on the way can change what it sends: https, or this machine itself."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return url
    raise ValueError(
        f"{title}: base_url needs an address that begins with https://, got {url!r}. Only a "
        f"server on this machine may do without."
    )


def _reason(error: OSError) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return error.strerror or type(error).__name__
