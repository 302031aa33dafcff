"""IDX files come out as they went in, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bionet.datasets import DataError, read_idx

Forge = Callable[[np.ndarray], bytes]


def stored(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "some-images.gz"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzipped", "plain"])
def test_an_array_comes_back(
    tmp_path: Path, idx_bytes: Forge, numbers: np.ndarray, pack: Callable[[bytes], bytes]
) -> None:
    read = read_idx(stored(tmp_path, pack(idx_bytes(numbers))))
    np.testing.assert_array_equal(read, numbers)
    assert read.dtype == np.uint8


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
)
def test_every_number_type_of_the_format(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[1, 2, 3], [100, 5, 6]], dtype=f">{dtype}")
    content = bytes([0, 0, code, 2]) + struct.pack(">2I", 2, 3) + values.tobytes()
    read = read_idx(stored(tmp_path, content))
    np.testing.assert_array_equal(read, values)
    assert read.dtype == np.dtype(dtype)


def test_an_axis_of_length_zero_is_legal(tmp_path: Path, idx_bytes: Forge) -> None:
    assert read_idx(stored(tmp_path, idx_bytes(np.zeros((0, 3))))).shape == (0, 3)


def test_the_checksum_is_of_the_content_and_not_of_the_container(
    tmp_path: Path, idx_bytes: Forge, numbers: np.ndarray
) -> None:
    content = idx_bytes(numbers)
    known = hashlib.sha256(content).hexdigest().upper()
    for level in (1, 9):
        path = stored(tmp_path, gzip.compress(content, level, mtime=level))
        np.testing.assert_array_equal(read_idx(path, sha256=known), numbers)


@pytest.fixture
def complaint(tmp_path: Path) -> Callable[..., str]:
    """What is said about a file with the given content, without its path at the start."""

    def tell(content: bytes, **options: str) -> str:
        path = stored(tmp_path, content)
        with pytest.raises(DataError) as caught:
            read_idx(path, **options)
        assert str(caught.value).startswith(f"{path} ")
        assert str(caught.value).endswith(". Replace it by the original file.")
        return (
            str(caught.value)
            .removeprefix(f"{path} ")
            .removesuffix(" Replace it by the original file.")
        )

    return tell


def test_a_truncated_container(complaint: Callable[..., str], zipped: bytes) -> None:
    for kept in (5, 20, len(zipped) - 4):
        assert complaint(zipped[:kept]) == "is truncated: its gzip data ends too early."


def test_a_damaged_container(complaint: Callable[..., str], zipped: bytes) -> None:
    flipped = bytearray(zipped)
    flipped[-6] ^= 0xFF  # inside the container's own checksum
    assert re.match(r"is damaged: it does not unzip \(CRC check failed", complaint(bytes(flipped)))
    flipped = bytearray(zipped)
    flipped[10] = 0xFF  # an impossible kind of block
    assert re.match(r"is damaged: it does not unzip \(Error -3", complaint(bytes(flipped)))


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzipped", "plain"])
def test_truncated_and_overlong_content(
    complaint: Callable[..., str],
    idx_bytes: Forge,
    numbers: np.ndarray,
    pack: Callable[[bytes], bytes],
) -> None:
    content = idx_bytes(numbers)
    assert complaint(pack(content[:-1])) == (
        "is truncated: its header promises 40 bytes, and it has 39."
    )
    assert complaint(pack(content[:10])) == "is truncated: it ends within its header of 16 bytes."
    assert complaint(pack(content + b"\0")) == (
        "is too long: its header promises 40 bytes, and it has 41."
    )


def test_more_axes_than_an_array_has(complaint: Callable[..., str]) -> None:
    content = b"\0\0\x08\x41" + 65 * b"\0\0\0\x01" + b"\x07"
    assert complaint(content) == "claims 65 axes, and 32 is the most that an array has."


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (b"<html>not found</html>", "3c 68 74 6d"),
        (b"", ""),
        (b"\0\0", "00 00"),
        (b"\0\0\x07\x01\0\0\0\0", "00 00 07 01"),
        (b"\0\0\x08\x00", "00 00 08 00"),
        (b"\0\x01\x08\x01\0\0\0\0", "00 01 08 01"),
    ],
)
def test_a_foreign_file(complaint: Callable[..., str], content: bytes, start: str) -> None:
    assert complaint(content) == f"is not an IDX file: it starts with the bytes '{start}'."
    assert complaint(gzip.compress(content)) == (
        f"is not an IDX file: it starts with the bytes '{start}'."
    )


def test_an_altered_file(
    complaint: Callable[..., str], idx_bytes: Forge, numbers: np.ndarray
) -> None:
    content = idx_bytes(numbers)
    known = hashlib.sha256(content).hexdigest()
    altered = content[:-1] + bytes([content[-1] ^ 1])
    found = hashlib.sha256(altered).hexdigest()
    assert complaint(gzip.compress(altered), sha256=known) == (
        f"has been altered, or is another data set: the sha256 of its uncompressed content "
        f"starts with {found[:12]}, not with {known[:12]}."
    )


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")
