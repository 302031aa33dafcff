"""Writes what has been measured into the package: bands, margins and costs of every recipe.

    python research/evidence/publish.py

A band is the 95 % bootstrap interval of the mean over seeds, with half a point on either side,
rounded outwards to whole points. Beside it stands the band of one new run, made in the same way of
the 95 % prediction interval (`lines.one_run`): a single run misses the band of a mean more often
than not. A margin is the mean difference over seeds, less half a point and
rounded down to whole points. A cost is what `costs.py` has measured last. The tests hold the lines
against all of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lines import HERE, LEAST_SEEDS, Line, gains, interval, measured, of, one_run

import bionet.zoo
from bionet._core.files import write_whole

TARGET = Path(bionet.zoo.__file__).with_name("measured.json")
SLACK = 0.5  # points


def band(metric: str, reached: list[float], dataset: str) -> dict[str, Any]:
    """Where the mean over seeds is expected, and where one run is."""
    values = [100 * value for value in reached]
    low, high = rounded(*interval(values))
    run_low, run_high = rounded(*one_run(values, top=100.0))
    ends = {"low": low, "high": high, "run_low": run_low, "run_high": run_high}
    return {"metric": metric, **ends, "seeds": len(values), "dataset": dataset}


def rounded(low: float, high: float) -> tuple[float, float]:
    """Two ends in points with some slack, outwards to whole points, as shares of one."""
    return max(math.floor(low - SLACK), 0) / 100, min(math.ceil(high + SLACK), 100) / 100


def margins(lines: list[Line], dataset: str) -> list[dict[str, Any]]:
    """How far above everything beside it the mean is expected."""
    return [
        {"over": name, "least": math.floor(100 * gain - SLACK) / 100, "dataset": dataset}
        for name, gain in gains(lines).items()
    ]


def studies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Bands on data that the evidence leaves to a study, for it takes hours."""
    study = HERE.parent / "studies" / "mnist-local-sparse"
    lines = map(json.loads, (study / "results.jsonl").read_text("utf-8").splitlines())
    reached = [line["test"] for line in lines if line["arm"] == "best"]
    if len(reached) >= LEAST_SEEDS:
        told = band("accuracy", reached, "mnist") | {"study": "research/studies/mnist-local-sparse"}
        yield "classification-local-sparse", told


def costs() -> dict[str, dict[str, Any]]:
    """The last cost of each recipe that was measured."""
    path = HERE / "costs.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    fields = ("demo_seconds", "device", "cold_seconds", "peak_memory_mib")
    found = {}
    for line in map(json.loads, lines):
        found[line["recipe"]] = {name: line[name] for name in fields}
    return found


def published() -> str:
    """The text of the file, out of the lines."""
    found: dict[str, dict[str, Any]] = {}
    for id, dataset, lines in measured():
        if len(lines) < LEAST_SEEDS:
            continue
        entry = found.setdefault(id, {"bands": [], "margins": []})
        entry["bands"].append(band(lines[0]["metric"], of("metrics", lines), dataset))
        entry["margins"] += margins(lines, dataset)
    for id, each in studies():
        found.setdefault(id, {}).setdefault("bands", []).append(each)
    for id, cost in costs().items():
        found.setdefault(id, {})["cost"] = cost
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Writes the file anew."""
    write_whole(TARGET, published())
    print(f"Written: {TARGET.name}")


if __name__ == "__main__":
    main()
