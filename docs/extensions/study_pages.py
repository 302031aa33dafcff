"""The studies as pages of the site: what lies beside them in the repository, made readable here.

A study's folder has a README and, once `bionet study report` has run, a report with pictures. Each
Markdown file becomes a page and each picture goes along. A link to a file that is no page (the
script, the lines) becomes its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from zoo_results import ROOT, command_of

from bionet.studies.report.compare import COMPARISON
from bionet.studies.report.findings import findings

RESEARCH = ROOT / "research"
PICTURES = (".svg", ".png")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FINDINGS = "findings.md"
WIDE = "---\nhide: [toc]\n---\n\n"
HEAD = """# Findings

What each study asked and found, in the order of their folders under `research/studies`. The title
of each leads to its page, which has the protocol, the numbers and their limits.
[Intervals](../how-to/reproduce-a-number.md#intervals) says how far five seeds can be trusted.

"""


def studies(research: Path = RESEARCH) -> list[str]:
    """The folders that hold a study that says what it found."""
    return sorted(path.parent.name for path in research.glob("studies/*/README.md"))


def files(research: Path = RESEARCH) -> Iterator[tuple[str, str | Path]]:
    """Where each file goes, under `studies/`, and its text or, for a picture, its path."""
    for name in studies(research):
        folder = research / "studies" / name
        for path in sorted(folder.rglob("*")):
            place = _renamed(f"{name}/{path.relative_to(folder).as_posix()}")
            if path.suffix == ".md":
                text = _page(path.read_text("utf-8"), path.parent)
                head = WIDE if path.name == COMPARISON else ""
                yield place, head + text + (_foot(folder) if place == f"{name}/index.md" else "")
            elif path.suffix in PICTURES:
                yield place, path
    if studies(research):
        text = findings(research).partition("\n## ")
        yield FINDINGS, HEAD + _page("".join(text[1:]), research).replace("](studies/", "](")


def title(file: str) -> str:
    """What the navigation calls a page of a study: the report of a part has the part's name."""
    path = Path(file)
    part = path.parent.as_posix()
    if path.name in ("report.md", "index.md") and part != ".":
        return part
    return path.with_suffix("").as_posix().capitalize()


def _foot(folder: Path) -> str:
    """What runs the study, or each of its parts, again; with the parts' reports."""
    parts = sorted(path.parent for path in folder.glob("*/study.py"))
    if not parts:
        return f"\n---\n\nFrom `research/studies/{folder.name}`; `{command_of(folder.name)}`\n"
    rows = []
    for part in parts:
        reported = (part / "report.md").is_file()
        link = f"[{part.name}]({part.name}/report.md)"
        shown = link if reported else f"{part.name} (no report yet)"
        rows.append(f"- {shown}: `{command_of(f'{folder.name}/{part.name}')}`")
    return "\n".join(["\n---\n", f"The parts in `research/studies/{folder.name}`:\n", *rows, ""])


def _renamed(path: str) -> str:
    """A folder's README is its index, and what is up there under docs/ is one folder nearer."""
    path = re.sub(r"^\.\./((?:\.\./)+)docs/", r"\1", path)
    return re.sub(r"(^|/)README\.md$", r"\1index.md", path)


def _page(text: str, folder: Path) -> str:
    """The text with links that lead somewhere on the site."""

    def link(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return match.group()
        if path.endswith((".md", *PICTURES)) and (folder / path).is_file():
            return f"{mark}[{words}]({_renamed(path)}{'#' if anchor else ''}{anchor})"
        return words

    return LINK.sub(link, text)


def first_table(name: str, research: Path = RESEARCH) -> str:
    """The first table in a study's README, which is that of its results."""
    text = (research / "studies" / name / "README.md").read_text("utf-8")
    found = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"The README of the study {name!r} has no table.")
    return found.group().rstrip()
