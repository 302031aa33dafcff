"""Writes what has been measured into the package: bands, margins and costs of every recipe.

    python research/evidence/publish.py

A band is the 95 % bootstrap interval of the mean over seeds, with half a point on either side,
rounded outwards to whole points. A margin is the mean difference over seeds, less half a point and
rounded down to whole points. A cost is what `costs.py` has measured last. The tests hold the lines
against all of them.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from lines import HERE, Line, gains, interval, measured

import bionet.zoo
from bionet._core.files import write_whole

TARGET = Path(bionet.zoo.__file__).with_name("measured.json")
SLACK = 0.5  # points
LEAST_SEEDS = 5


def band(lines: list[Line], dataset: str) -> dict[str, Any]:
    """Where the mean is expected."""
    metric = lines[0]["metric"]
    low, high = interval([100 * line["metrics"][metric] for line in lines])
    ends = {
        "low": max(math.floor(low - SLACK), 0) / 100,
        "high": min(math.ceil(high + SLACK), 100) / 100,
    }
    return {"metric": metric, **ends, "seeds": len(lines), "dataset": dataset}


def margins(lines: list[Line], dataset: str) -> list[dict[str, Any]]:
    """How far above everything beside it the mean is expected."""
    return [
        {"over": name, "least": math.floor(100 * gain - SLACK) / 100, "dataset": dataset}
        for name, gain in gains(lines).items()
    ]


def costs() -> dict[str, dict[str, Any]]:
    """The last cost of each recipe that was measured."""
    path = HERE / "costs.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    fields = ("demo_seconds", "device", "cold_seconds", "peak_memory_mib")
    found = {}
    for line in map(json.loads, lines):
        found[line["recipe"]] = {name: line[name] for name in fields}
    return found


def main() -> None:
    """Writes the file anew."""
    found: dict[str, dict[str, Any]] = {}
    for id, dataset, lines in measured():
        if len(lines) < LEAST_SEEDS:
            continue
        entry = found.setdefault(id, {"bands": [], "margins": []})
        entry["bands"].append(band(lines, dataset))
        entry["margins"] += margins(lines, dataset)
    for id, cost in costs().items():
        found.setdefault(id, {})["cost"] = cost
    write_whole(TARGET, json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"{len(found)} recipes: {TARGET.name}")


if __name__ == "__main__":
    main()
