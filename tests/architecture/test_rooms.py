"""Folders hold few files of one kind, and no file needs, by any way round, one that needs it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "bionet"
FEW = 14
MORE = {"modules": 20, "cli": 18}  # kinds of one thing: a module, a command
MANY = {"zoo/recipes", "workloads"}  # one file for each


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[str]:
    """Yields the files of the package that a file imports anywhere, for types alone or later."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module in FILES:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from inner & FILES.keys()
            if not inner <= FILES.keys():
                yield node.module


def find_circle(needs: dict[str, set[str]]) -> list[str]:
    """Returns what is left when all that needs nothing more is taken away, again and again."""
    left = dict(needs)
    while free := [name for name in left if not needs[name] & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_imports_go_round_in_a_circle():
    assert find_circle({name: set(imports_of(path)) - {name} for name, path in FILES.items()}) == []


def test_a_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"a", "c"}, "c": set()}) == ["a", "b"]


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in FILES.values()}), ids=lambda folder: folder.name
)
def test_a_folder_holds_few_files(folder):
    room = folder.relative_to(PACKAGE).as_posix()
    if room not in MANY:
        assert len(list(folder.glob("*.py"))) <= MORE.get(room, FEW)
