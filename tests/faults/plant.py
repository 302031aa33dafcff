"""Plants faults into the sources, one at a time, and says whether the tests catch them.

    python tests/faults/plant.py                    all faults of faults.toml
    python tests/faults/plant.py "a window" gate    those whose names hold one of these texts
    python tests/faults/plant.py --every-day        with the tests of `make test` alone

Whoever makes tests cheaper runs it before and after: what was caught has to be caught still. The
sources stay as they are; a fault is planted in a copy, which the tests then import. What is said
of a fault: caught, MISSED, or UNKNOWN, if the tests could not be run at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 900
PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
EVERY_DAY, ALL = "not slow", ""
# What pytest says of a run: all passed, or some failed. Anything else says nothing of the fault.
VERDICTS = {0: "MISSED", 1: "caught"}


class Fault(NamedTuple):
    """A text of one source, what stands in its place, and the tests that have to catch it."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]


def read_faults() -> list[Fault]:
    """Reads the list."""
    text = (ROOT / "tests" / "faults" / "faults.toml").read_text("utf-8")
    return [Fault(**entry) for entry in tomllib.loads(text)["fault"]]


def choose(faults: list[Fault], words: list[str]) -> list[Fault]:
    """Returns the faults whose names hold one of the words; all, if there are none."""
    return [fault for fault in faults if not words or any(word in fault.name for word in words)]


def plant(fault: Fault, folder: Path) -> None:
    """Copies the sources and puts the fault into the copy.

    Raises:
        ValueError: the old text is not there exactly once.
    """
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / fault.file
    text = path.read_text("utf-8")
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: {fault.file} holds the text {text.count(fault.old)} times")
    path.write_text(text.replace(fault.old, fault.new), "utf-8")


def run(tests: list[str], sources: Path, tier: str) -> int:
    """Runs tests on a copy of the sources, and returns what pytest returns; a hang fails."""
    environment = os.environ | {"PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        command = [*PYTEST, "-m", tier, *tests]
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return 1
    return ended.returncode


def judge(fault: Fault, tier: str) -> str:
    """Returns whether the tests of a tier that are named for a fault catch it."""
    with tempfile.TemporaryDirectory() as folder:
        plant(fault, Path(folder))
        return VERDICTS.get(run(fault.tests, Path(folder) / "src", tier), "UNKNOWN")


def main(words: list[str]) -> int:
    """Judges the faults and returns how many were not caught."""
    tier = EVERY_DAY if "--every-day" in words else ALL
    faults, escaped = choose(read_faults(), [w for w in words if not w.startswith("--")]), 0
    for fault in faults:
        begun = time.perf_counter()
        verdict = judge(fault, tier)
        escaped += verdict != "caught"
        spent = time.perf_counter() - begun
        print(f"{verdict:8} {spent:5.0f} s  {fault.name}  ({', '.join(fault.tests)})", flush=True)
    print(f"{len(faults) - escaped} of {len(faults)} faults were caught")
    return min(escaped, 125)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
