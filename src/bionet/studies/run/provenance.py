"""The provenance of a number: the version of the code."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit(directory: Path) -> str | None:
    """The git commit that a study is run at; None outside of a repository.

    A "+" behind it says that tracked files differ from that commit, other than those in the
    study's own directory, which its results change as they come.
    """
    head = _git(directory, "rev-parse", "HEAD")
    if head is None:
        return None
    mine = f":(exclude,top){_git(directory, 'rev-parse', '--show-prefix') or ''}"
    outside = [] if mine.endswith(")") else ["--", ":/", mine]
    changed = _git(directory, "status", "--porcelain", "--untracked-files=no", *outside)
    return head + ("+" if changed else "")


def _git(directory: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=directory, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
