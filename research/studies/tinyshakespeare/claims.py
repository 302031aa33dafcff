"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import read

LINES = {line["recipe"]: line for line in read(Path(__file__).with_name("results.jsonl"))}


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    floors = LINES["language-es"]["floors_nats"]
    best = {line["window"]: line for line in read(Path(__file__).with_name("floors.jsonl"))}
    for window, line in best.items():
        floors = floors | {f"{line['order']} characters, windows of {window}": line["nats"]}

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
    page.says("{0:.3f} nats in the windows of `language-s5` ({1:.3f}) and {2:.3f} in those of `language-es` ({3:.3f}).",
              best[128]["nats"], LINES["language-s5"]["nats"], best[32]["nats"], LINES["language-es"]["nats"])  # fmt: skip
    assert all(
        LINES[id]["nats"] > best[window]["nats"]
        for id, window in (("language-s5", 128), ("language-es", 32))
    )
    times = LINES["language-es"]["seconds"] / LINES["language-s5"]["seconds"]
    page.says("in a {0} of the time", {5: "fifth"}[round(times)])
