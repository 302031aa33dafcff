"""Files of data, read strictly: what comes out is what the publisher put in.

MNIST and its relatives are stored as IDX: two zero bytes, a byte for the type of the
numbers, a byte for the number of axes, the length of each axis as a big-endian 32-bit
number, then the numbers themselves (Y. LeCun, C. Cortes and C. Burges, "The MNIST
database of handwritten digits", 1998). The files are mostly gzipped.

A checksum is taken of the **uncompressed** content. The same images lie on different
mirrors in different gzip containers, whose checksums differ, while the content does not.
A file that is cut off, altered, or of another kind is an error that names it.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Shaped

_GZIP_START = b"\x1f\x8b"

# The type byte of an IDX file, and the numbers that it stands for.
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


_MOST_AXES = 32  # of an array of NumPy 1; newer ones have 64


class DataError(ValueError):
    """A file of data is not what it should be; the sentence names it and says what to do."""


def read_idx(path: str | Path, *, sha256: str | None = None) -> Shaped[np.ndarray, "..."]:
    """Reads an IDX file, gzipped or not, into an array.

    Args:
        path: The file.
        sha256: The checksum, in hexadecimal, that the uncompressed content must have;
            None skips that check, and none of the others.

    Returns:
        The array, in the file's own number type and shape.

    Raises:
        DataError: The file is truncated, is no IDX file, or has another checksum.
        FileNotFoundError: There is no such file.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "three-labels"
        >>> _ = file.write_bytes(bytes([0, 0, 0x08, 1]) + bytes([0, 0, 0, 3]) + bytes([7, 2, 1]))
        >>> read_idx(file)
        array([7, 2, 1], dtype=uint8)
    """
    return decode_idx(Path(path).read_bytes(), origin=str(path), sha256=sha256)


def decode_idx(
    raw: bytes,
    *,
    origin: str,
    sha256: str | None = None,
    remedy: str = "Replace it by the original file.",
) -> Shaped[np.ndarray, "..."]:
    """Makes an array of the bytes of an IDX file, gzipped or not.

    Whether they are gzipped is seen in the bytes, not in a name: some servers unpack
    on the way.

    Args:
        raw: The bytes, as stored.
        origin: The path or address that errors name.
        sha256: As in `read_idx`.
        remedy: The sentence that errors end with: what to do about a bad file.

    Returns:
        The array, in its own number type and shape.

    Raises:
        DataError: The bytes are truncated, are no IDX content, or have another checksum.
    """
    try:
        content = gzip.decompress(raw) if raw.startswith(_GZIP_START) else raw
        array = _parse(content)
        if sha256 is not None:
            _compare(hashlib.sha256(content).hexdigest(), sha256)
    except EOFError:
        raise DataError(f"{origin} is truncated: its gzip data ends too early. {remedy}") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{origin} is damaged: it does not unzip ({error}). {remedy}") from error
    except _FaultError as fault:
        raise DataError(f"{origin} {fault}. {remedy}") from None
    return array


def decode_text(
    raw: bytes,
    *,
    origin: str,
    sha256: str | None = None,
    remedy: str = "Replace it by the original file.",
) -> str:
    """Makes text of the bytes of an ASCII file, as `decode_idx` makes an array.

    Raises:
        DataError: The bytes have another checksum, or are no ASCII text.
    """
    try:
        if sha256 is not None:
            _compare(hashlib.sha256(raw).hexdigest(), sha256)
        return raw.decode("ascii")
    except _FaultError as fault:
        raise DataError(f"{origin} {fault}. {remedy}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{origin} is no ASCII text (byte {error.start}). {remedy}") from None


class _FaultError(Exception):
    """A fault of some bytes, still without the name of the file."""


def _parse(content: bytes) -> np.ndarray:
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES or content[3] == 0:
        raise _FaultError(f"is not an IDX file: it starts with the bytes '{content[:4].hex(' ')}'")
    dtype, axes = np.dtype(_DTYPES[content[2]]), content[3]
    if axes > _MOST_AXES:
        raise _FaultError(f"claims {axes} axes, and {_MOST_AXES} is the most that an array has")
    header = 4 + 4 * axes
    if len(content) < header:
        raise _FaultError(f"is truncated: it ends within its header of {header} bytes")
    shape = tuple(np.frombuffer(content, ">u4", count=axes, offset=4).tolist())
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise _FaultError(
            f"{'is truncated' if len(content) < expected else 'is too long'}: its header "
            f"promises {expected} bytes, and it has {len(content)}"
        )
    numbers = np.frombuffer(content, dtype, offset=header)
    return numbers.astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _compare(found: str, expected: str) -> None:
    if found != expected.lower():
        raise _FaultError(
            f"has been altered, or is another data set: the sha256 of its uncompressed content "
            f"starts with {found[:12]}, not with {expected[:12].lower()}"
        )
