"""What the architecture tests look at: the tree of the project, and its parsed sources."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SKIPPED = {"build", "dist", "runs", "site", "__pycache__"}


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def sources(root: Path) -> dict[str, ast.Module]:
    """Every file of the library, parsed, under its path from the root."""
    paths = sorted((root / "src").rglob("*.py"))
    return {
        path.relative_to(root).as_posix(): ast.parse(path.read_text("utf-8"), str(path))
        for path in paths
    }


@pytest.fixture(scope="session")
def project_files(root: Path) -> list[Path]:
    """The files that git keeps or would keep; without git, all that are not hidden or made."""
    if shutil.which("git") and (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
        paths = [root / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in root.rglob("*") if not _is_made(path.relative_to(root))]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="session")
def run_python(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the tests' own interpreter on the library's sources and returns what it said."""

    def run(*words: str, src: Path = root / "src") -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(src), "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, *words],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def _is_made(path: Path) -> bool:
    hidden = path.parts[0].startswith(".") and path.parts[0] not in {".ci", ".gitignore"}
    return hidden or any(part in SKIPPED or part.endswith(".egg-info") for part in path.parts)
