"""Holds every number of the published texts against the committed lines.

    python research/claims.py            says what is wrong, and which numbers nothing accounts for
    python research/claims.py PAGE ...   these pages alone, by a part of their path
    python research/claims.py --write    puts the numbers that the lines give into the texts

The texts are README.md, the README of each study, of which FINDINGS.md is made, and two explanation
pages. A file of claims stands beside each study's text (`claims.py`), and in `research/pages/` for
the others. It repeats phrases of the text with an expression over the lines in place of each
number; here the numbers are worked out and the phrase is looked for, at the precision in which it
is printed. `--write` puts the numbers right where the words are found; whether the sentence is then
still true is for its author to read. A number that is no result is a setting: code, sizes, counts
of seeds and the like, by the patterns of `page.SETTINGS`; a protocol, where no share and no
difference counts as one; or a phrase that a file of claims names as `given`, with the reason. All
other numbers are reported, and so is a word that a claim asserts and the lines do not bear out.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from page import Page

from bionet._core.files import write_whole
from bionet.studies.report.findings import findings

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGES = {
    "README.md": HERE / "pages" / "readme.py",
    "docs/explanation/training-methods.md": HERE / "pages" / "training_methods.py",
    "docs/explanation/speed.md": HERE / "pages" / "speed.py",
}


def pages() -> dict[str, Path]:
    """Every text, by its path from the root, and its file of claims."""
    studies = sorted(HERE.glob("studies/*/README.md"))
    own = {str(path.relative_to(ROOT)): path.with_name("claims.py") for path in studies}
    return PAGES | own


def checked(name: str, claims: Path) -> Page:
    """A text, held against its claims."""
    page = Page(ROOT / name)
    if claims.is_file():
        try:
            script(claims).claims(page)
        except (AssertionError, KeyError) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            page.faults.append(f"no longer true: {place.line} ({place.name}, line {place.lineno})")
    else:
        page.faults.append(f"there is no {claims.name} beside it")
    return page


def faults(name: str, claims: Path) -> list[str]:
    """What is wrong with a text."""
    page = checked(name, claims)
    return [*page.faults, *page.unknown()]


def stale_findings() -> list[str]:
    """FINDINGS.md has no numbers of its own, as long as it is made of the studies' pages."""
    same = (HERE / "FINDINGS.md").read_text("utf-8") == findings(HERE)
    return [] if same else ["it is not what research/findings.py writes"]


def script(path: Path) -> Any:
    """A script or a file of claims, imported; it may import what lies in `research/`."""
    for folder in (HERE, HERE / "evidence"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    name = f"claims_of_{path.parent.name}_{path.stem}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Says what is wrong, and puts it right where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="parts of paths; all without any")
    parser.add_argument(
        "--write", action="store_true", help="put the lines' numbers into the texts"
    )
    options = parser.parse_args()
    chosen: Sequence[str] = options.pages
    told: list[tuple[str, list[str]]] = []
    for name, claims in pages().items():
        if chosen and not any(part in name for part in chosen):
            continue
        page = checked(name, claims)
        if options.write and page.written != page.raw:
            write_whole(page.path, page.written)
            page = checked(name, claims)
        told.append((name, [*page.faults, *page.unknown()]))
    told += [] if chosen else [("research/FINDINGS.md", stale_findings())]
    for name, found in told:
        print(f"{name}: {len(found)} faults", *found, sep="\n  ")
    return int(any(found for _, found in told))


if __name__ == "__main__":
    sys.exit(main())
