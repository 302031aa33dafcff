"""Every method beside the frozen hidden layers of its own network.

    python research/studies/methods-on-images/table.py

A report has one frozen control, and this study has five networks. This prints what the README
shows: test accuracy, and the differences from the frozen network and from backprop, paired by seed,
from the lines of each part that has been run; and last, each correction less what it corrects.
"""

from __future__ import annotations

from pathlib import Path

from bionet.studies import read_results
from bionet.studies.arm_results import ArmResults, arm_results
from bionet.studies.statistics import Interval, mean, paired

HERE = Path(__file__).parent
PARTS = ("mnist", "fashion-mnist")
FROZEN = {
    "frozen-relu": ("backprop",),
    "frozen-tanh": ("feedback-alignment", "dfa"),
    "frozen-sparse": ("error-phase",),
    "frozen-binary": (
        "two-phase",
        "contrastive",
        "surrogate",
        "smooth-twin",
        "local-es",
        "surrogate-es",
        "self-guided-es",
    ),
    "frozen-shallow": ("lowrank-es", "es", "random-search"),
}
CORRECTED = {"local-es": "two-phase", "surrogate-es": "surrogate"}


def table(part: str) -> str:
    """The methods of a part, network by network, as Markdown."""
    arms = arms_of(part)
    rows = [
        "| method | accuracy, % | over its frozen network | less backprop |",
        "|---|---:|---:|---:|",
    ]
    for control, methods in FROZEN.items():
        for name in methods:
            told = difference(arms[name], arms[control])
            rows.append(row(name, arms[name], told, difference(arms[name], arms["backprop"])))
        rows.append(row(control, arms[control], "", difference(arms[control], arms["backprop"])))
    return "\n".join(rows)


def corrections(part: str) -> str:
    """What a correction by evolution adds to the method that it corrects, in the same minute."""
    arms = arms_of(part)
    return "; ".join(
        f"`{name}` less `{other}`: {difference(arms[name], arms[other])}"
        for name, other in CORRECTED.items()
    )


def arms_of(part: str) -> dict[str, ArmResults]:
    """The arms of a part by their names."""
    lines = read_results(HERE / part / "results.jsonl", f"methods-on-images-{part}").lines
    return {arm.name: arm for arm in arm_results(lines)}


def row(name: str, arm: ArmResults, over: str, less: str) -> str:
    """One arm."""
    reached = told(mean(list(arm.values("accuracy").values())))
    return f"| `{name}` | {reached} | {over} | {less} |"


def difference(arm: ArmResults, other: ArmResults) -> str:
    """How many points more an arm has than another one on the same seeds."""
    found = paired(arm.values("accuracy"), other.values("accuracy"))
    return "" if arm is other else told(found.difference, "+.1f")


def told(found: Interval, form: str = ".1f") -> str:
    """In per cent, with the interval."""
    low, high = (f"{100 * each:.1f}" for each in (found.low, found.high))
    return f"{100 * found.value:{form}} [{low}, {high}]"


if __name__ == "__main__":
    for part in PARTS:
        if (HERE / part / "results.jsonl").is_file():
            print(f"\n{part}\n\n{table(part)}\n\n{corrections(part)}")
