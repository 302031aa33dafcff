"""The hook of mkdocs that makes pages out of the registry and the committed results.

It adds a page for each recipe (`zoo/ID.md`), the picture of its curve, and a page for each study
(`studies/NAME/`), puts them into the navigation, and fills in what a line like these asks for:

    <!-- generated: matrix application -->
    <!-- generated: file tests/unit/zoo/plugin/toy/pyproject.toml -->

Nothing of this is committed, so nothing of it can be out of date.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # building pages takes no accelerator from anyone

import study_pages
import zoo_tables
from mkdocs.structure.files import File
from zoo_curves import curve
from zoo_pages import curve_file, page, title_of_curve
from zoo_results import IDS, ROOT, Measured, everything, of_recipe, sets

from bionet._core.bibliography import references

KEY = re.compile(r"\[([a-z]+\d{4}[a-z]+)\]")
GENERATED = re.compile(r"^<!-- generated: (\w+) ?([\w./-]*) -->$", re.MULTILINE)


@functools.cache
def measured() -> list[Measured]:
    """All that has been measured, read once per build."""
    return everything()


def on_config(config: Any, **_: Any) -> Any:
    """Puts the generated pages behind the written ones of their section."""
    measured.cache_clear()
    for section in config.nav:
        if (pages := section.get("The zoo")) is not None:
            pages += _recipes()
        if (pages := section.get("Studies")) is not None:
            pages += _studies()
    return config


def on_files(files: Any, *, config: Any, **_: Any) -> Any:
    """Adds the pages and their pictures."""
    for spec in IDS.values():
        found = of_recipe(spec.id, measured())
        arms = [arms for arms in sets(measured(), spec.id) if arms[0].arm]
        files.append(File.generated(config, f"zoo/{spec.id}.md", content=page(spec, found, arms)))
        for each in (each for each in found if each.curves):
            picture = curve(each.curves, spec.step_unit, title_of_curve(spec, each))
            files.append(File.generated(config, f"zoo/{curve_file(each)}", content=picture))
    for place, content in study_pages.files():
        given = (
            {"abs_src_path": str(content)} if isinstance(content, Path) else {"content": content}
        )
        files.append(File.generated(config, f"studies/{place}", **given))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Fills in the tables."""
    up = "../" * page.file.src_uri.count("/")
    return GENERATED.sub(lambda match: _table(*match.groups(), up), markdown)


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Links the keys of papers, as docstrings name them, to the list of papers."""
    up = "../" * page.file.src_uri.count("/")
    return KEY.sub(lambda match: _link(match, up), html)


def _link(match: re.Match[str], up: str) -> str:
    if match[1] not in references():
        return match[0]
    return f'[<a href="{up}reference/papers.html#{match[1]}">{match[1]}</a>]'


def papers() -> str:
    """Returns the list of all papers, by key."""
    lines = []
    for key, each in sorted(references().items()):
        title = f"[{each.title}]({each.url})" if each.url else each.title
        venue = f", {each.venue}" if each.venue else ""
        lines.append(
            f'- <span id="{key}"></span>`{key}` {", ".join(each.authors)}. {title}{venue}, '
            f"{each.year}."
        )
    return "\n".join(lines)


def _table(what: str, which: str, up: str) -> str:
    if what == "matrix":
        found = zoo_tables.matrix(measured(), which, up)
        return f'<div class="matrix" markdown>\n\n{found}\n\n</div>'
    if what == "family":
        return zoo_tables.family(measured(), which, up)
    if what == "recipes":
        return zoo_tables.recipes(measured())
    if what == "papers":
        return papers()
    if what == "study":
        return study_pages.first_table(which)
    if what == "file":
        return f"```{Path(which).suffix[1:]}\n{(ROOT / which).read_text('utf-8')}```"
    raise ValueError(
        f"Nothing is named {what!r}; there are matrix, family, recipes, papers, study and file."
    )


def _recipes() -> list[dict[str, Any]]:
    """The recipes' pages, by application."""
    groups: dict[str, list[dict[str, str]]] = {}
    for spec in IDS.values():
        groups.setdefault(spec.application, []).append({spec.id: f"zoo/{spec.id}.md"})
    return [{name.capitalize(): pages} for name, pages in groups.items()]


def _studies() -> list[dict[str, Any]]:
    """The findings, then the studies; one with several pages is a group of them."""
    groups: dict[str, dict[str, str]] = {}
    for place, _ in study_pages.files():
        if place.endswith(".md") and place != study_pages.FINDINGS:
            name, _, file = place.partition("/")
            groups.setdefault(name, {})[file] = f"studies/{place}"
    found: list[dict[str, Any]] = [{"Findings": f"studies/{study_pages.FINDINGS}"}]
    for name, pages in groups.items():
        first = pages.pop("index.md")
        rest = [{study_pages.title(file): pages[file]} for file in sorted(pages)]
        found.append({name: [{"Question and answer": first}, *rest] if rest else first})
    return found
