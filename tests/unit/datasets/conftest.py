"""Data for the tests: the real files where they are, small forged ones everywhere."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from bionet.datasets.sources import VARIABLE, Source

_GIVEN = os.environ.get(VARIABLE)


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the real files, which loaders then find; else the test is skipped."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(_GIVEN) if _GIVEN else beside
    for needed in ("mnist", "fashion_mnist"):
        if not (folder / needed).is_dir():
            pytest.skip(f"needs the real data sets: {folder / needed} is absent ({VARIABLE})")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the user's, and no `BIONET_DATA`."""
    monkeypatch.delenv(VARIABLE, raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setattr("pooch.os_cache", lambda project: folder / project)
    return folder / "bionet"


@pytest.fixture
def idx_bytes() -> Callable[[np.ndarray], bytes]:
    """Forges the IDX content of an array of bytes."""

    def forge(array: np.ndarray) -> bytes:
        header = bytes([0, 0, 0x08, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        return header + array.astype(np.uint8).tobytes()

    return forge


@pytest.fixture
def numbers() -> np.ndarray:
    """What the one file of the forged source holds."""
    return np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture
def source(idx_bytes: Callable[[np.ndarray], bytes], numbers: np.ndarray) -> Source:
    """A data set of one small file, whose home on the web is a closed port of this machine."""
    return Source(
        title="Tiny",
        folder="tiny",
        base_url="http://127.0.0.1:9/tiny/",
        sha256={"train-images": hashlib.sha256(idx_bytes(numbers)).hexdigest()},
    )


@pytest.fixture
def zipped(idx_bytes: Callable[[np.ndarray], bytes], numbers: np.ndarray) -> bytes:
    """The file of the forged source, as a mirror has it."""
    return gzip.compress(idx_bytes(numbers))


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A web server on the loopback interface: its address, and the folder that it shows."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()
