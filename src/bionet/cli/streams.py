"""Standard output on whatever it goes to: a narrow code page, a closed pipe, or nothing at all.

A character that the encoding of the terminal lacks is written as what comes nearest. Where
standard output or error is closed, what would be printed is dropped; its number must not be taken
by the next file that is opened, or a library that prints would write into it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import unicodedata

NEAREST = {"×": "x", "…": "...", "—": "-", "–": "-", "−": "-", "•": "*", "→": "->", "≥": ">="}


def prepare_streams() -> None:
    """Makes both streams take any text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is the one that is given
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("nearest", nearest)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="nearest")


def nearest(error: UnicodeError) -> tuple[str, int]:
    """Replaces what cannot be encoded: the error handler `nearest` of the codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    told = [_plain(character) for character in error.object[error.start : error.end]]
    return "".join(told), error.end


def close_stdout() -> None:
    """Drops what is still to be printed: the reader has gone, or the disk is full."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _plain(character: str) -> str:
    apart = unicodedata.normalize("NFKD", character)
    return NEAREST.get(character) or "".join(c for c in apart if c.isascii()) or "?"
