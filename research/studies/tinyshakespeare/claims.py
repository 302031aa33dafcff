"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import read

LINES = {line["recipe"]: line for line in read(Path(__file__).with_name("results.jsonl"))}


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    floors = LINES["language-es"]["floors_nats"]

    def line(row: dict[str, str]) -> dict[str, Any] | None:
        return LINES.get(row["what"].split("`")[1]) if "`" in row["what"] else None

    def nats(row: dict[str, str]) -> str:
        own = line(row)
        return f"{own['nats'] if own else floors[row['what'].removeprefix('counts of ')]:.3f}"

    page.table("| what", {
        "nats per character": nats,
        "evaluations": lambda row: f"{own['evaluations']:,}" if (own := line(row)) else "",
        "seconds": lambda row: f"{own['seconds']:,.0f}" if (own := line(row)) else "",
    })  # fmt: skip
    times = LINES["language-es"]["seconds"] / LINES["language-s5"]["seconds"]
    page.says("in a {0} of the time", {5: "fifth"}[round(times)])
