"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import difference, read, shown

LINES = read(Path(__file__).with_name("results.jsonl"))
KINDS = {"in full": "weights", "bfloat16": "bfloat16", "three bfloat16 parts": "bfloat16x3"}


def of(kind: str) -> dict[int, float]:
    """Accuracy by seed."""
    return {line["seed"]: line["accuracy"] for line in LINES if line["operands"] == KINDS[kind]}


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()

    def less(row: dict[str, str]) -> str:
        kind = row["products"]
        return "" if kind == "in full" else difference(of(kind), of("in full"), 2).gap

    page.table("| products", {
        "test accuracy": lambda row: shown(list(of(row["products"]).values()), digits=2).full,
        "difference to full products": less,
    })  # fmt: skip
    page.says("one of which is {0:.2f} points", 100 / 360)
    page.given(r"\{-1, \+1\}", "the states of a unit")
