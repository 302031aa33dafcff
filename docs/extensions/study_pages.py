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

RESEARCH = ROOT / "research"
PICTURES = (".svg", ".png")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FINDINGS = "findings.md"


def studies(research: Path = RESEARCH) -> list[str]:
    """The folders that hold a study that says what it found."""
    return sorted(path.parent.name for path in research.glob("studies/*/README.md"))


def files(research: Path = RESEARCH) -> Iterator[tuple[str, str | Path]]:
    """Where each file goes, under `studies/`, and its text or, for a picture, its path."""
    for name in studies(research):
        folder = research / "studies" / name
        for path in sorted(folder.rglob("*")):
            place = f"{name}/{path.relative_to(folder).as_posix()}"
            if path.suffix == ".md":
                text = _page(path.read_text("utf-8"), path.parent)
                if path == folder / "README.md":
                    place = f"{name}/index.md"
                    text += f"\n---\n\nFrom `research/studies/{name}`; `{command_of(name)}`\n"
                yield place, text
            elif path.suffix in PICTURES:
                yield place, path
    if (found := research / "FINDINGS.md").is_file():
        text = re.sub(r"\bstudies/([\w-]+)/README\.md", r"\1/index.md", found.read_text("utf-8"))
        yield FINDINGS, text.replace("](studies/", "](")


def _page(text: str, folder: Path) -> str:
    """The text with links that lead somewhere on the site."""

    def link(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return match.group()
        if path.endswith((".md", *PICTURES)) and (folder / path).is_file():
            path = re.sub(r"(^|/)README\.md$", r"\1index.md", path)
            return f"{mark}[{words}]({path}{'#' if anchor else ''}{anchor})"
        return words

    return LINK.sub(link, text)


def first_table(name: str, research: Path = RESEARCH) -> str:
    """The first table in a study's README, which is that of its results."""
    text = (research / "studies" / name / "README.md").read_text("utf-8")
    found = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"The README of the study {name!r} has no table.")
    return found.group().rstrip()
