"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from results import difference, read, shown

LINES = read(Path(__file__).with_name("results.jsonl"))
COLUMNS = {
    "prototypes-local": "prototypes-local",
    "classification-local (digits)": "classification-local",
}
RULES = {
    "nearest class mean": "nearest class mean",
    "nearest true prototype (the optimum)": "nearest true prototype (optimum)",
}


def of(recipe: str) -> list[dict[str, Any]]:
    """The lines of a recipe."""
    return [line for line in LINES if line["recipe"] == recipe]


def cell(recipe: str, label: str) -> str:
    """One cell of the table."""
    lines = of(recipe)
    if label == "difference, paired":
        ours, theirs = ({e["seed"]: e[part] for e in lines} for part in ("accuracy", "control"))
        return difference(ours, theirs, 2).gap
    if label.startswith(("network", "frozen")):
        part = "accuracy" if label.startswith("network") else "control"
        return shown([line[part] for line in lines], digits=2).full
    values = [line["baselines"].get(RULES.get(label, label)) for line in lines]
    if None in values:
        return ""
    return f"{100 * values[0]:.0f}" if label == "chance" else shown(values, digits=2).full


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    page.table("| | prototypes-local", {
        name: lambda row, id=id: cell(id, row["column 0"]) for name, id in COLUMNS.items()
    })  # fmt: skip
    page.says("each of the {0} runs is above its own control",
              {10: "ten"}[sum(line["accuracy"] > line["control"] for line in LINES)])  # fmt: skip
    lines = of("prototypes-local")
    best = [line["baselines"]["nearest true prototype (optimum)"] for line in lines]
    behind = shown(best).value - shown([line["accuracy"] for line in lines]).value
    page.says("the network stays {0:.0f} points under the optimum", behind)
    page.says("one image is {0:.2f} points", 100 / 360)
