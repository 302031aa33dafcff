"""A published text whose numbers are accounted for one by one, for files of claims.

Prose is read as one line, tables and code apart. What a claim derives, and what a pattern calls a
setting, is marked; every number that is left is told by `Page.unknown`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, final

NUMBER = re.compile(r"(?<![\w.,])[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")
NOUN = (
    r"(?:hidden |binary |spiking |gated |random |frozen |ReLU |tanh |recurrent |training |trained |"
    r"validation |test |antithetic |loss |low-rank |full |more |CPU |dense |sparse |final |free |"
    r"clamped |Gaussian |weights and |ten |other )*"
    r"(?:units?|seeds?|weights?|members?|pairs?|images?|samples?|characters?|trials?|tries|layers?|"
    r"epochs|passes|neurons|cores?|classes|motifs?|connections|evaluations|numbers|digits|inputs|"
    r"dimensions|pixels|rounds|trial runs|rows|batches|arms|networks|time steps|windows)\b"
)
SETTINGS: Mapping[str, str] = {
    r"`[^`]*`": "code",
    r"\]\([^)]*\)": "the target of a link",
    r"\b\d+(?:-\d+)+\b": "the sizes of a network",
    r"\b\d+ x \d+\b": "the size of an image",
    r"\b(?:95|97\.5) % (?:percentile )?(?:bootstrap )?(?:prediction )?intervals?": "a level",
    r"\bseeds? \d+(?:(?:,| to| and) \d+)*": "which seeds",
    rf"\b[\d,]+ {NOUN}": "a count of what was built or run",
    r"\b(?:batch(?:es)? of|windows? of|rank|sigma|rate|width|widths h of) \d[\d,.]*": "a setting",
    r"\b\d{4}, arXiv:[\d.]+|\(\d{4}\)|Python \d\.\d+|\(0\.1\)|\b\d\.0\b,": "a paper or a version",
}
RESULT = re.compile(r"^ ?(?:%|points|\[)|^\]")


@final
class Page:
    """A text whose numbers are accounted for one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw = path.read_text("utf-8")
        self.text, self.tables, self.sections = _read(self.raw)
        self.faults: list[str] = []
        self._known = [False] * len(self.text)
        self.written = self.raw
        for pattern in SETTINGS:
            self.given(pattern)

    def says(self, template: str, *values: Any, **named: Any) -> None:
        """The text has this phrase, with the values in its braces."""
        phrase, places, parts = "", [], []
        for literal, field, form, _ in string.Formatter().parse(" ".join(template.split())):
            phrase += literal
            parts.append((literal, None))
            if field is not None:
                value, _ = string.Formatter().get_field(field, values, named)
                told = format(value, form or "")
                places.append((len(phrase), len(phrase) + len(told)))
                phrase += told
                parts.append(("", told))
        found = [match.start() for match in re.finditer(re.escape(phrase), self.text)]
        for start in found:
            for low, high in places:
                self._mark(start + low, start + high)
        if not found:
            self.faults.append(f"the lines give: {phrase!r}\n{self._nearest(parts)}")
            self._write(parts)

    def table(self, first: str, columns: Mapping[str, Callable[[dict[str, str]], str]]) -> None:
        """The next table that begins so has these values; its other columns are labels."""
        open_ = (each for each in self.tables if not each.known)
        table = next((each for each in open_ if each.head.startswith(first)), None)
        if table is None:
            self.faults.append(f"there is no table that begins with {first!r}")
            return
        table.known = True
        for row in table.rows:
            for name, value in columns.items():
                expected, told = value(row), row[name].replace("**", "").strip()
                if told != expected:
                    label = next(iter(row.values()))
                    self.faults.append(f"table, {label!r}, {name!r}: {told!r}, lines {expected!r}")
                    new = row["|"].replace(f"| {row[name]} |", f"| {expected} |")
                    self.written = self.written.replace(row["|"], new)
                    row["|"] = new

    def block(self, text: str) -> None:
        """A table that a script has written stands in the page as it is."""
        if text.strip() not in self.raw:
            self.faults.append(f"a table is not what its script writes: {text.strip()[:300]}")
        for table in self.tables:
            table.known |= table.text in text

    def given(self, pattern: str, why: str = "") -> None:
        """What the pattern matches is no result; `why` is for the reader of the claims."""
        for match in re.finditer(pattern, self.text):
            self._mark(*match.span())

    def protocol(self, *names: str) -> None:
        """Sections of settings: no share, difference or interval in them is one, all else is."""
        for name in names or ("Protocol", "Reproduce", "Run it", "Question"):
            for low, high in self.sections.get(name, ()):
                for match in NUMBER.finditer(self.text, low, high):
                    if not RESULT.match(self.text[match.end() :]):
                        self._mark(*match.span())
                for table in self.tables:
                    table.known |= low <= table.place <= high

    def unknown(self) -> Iterator[str]:
        """The numbers that nothing accounts for, with what stands around them."""
        for match in NUMBER.finditer(self.text):
            if not all(self._known[match.start() : match.end()]):
                low, high = max(match.start() - 50, 0), match.end() + 35
                yield f"{match.group()!r} in: ...{self.text[low:high]}..."
        for table in self.tables:
            if not table.known and NUMBER.search(re.sub(r"`[^`]*`", "", table.text)):
                yield f"a table that begins with {table.head!r}"

    def _mark(self, low: int, high: int) -> None:
        self._known[low:high] = [True] * (high - low)

    def _nearest(self, parts: list[tuple[str, str | None]]) -> str:
        """What the text says in that place, if the words alone are found."""
        found = re.search(_loose(parts), self.text)
        return f"   the text says: {found.group()!r}" if found else "   no such phrase in the text"

    def _write(self, parts: list[tuple[str, str | None]]) -> None:
        """Puts the values into the raw text, where the words around them are found."""

        def filled(match: re.Match[str]) -> str:
            told = [value for _, value in parts]
            groups = zip(match.groups(), told, strict=True)
            return "".join(old if value is None else value for old, value in groups)

        self.written = re.sub(_loose(parts), filled, self.written, count=1)


