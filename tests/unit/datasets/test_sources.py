"""Files are looked for in order, downloaded last, and believed never."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from bionet.datasets import DataError, DataMissingError
from bionet.datasets.images import FASHION_MNIST, MNIST
from bionet.datasets.sources import VARIABLE, Source, load_idx, whereabouts
from bionet.datasets.speech import FSDD
from bionet.datasets.text import TINYSHAKESPEARE

FILE = "train-images"
PUT = "put it into a folder 'tiny' and set BIONET_DATA to the folder that holds 'tiny'."


def place(folder: Path, content: bytes, name: str = f"{FILE}.gz") -> Path:
    path = folder / "tiny" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def own(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that BIONET_DATA names."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def test_the_own_folder_comes_first(
    own: Path, cache: Path, source: Source, zipped: bytes, numbers: np.ndarray
) -> None:
    place(own, zipped)
    place(cache, b"bad")
    np.testing.assert_array_equal(load_idx(source, FILE), numbers)
    assert whereabouts(source) == str(own / "tiny")


def test_the_cache_comes_next(
    own: Path, cache: Path, source: Source, zipped: bytes, numbers: np.ndarray
) -> None:
    place(cache, zipped)
    np.testing.assert_array_equal(load_idx(source, FILE), numbers)
    assert whereabouts(source) == str(cache / "tiny")


def test_unpacked_files_are_found_too(
    own: Path, source: Source, zipped: bytes, numbers: np.ndarray
) -> None:
    place(own, gzip.decompress(zipped), name=FILE)
    np.testing.assert_array_equal(load_idx(source, FILE), numbers)


def test_a_home_folder_may_be_written_with_a_tilde(
    own: Path, source: Source, zipped: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(own, zipped)
    monkeypatch.setenv("HOME", str(own.parent))
    monkeypatch.setenv(VARIABLE, "~/own")
    assert whereabouts(source) == str(own / "tiny")


def test_a_bad_file_is_named_and_not_passed_over(own: Path, cache: Path, source: Source) -> None:
    path = place(own, b"bad!")
    sentence = (
        f"{path} is not an IDX file: it starts with the bytes '62 61 64 21'. "
        f"Put the original file there, or delete it and load again, which downloads it."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        load_idx(source, FILE)


def test_an_absent_file_is_downloaded_once(
    cache: Path, source: Source, zipped: bytes, numbers: np.ndarray, mirror: tuple[str, Path]
) -> None:
    url, shown = mirror
    place(shown, zipped)
    np.testing.assert_array_equal(load_idx(source, FILE, base_url=f"{url}/tiny/"), numbers)
    assert [path.name for path in (cache / "tiny").iterdir()] == [f"{FILE}.gz"]
    # The second time, the source's own address, where nobody answers, is not asked.
    np.testing.assert_array_equal(load_idx(source, FILE), numbers)


def test_a_download_is_checked_before_it_enters_the_cache(
    cache: Path, source: Source, zipped: bytes, mirror: tuple[str, Path]
) -> None:
    url, shown = mirror
    altered = bytearray(gzip.decompress(zipped))
    altered[-1] ^= 1
    bad = {
        b"<html>log in first</html>": "is not an IDX file: it starts with the bytes '3c 68 74 6d'",
        zipped[:20]: "is truncated: its gzip data ends too early",
        gzip.compress(bytes(altered)): "has been altered, or is another data set: the sha256 of",
    }
    for content, sentence in bad.items():
        place(shown, content)
        with pytest.raises(DataError) as caught:
            load_idx(source, FILE, base_url=f"{url}/tiny")
        assert str(caught.value).startswith(f"What {url}/tiny/{FILE}.gz sent {sentence}")
        assert str(caught.value).endswith(f". Try again later, or {PUT}")
        assert not isinstance(caught.value, DataMissingError)
        assert list((cache / "tiny").iterdir()) == []


def test_a_mirror_without_the_file(cache: Path, source: Source, mirror: tuple[str, Path]) -> None:
    url = mirror[0]
    sentence = (
        f"Tiny needs the file '{FILE}.gz', which is not in {cache / 'tiny'}, and downloading "
        f"{url}/{FILE}.gz to {cache / 'tiny'} failed (HTTP status 404). "
        f"Try again online, or {PUT}"
    )
    with pytest.raises(DataMissingError, match=f"^{re.escape(sentence)}$"):
        load_idx(source, FILE, base_url=url)


def test_offline_and_absent(own: Path, cache: Path, source: Source) -> None:
    sentence = (
        f"Tiny needs the file '{FILE}.gz', which is not in {own / 'tiny'} or {cache / 'tiny'}, "
        f"and downloading {source.base_url}{FILE}.gz to {cache / 'tiny'} failed "
        f"(ConnectionError). Try again online, or {PUT}"
    )
    with pytest.raises(DataMissingError, match=f"^{re.escape(sentence)}$") as caught:
        load_idx(source, FILE)
    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, ValueError)
    assert list(cache.rglob("*.gz")) == []


def test_a_cache_that_cannot_be_written(
    cache: Path, source: Source, zipped: bytes, mirror: tuple[str, Path]
) -> None:
    url, shown = mirror
    place(shown, zipped)
    cache.parent.mkdir()
    cache.write_text("a file where a folder is needed")
    with pytest.raises(DataMissingError, match=r"failed \(Not a directory\)\. Try again online"):
        load_idx(source, FILE, base_url=f"{url}/tiny")


def test_downloads_can_be_forbidden(cache: Path, source: Source, mirror: tuple[str, Path]) -> None:
    sentence = (
        f"Tiny needs the file '{FILE}.gz', which is not in {cache / 'tiny'}. "
        f"Allow downloads, or {PUT}"
    )
    with pytest.raises(DataMissingError, match=f"^{re.escape(sentence)}$"):
        load_idx(source, FILE, download=False, base_url=mirror[0])


def test_without_pooch_the_extra_is_named(
    cache: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    sentence = (
        f"Tiny needs the file '{FILE}.gz', which is not in $BIONET_DATA (not set), and pooch, "
        f"which downloads it, is not installed. Run `pip install 'bionet[data]'`, or {PUT}"
    )
    with pytest.raises(ModuleNotFoundError, match=f"^{re.escape(sentence)}$"):
        load_idx(source, FILE)
    assert whereabouts(source) == (
        "missing: not in $BIONET_DATA (not set); "
        "run `pip install 'bionet[data]'`, or set BIONET_DATA"
    )


def test_without_pooch_own_files_still_load(
    own: Path, source: Source, zipped: bytes, numbers: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    place(own, zipped)
    np.testing.assert_array_equal(load_idx(source, FILE), numbers)


def test_a_variable_that_names_no_folder(
    own: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(own / "typo"))
    sentence = (
        f"BIONET_DATA is set to {str(own / 'typo')!r}, which is not a folder. "
        f"Set it to the folder that holds 'tiny', or unset it."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        load_idx(source, FILE)
    assert whereabouts(source) == f"missing: {sentence}"


def test_whereabouts_downloads_nothing_and_says_what_is_missing(
    cache: Path, source: Source, zipped: bytes
) -> None:
    assert whereabouts(source) == (
        f"missing: not in {cache / 'tiny'}; `load` downloads it, or set BIONET_DATA"
    )
    two = Source(source.title, source.folder, source.base_url, {**source.sha256, "labels": "0"})
    place(cache, zipped)
    assert whereabouts(two) == (
        f"missing: labels not in {cache / 'tiny'}; `load` downloads it, or set BIONET_DATA"
    )


def test_every_source_is_downloaded_over_https() -> None:
    table = {
        value.title: value
        for name, module in sys.modules.items()
        if name.startswith("bionet.datasets")
        for value in vars(module).values()
        if isinstance(value, Source)
    }
    for source in (MNIST, FASHION_MNIST, FSDD, TINYSHAKESPEARE):
        assert source.title in table
    assert all(source.base_url.startswith("https://") for source in table.values())


@pytest.mark.parametrize("url", ["http://some.where/data/", "ftp://some.where/", "some.where"])
def test_an_address_without_https_is_refused(
    url: str, source: Source, own: Path, cache: Path
) -> None:
    sentence = f"Tiny: base_url needs an address that begins with https://, got {url!r}."
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Source("Tiny", "tiny", url, {})
    told = "Tiny: base_url needs an address that begins with https://, got "
    with pytest.raises(ValueError, match=re.escape(told)):
        load_idx(source, FILE, base_url=url)
