"""What recipes and workloads have in common stands once: no six lines of one are in another.

A copied task drifts apart from its original, and then two methods are no longer compared on it.
"""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import bionet

LINES = 6
PACKAGE = Path(bionet.__file__).parent


def code(path):
    """The lines of a file that say something, but for its docstring and its imports."""
    text = path.read_text("utf-8")
    tree, skipped = ast.parse(text), set()
    for place, node in enumerate(tree.body):
        is_docstring = place == 0 and isinstance(node, ast.Expr)
        if is_docstring or isinstance(node, ast.Import | ast.ImportFrom):
            skipped |= set(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    told = ((number, line.strip()) for number, line in lines if number not in skipped)
    return [(number, line) for number, line in told if any(map(str.isalnum, line))]


def copies(paths):
    """The places of each block of lines that is found more than once."""
    seen = defaultdict(list)
    for path in paths:
        lines = code(path)
        for start in range(len(lines) - LINES + 1):
            block = lines[start : start + LINES]
            seen[tuple(line for _, line in block)].append(f"{path.name}:{block[0][0]}")
    return [places for places in seen.values() if len(places) > 1]


def test_recipes_and_workloads_share_no_block():
    paths = [*(PACKAGE / "workloads").glob("*.py"), *(PACKAGE / "zoo" / "recipes").glob("*.py")]
    assert len(paths) > 30
    assert copies(paths) == []


@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_copied_block_is_found(tmp_path, blank):
    block = "\n".join(f"value_{number} = {number}{blank}" for number in range(LINES))
    (tmp_path / "one.py").write_text(f'"""One."""\nimport math\n{block}\n')
    (tmp_path / "two.py").write_text(f'"""Two."""\nfirst = 1\n{block}\n')
    assert copies(sorted(tmp_path.glob("*.py"))) == [["one.py:3", "two.py:3"]]
