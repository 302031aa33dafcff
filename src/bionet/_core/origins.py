"""The text of a user's own that is being run: what is registered meanwhile came from it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator

_TEXTS: list[str] = []  # the innermost last


def text_hash(text: str) -> str:
    """The sha256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def running(sha256: str) -> Generator[None]:
    """Notes that what is registered inside comes from the text of this sha256."""
    _TEXTS.append(sha256)
    try:
        yield
    finally:
        _TEXTS.pop()


def current_text() -> str | None:
    """The sha256 of the text that is being run now, or None."""
    return _TEXTS[-1] if _TEXTS else None
