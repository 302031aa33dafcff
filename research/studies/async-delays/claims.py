"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import read, shown

LINES = read(Path(__file__).with_name("results.jsonl"))
ARMS = {arm: [line for line in LINES if line["arm"] == arm] for arm in {e["arm"] for e in LINES}}


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    elsewhere = [line["elsewhere"] for line in LINES if "elsewhere" in line]

    def learned(row: dict[str, str]) -> str:
        return shown([line["test"] for line in ARMS[row["messages travel"]]]).full

    def without(row: dict[str, str]) -> str:
        found = [
            each[row["messages travel"]] for each in elsewhere if row["messages travel"] in each
        ]
        return shown(found).full if found else ""

    def control(row: dict[str, str]) -> str:
        return shown([line["control"] for line in ARMS[row["messages travel"]]]).full

    page.table(
        "| messages travel",
        {
            "learned and tested": learned,
            "learned without delays": without,
            "frozen control": control,
        },
    )
    means = {arm: shown([line["test"] for line in found]).value for arm, found in ARMS.items()}
    quick = [means[f"{ms} ms"] for ms in (0, 10, 25, 50, 100)]
    apart = max(abs(value - means["one clock"]) for value in quick)
    page.says("all arms lie within {0:.1f} points of the network", apart)
    page.says("learns late loses {0:.1f} points", means["one clock"] - means["200 ms"])
    page.given(r"Up to 100 ms|At [24]00 ms|at [24]00 ms|phase of 500 ms|needs 200 ms|for 300 ms|50, 40 and 20 Hz",
               "settings: the delays that were tried, phases and rates")  # fmt: skip
