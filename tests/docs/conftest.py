"""The written pages of the project: where they are, and the code that stands in them.

A page is README.md or a file under docs/. Its code stands between fences, ```python or ```sh,
which may be indented (in an admonition, for example).
"""

from __future__ import annotations

import ast
import fcntl
import importlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

FENCE = re.compile(r"^[ ]*```(\w*).*$")


class Block(NamedTuple):
    """A block of code: where it begins, counted from 1, and what it says."""

    path: Path
    line: int
    code: str

    def tree(self) -> ast.Module:
        """The parsed code, whose line numbers are those of the page."""
        return ast.increment_lineno(ast.parse(self.code, str(self.path)), self.line - 1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds README.md and docs."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def blocks() -> Callable[[Path, str], list[Block]]:
    """The blocks of a page in one language, in order."""

    def find(page: Path, language: str) -> list[Block]:
        found, opened, spoken = [], None, ""
        lines = page.read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            fence = FENCE.match(line)
            if fence is None:
                continue
            if opened is None:
                opened, spoken = number, fence.group(1)
                continue
            if spoken == language:
                code = textwrap.dedent("\n".join(lines[opened : number - 1]))
                found.append(Block(page, opened + 1, code + "\n"))
            opened = None
        assert opened is None, f"{page}:{opened}: this fence is never closed"
        return found

    return find


@pytest.fixture(scope="session")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a warning fails. Test processes beside each other share one."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, built = shared / "site", shared / "site-is-built"
    with (shared / "site-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
            done = subprocess.run(
                [*command, "-d", str(folder)],
                cwd=root,
                env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
                capture_output=True,
                text=True,
                timeout=240,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout + done.stderr == ""
            built.touch()
    return folder


@pytest.fixture(scope="session")
def extension(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    """`extension("zoo_results")` is a module of docs/extensions, as the build imports it."""
    before = sys.path.copy()
    sys.path.insert(0, str(root / "docs" / "extensions"))
    yield importlib.import_module
    sys.path[:] = before
