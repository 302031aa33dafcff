"""The repository, and the scripts of `research/` that the tests call."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def script(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """`script("prune")` is research/prune.py, and `script("lines")` research/evidence/lines.py."""
    before = sys.path.copy()
    sys.path[:0] = [str(root / "research"), str(root / "research" / "evidence")]
    yield importlib.import_module
    sys.path[:] = before


@pytest.fixture(scope="session")
def extension(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """`extension("zoo_results")` is a module of docs/extensions, as the build imports it."""
    before = sys.path.copy()
    sys.path.insert(0, str(root / "docs" / "extensions"))
    yield importlib.import_module
    sys.path[:] = before
