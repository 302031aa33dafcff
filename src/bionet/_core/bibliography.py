"""The papers that bionet follows, each once: `references.bib`, read by key.

Specs of recipes and of methods, and docstrings, name a paper by its key. The file holds one field
per line, as `Reference.bibtex` writes it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bionet._core.names import unknown

FILE: Final = Path(__file__).parents[1] / "references.bib"
KEY: Final = re.compile(r"[A-Za-z][\w:.-]*")

_ENTRY: Final = re.compile(r"@\w+\{([^,]+),\n(.*?)\n\}", re.DOTALL)
_FIELD: Final = re.compile(r"^\s*(\w+) = \{(.*)\},$", re.MULTILINE)


@dataclass(frozen=True)
class Reference:
    """A paper or a book that is followed.

    Args:
        key: the BibTeX key, such as "badalotti2025dynamical".
        title: the title in full.
        authors: the authors in order, each as "Given Family".
        year: the year of publication.
        venue: the journal, the conference, or the preprint number; may be empty.
        url: where to read it; may be empty.

    Raises:
        TypeError: `authors` is not a tuple of strings.
        ValueError: the key, the title or the authors are missing.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        where = f"Reference {self.key!r}"
        if not KEY.fullmatch(self.key):
            raise ValueError(
                f"{where} needs a BibTeX key of letters, digits and -_:. that begins with a letter."
            )
        authors = self.authors
        if not isinstance(authors, tuple) or not all(isinstance(name, str) for name in authors):
            raise TypeError(f"{where} needs its authors as a tuple of str, got {authors!r}.")
        if not authors or not self.title.strip():
            raise ValueError(f"{where} needs a title and at least one author.")

    def bibtex(self) -> str:
        """The BibTeX entry: an article where there is a venue, else a miscellany."""
        kind = "article" if self.venue else "misc"
        fields = {
            "title": f"{{{_escape(self.title)}}}",
            "author": " and ".join(_escape(author) for author in self.authors),
            "journal": _escape(self.venue),
            "year": str(self.year),
            "url": self.url,
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{kind}{{{self.key},", *lines, "}"])


@functools.cache
def references() -> Mapping[str, Reference]:
    """The papers of `references.bib`, by key."""
    return {key: _read(key, body) for key, body in _ENTRY.findall(FILE.read_text("utf-8"))}


def reference(key: str) -> Reference:
    """The paper of a key.

    Raises:
        ValueError: no paper has that key; the nearest are told.
    """
    known = references()
    if key not in known:
        raise ValueError(unknown("paper", key, known))
    return known[key]


def _read(key: str, body: str) -> Reference:
    fields = {name: _unescape(value) for name, value in _FIELD.findall(body)}
    return Reference(
        key=key,
        title=fields["title"].removeprefix("{").removesuffix("}"),
        authors=tuple(fields["author"].split(" and ")),
        year=int(fields["year"]),
        venue=fields.get("journal", ""),
        url=fields.get("url", ""),
    )


def _escape(text: str) -> str:
    """`text` with the characters escaped that BibTeX would read as commands."""
    return re.sub(r"([&%#_$])", r"\\\1", text)


def _unescape(text: str) -> str:
    return re.sub(r"\\([&%#_$])", r"\1", text)
