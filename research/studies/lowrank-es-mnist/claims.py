"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import read

LINES = {line["arm"]: line for line in read(Path(__file__).with_name("results.jsonl"))}
NAMES = {
    "low-rank ES, eight epochs": "low-rank ES",
    "backprop, eight epochs": "backprop",
    "frozen hidden layer, ridge readout": "frozen hidden layer",
    "tuning: as it is (rate 0.004, sigma 0.01, rank 1)": "tuning: as it is",
    "tuning: 2,048 members, half the images": "tuning: 2048 members, half the images",
}


def line(row: dict[str, str]) -> dict[str, Any]:
    """The line of a row."""
    return LINES[NAMES.get(row["arm"], row["arm"])]


def percent(row: dict[str, str], name: str) -> str:
    """A share in per cent; empty where the line has none."""
    return f"{100 * line(row)[name]:.2f} %" if name in line(row) else ""


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    es, backprop, frozen = (LINES[n] for n in ("low-rank ES", "backprop", "frozen hidden layer"))
    page.table("| arm", {
        "evaluations": lambda row: f"{n:,}" if (n := line(row)["evaluations"]) else "",
        "validation": lambda row: percent(row, "validation"),
        "test": lambda row: percent(row, "test"),
    })  # fmt: skip
    page.says("Yes: {0:.2f} % of the test images after {1:.1f} million evaluations ({2:,} steps of "
              "{3:,} members", 100 * es["test"], es["evaluations"] / 1e6, es["steps"],
              es["config"]["population"])  # fmt: skip
    page.says("one seed, {0:.0f} minutes on two CPU cores", es["seconds"] / 60)
    page.says("reaches {0:.2f} % with {1:,} evaluations and their gradients",
              100 * backprop["test"], backprop["evaluations"])  # fmt: skip
    page.says("width reaches {0:.2f} %,", 100 * frozen["test"])
    page.says("(203,530 weights)")
    assert es["weights"] == 203_530
    base, rank = LINES["tuning: as it is"], LINES["tuning: rank 4"]
    page.says("A rank of {0} gains {1:.1f} points and takes more than twice the time",
              rank["config"]["rank"], 100 * (rank["validation"] - base["validation"]))  # fmt: skip
    assert rank["seconds"] > 2 * base["seconds"]
    page.given(r"of 200,000 weights|test accuracy of 95 %|Pixels in \[0, 1\]", "title and question")
