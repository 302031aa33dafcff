"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import read

(LINE,) = read(Path(__file__).with_name("results.jsonl"))
ROWS = {"network,": "accuracy", "frozen": "control", "2,000": "random_relu"}


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    page.table("| | test accuracy", {
        "test accuracy": lambda row: f"{100 * LINE[ROWS[row['column 0'].split()[0]]]:.2f} %",
        "seed": lambda row: str(LINE["seed"]),
    })  # fmt: skip
    page.says("Training took {0:.0f} s,", LINE["seconds"])
    page.says("{0:.1f} points above its frozen control", 100 * (LINE["accuracy"] - LINE["control"]))
