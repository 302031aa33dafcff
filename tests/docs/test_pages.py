"""The Python of every page runs, block by block in one namespace, and prints what it shows.

What a page shows is a comment behind or under a `print` that is no part of something larger:

    print(1 + 1)  # 2
    print(score)  # about 0.96, which is not compared, because it may differ a little
"""

import ast
import contextlib
import io
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
)
NOT_COMPARED = "about "


def shown(statement: ast.stmt, lines: list[str]) -> str | None:
    """What the page says that a statement prints; None where it promises nothing exact."""
    if not (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and statement.value.func.id == "print"
    ):
        return None
    behind, *under = lines[statement.end_lineno - 1 :]
    comments = [behind[statement.end_col_offset :].strip()]
    for line in under:
        if not line.startswith("#"):
            break
        comments.append(line)
    told = "\n".join(comment.removeprefix("#").strip() for comment in comments).strip()
    return None if not told or told.startswith(NOT_COMPARED) else told


def run(block, namespace):
    """Runs a block statement by statement, and compares what is printed with what is shown."""
    lines = [""] * (block.line - 1) + block.code.splitlines()  # numbered as on the page
    for statement in block.tree().body:
        code = compile(ast.Module([statement], []), str(block.path), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, namespace)
        promised = shown(statement, lines)
        if promised is not None:
            printed = "\n".join(line.strip() for line in out.getvalue().strip().splitlines())
            assert printed == promised, f"{block.path}:{statement.lineno} shows another output"


@pytest.fixture
def namespace(monkeypatch, tmp_path):
    """A module of its own for a page, in an empty working directory."""
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # where classes look for their own module
    monkeypatch.chdir(tmp_path)
    return vars(module)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page, blocks, namespace):
    for block in blocks(ROOT / page, "python"):
        run(block, namespace)


def test_the_pages_that_teach_have_code(blocks):
    teaching = ["README.md", "docs/index.md", *(page for page in PAGES if "/tutorials/" in page)]
    assert len(teaching) >= 8
    assert [page for page in teaching if not blocks(ROOT / page, "python")] == []


def test_a_page_that_is_wrong_is_found_out(tmp_path, blocks, namespace):
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n```python\nx = 2\nprint(x)  # 2\n```\n\n"
        "    ```python\n    print(x)\n    # 3\n    ```\n\n"
        "```python\nprint(x)  # about 5\nprint('a\\nb')\n# a\n# b\nx.no_such_thing\n```\n",
        "utf-8",
    )
    right, wrong, broken = blocks(page, "python")
    run(right, namespace)
    assert namespace["x"] == 2
    with pytest.raises(AssertionError, match=r"page\.md:9 shows another output"):
        run(wrong, namespace)
    with pytest.raises(AttributeError) as failed:
        run(broken, namespace)
    assert failed.traceback[-1].lineno + 1 == 18
    assert namespace["__name__"] == "page"
