"""Every method beside the frozen hidden layers of its own network.

    python research/studies/methods-on-images/table.py           prints the tables
    python research/studies/methods-on-images/table.py --write   puts them into the README

A report has one frozen control, and this study has five networks. This is what the README shows:
test accuracy, and the differences from the frozen network and from backprop, paired by seed, from
the lines of each part (`research/prune.py` says which of them are stale). The numbers of its
sentences are held against the same lines by `claims.py` beside this file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bionet._core.files import write_whole
from bionet.studies import read_results
from bionet.studies.report.arm_results import ArmResults, arm_results
from bionet.studies.report.statistics import Interval, mean, paired

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
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
MARKS = ("<!-- tables -->", "<!-- /tables -->")
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


def tables() -> str:
    """The tables of both parts, one after the other."""
    parts = [part for part in PARTS if (HERE / part / "results.jsonl").is_file()]
    return "\n\n".join(f"On {TITLES[part]}:\n\n{table(part)}" for part in parts)


def written(page: str) -> str:
    """The README with the tables between its marks."""
    before, _, rest = page.partition(MARKS[0])
    return f"{before}{MARKS[0]}\n\n{tables()}\n\n{MARKS[1]}{rest.partition(MARKS[1])[2]}"


def main() -> None:
    """Prints, or writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the tables into the README")
    if parser.parse_args().write:
        page = HERE / "README.md"
        write_whole(page, written(page.read_text("utf-8")))
    else:
        print(tables(), *map(corrections, PARTS), sep="\n\n")


if __name__ == "__main__":
    main()
