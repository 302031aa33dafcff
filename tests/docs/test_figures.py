"""The figures of the pages: each is shown with words for those who cannot see it, and is small.

Those on asynchronous networks are drawn again, and compared with the ones that are kept. Places
may differ from machine to machine by a little, so only what is drawn is compared, and only with
the matplotlib that drew what is kept.
"""

import importlib.util
import re
from pathlib import Path

import matplotlib
import pytest

DOCS = Path(__file__).parents[2] / "docs"
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
MOST_BYTES = 60_000


def load():
    """The script, which is no module of a package."""
    spec = importlib.util.spec_from_file_location(
        "draw_graphs", DOCS / "extensions" / "draw_graphs.py"
    )
    assert spec is not None and spec.loader is not None  # noqa: PT018
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


SCRIPT = load()


def drawn(path):
    """What is in a picture, places aside: its elements in order, and its words."""
    svg = path.read_text("utf-8").partition("</metadata>")[2]
    return re.findall(r"<(\w+)", svg), re.findall(r">([^<>\n]+)<", svg)


def shown():
    """Each picture that a page shows, with its words."""
    return [
        ((page.parent / target).resolve(), words)
        for page in sorted(DOCS.rglob("*.md"))
        for words, target in IMAGE.findall(page.read_text("utf-8"))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPT.FIGURES)
def test_a_figure_is_what_the_script_draws(name, tmp_path):
    kept, again = DOCS / name, SCRIPT.save(name, tmp_path)
    assert again.stat().st_size < MOST_BYTES
    assert kept.stat().st_size < MOST_BYTES
    if f"Matplotlib v{matplotlib.__version__}," in kept.read_text("utf-8"):
        assert drawn(again) == drawn(kept)
        assert len(drawn(kept)[0]) > 50


def test_every_figure_is_shown_and_told_in_words():
    found = shown()
    assert {DOCS / name for name in SCRIPT.FIGURES} <= {path for path, _ in found}
    assert [path for path, words in found if not path.is_file() or len(words.split()) < 8] == []
