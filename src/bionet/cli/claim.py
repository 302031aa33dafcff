"""Claims a directory for a new run, so that no two runs ever share one."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

from bionet._core.files import own_path
from bionet.cli.errors import UsageError
from bionet.cli.plan import Plan
from bionet.cli.run_directory import RunDirectory

LITTER = ("Thumbs.db", "desktop.ini")
"""Files that a file manager leaves, beside hidden ones."""


@contextlib.contextmanager
def claim(out: str | None, plan: Plan) -> Generator[RunDirectory]:
    """Holds a directory with the plan in it; one in which nothing was learned is removed again.

    Args:
        out: the directory; None takes the first free one of `runs/ID-DATA-seedN`,
            `runs/ID-DATA-seedN-2`, ...
        plan: what is going to run.

    Raises:
        UsageError: `out` holds another run, or anything else.
        OSError: another process has claimed it, or it can't be written.
    """
    path, new = _first_free(plan) if out is None else _name(out)
    directory = RunDirectory(path)
    try:
        with directory.lock():
            _check_empty(path)  # again, now that nobody else writes here
            directory.write_plan(plan)
            try:
                yield directory
            except BaseException:
                if not directory.begun:
                    directory.discard()
                raise
    finally:
        if new and not directory.planned:
            with contextlib.suppress(OSError):  # It may hold something else by now.
                path.rmdir()


def _name(out: str) -> tuple[Path, bool]:
    path = own_path(out)
    if path.exists() and not path.is_dir():
        raise UsageError(f"'{path}' is a file, not a directory. Choose another --out.")
    _check_empty(path)
    return path, not path.exists()


def _check_empty(path: Path) -> None:
    if not path.exists():
        return
    found = [entry.name for entry in path.iterdir()]
    if all(name.startswith(".") or name in LITTER for name in found):
        return
    if "config.json" not in found:
        raise UsageError(
            f"The directory '{path}' is not empty, and holds no run. Choose another --out."
        )
    try:
        other = f"the run {RunDirectory(path).read_plan()}"
    except UsageError:
        other = "another run"
    raise UsageError(
        f"The directory '{path}' already holds {other}. Choose another --out, "
        f"or go on with that run: `bionet resume {path}`."
    )


def _first_free(plan: Plan) -> tuple[Path, bool]:
    for path in _candidates(plan):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # so that two runs never share a directory
            path.mkdir()
            return path, True
    raise AssertionError("there are infinitely many candidates")


def _candidates(plan: Plan) -> Iterator[Path]:
    parts = [plan.recipe, plan.method, plan.dataset, f"seed{plan.seed}"]
    name = "-".join(part for part in parts if part)
    yield Path("runs", name)
    for number in count(2):
        yield Path("runs", f"{name}-{number}")
