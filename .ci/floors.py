"""Prints the constraints of the environment in which every direct dependency is at its floor.

    python .ci/floors.py > .venv-floors/constraints.txt

The lower bounds of `pyproject.toml` become pins, the runtime's and those of the extra `data`. All
else has the version of `constraints.txt`, or the newest one before it that goes with the pins.
So no version is written down twice, and what is released tomorrow changes nothing.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Prints one pin a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = project["dependencies"] + project["optional-dependencies"]["data"]
    floors = {package(bound): bound.replace(">=", "==") for bound in bounds}
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    others = [pin.replace("==", "<=") for pin in pins if package(pin) not in floors]
    print("\n".join([*floors.values(), *others]))


def package(requirement: str) -> str:
    """The name of the package that a requirement or a pin is about, as pip compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[=<>!~\[; ]", requirement)[0]).lower()


if __name__ == "__main__":
    main()