ANY = r"(\[[^\]]*\]|[+-]?[\w.,]*\w(?:\s\[[^\]]*\])?(?:\sto\s[\d.,]*\d)?)"
"""A word, a number, an interval, a number with its interval, or a range."""


def _loose(parts: list[tuple[str, str | None]]) -> str:
    """A pattern for a phrase with any values in it, and any spaces; a group for each part."""
    words = (r"\s+".join(map(re.escape, re.split(" ", literal))) for literal, _ in parts)
    pairs = zip(words, parts, strict=True)
    return "".join(f"({literal})" if value is None else ANY for literal, (_, value) in pairs)


@final
class Table:
    """A table of a page."""

    def __init__(self, text: str, place: int) -> None:
        self.text, self.place, self.known = text, place, False
        lines = [line.strip() for line in text.splitlines()]
        self.head = lines[0]
        names = _cells(lines[0])
        names = [name or f"column {n}" for n, name in enumerate(names)]
        self.rows = [
            dict(zip(names, _cells(line), strict=True)) | {"|": line} for line in lines[2:]
        ]


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in inner.split("|")]


def _read(raw: str) -> tuple[str, list[Table], dict[str, list[tuple[int, int]]]]:
    """A page's prose on one line, its tables, and where its sections begin and end.

    A section begins with words in bold at the start of a paragraph, or with a heading.
    """
    raw = re.sub(r"```.*?```", "", raw, flags=re.S)
    raw = re.sub(r"<!--.*?-->", "", raw, flags=re.S)
    text, tables, starts, rows = "", [], [], []
    blank = True
    for line in [*raw.splitlines(), ""]:
        if line.lstrip().startswith("|"):
            rows.append(line.strip())
            continue
        if rows:
            tables.append(Table("\n".join(rows), len(text)))
            rows = []
        section = re.match(r"\*\*([^*]+?)[.:]?\*\*|#+ (.+)", line) if blank else None
        if section:
            starts.append((section[1] or section[2], len(text)))
        blank = not line.strip()
        text += " ".join(line.split()) + " " if line.strip() else ""
    sections: dict[str, list[tuple[int, int]]] = {}
    for (name, low), high in zip(starts, [at for _, at in starts[1:]] + [len(text)], strict=True):
        sections.setdefault(name.split(",")[0].split(".")[0], []).append((low, high))
    return text, tables, sections
