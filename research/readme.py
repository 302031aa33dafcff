"""Writes the results of README.md out of the committed lines.

    python research/readme.py            writes what stands between the marks
    python research/readme.py --check    ends with 1 where that is not what the lines give

Everything between `<!-- results -->` and `<!-- /results -->` is made here, the sentences too: which
recipes stay at or under their control or a rule of one line, and which have no control, follows
from the lines and not from what somebody remembers.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "evidence"))
import lines as evidence  # noqa: E402

from bionet._core.files import write_whole  # noqa: E402

README = HERE.parent / "README.md"
MARKS = ("<!-- results -->", "<!-- /results -->")
Line = dict[str, Any]
Found = list[tuple[str, str, list[Line]]]


def block(found: Found | None = None) -> str:
    """What stands between the marks."""
    found = evidence.measured() if found is None else found
    legend = [_wrapped(text) for text in _LEGEND]
    parts = [table(found), *legend, _wrapped(standing(found)), larger(), _wrapped(beyond())]
    return "\n\n".join(parts)


_LEGEND = (
    "All numbers are from held-out data, after the last epoch. *Reached* is the mean over the "
    "seeds with its 95 % bootstrap interval, which over five seeds holds the true mean in "
    "about 83 of 100 studies ([why](docs/how-to/reproduce-a-number.md#intervals)). *One run* "
    "is where a single new run is expected, which is wider "
    "([how](docs/how-to/reproduce-a-number.md#bands)). The *strongest rule* is the best of "
    "the rules of one line that a recipe is measured beside; an optimum is what nothing can "
    "exceed. What is **above** the recipe says so, and so does what is **equal** to it.",
    "`python research/evidence/run.py ID` measures a row again (`make evidence` all of them), "
    "and `python research/readme.py` writes this section. The gradient and hybrid recipes "
    "were tuned on validation data and on other seeds, `research/studies/recipe-tuning`.",
)


def table(found: Found) -> str:
    """A row for each recipe and data set with lines."""
    rows = [list(evidence.HEAD), ["---"] * len(evidence.HEAD)]
    rows += [evidence.row(lines, dataset) for _, dataset, lines in found]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def standing(found: Found) -> str:
    """Which recipes something simpler reaches, and which have no control."""
    beaten: dict[str, list[str]] = {"rule": [], "control": []}
    for id, dataset, lines in found:
        reached = float(np.mean(evidence.of("metrics", lines)))
        best, control = evidence.strongest(lines), evidence.of("control", lines)
        name = f"`{id}` on {dataset}"
        if best and evidence.compared(reached, best[1]):
            beaten["rule"].append(f"{name} ({best[0]})")
        if control and evidence.compared(reached, float(np.mean(control))):
            beaten["control"].append(name)
    without = [f"`{id}`" for id, _, lines in found if not evidence.of("control", lines)]
    told = [
        _sentence("A rule of one line is as good as the recipe, or better:", beaten["rule"]),
        _sentence("The frozen control is as good as the recipe, or better:", beaten["control"])
        or "No frozen control is as good as its recipe.",
        _sentence("Without a frozen control:", without) or "Every recipe has a frozen control.",
    ]
    return " ".join(filter(None, told))


def _sentence(head: str, names: list[str]) -> str:
    return f"{head} {', '.join(names)}." if names else ""


def larger() -> str:
    """MNIST, from the two studies that are about it."""
    (local,) = _lines("mnist-local")
    sparse = _lines("mnist-local-sparse")
    names = ("best", "control: binary, no recurrence", "backprop MLP")
    best, control, backprop = (
        [line["test"] for line in sparse if line["arm"] == name] for name in names
    )
    relu = f"2,000 random ReLU units with ridge {_percent(local['random_relu'])}"
    relu += _above([local["accuracy"]], [local["random_relu"]])
    same = f"backprop, as many weights {evidence.told(backprop)}{_above(best, backprop)}"
    cells = [_percent(local["accuracy"]), _percent(local["control"]), relu, "1"]
    first = ["`classification-local`", *cells, "`research/studies/mnist-local`"]
    cells = [evidence.told(best), evidence.told(control), same, str(len(best))]
    second = ["`classification-local-sparse`", *cells, "`research/studies/mnist-local-sparse`"]
    head = ["recipe on MNIST", "reached", "frozen control", "beside it", "seeds", "study"]
    rows = [head, ["---"] * len(head), first, second]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def beyond() -> str:
    """What single runs on larger data have reached."""
    lowrank = next(line for line in _lines("lowrank-es-mnist") if line["arm"] == "low-rank ES")
    plays = {line["recipe"]: line for line in _lines("tinyshakespeare")}
    nats = {id: f"{line['nats']:.2f}" for id, line in plays.items()}
    floors = next(iter(plays.values()))["floors_nats"]
    counts = [f"{floors[name]:.2f}" for name in ("two characters", "three characters")]
    return (
        f"Low-rank evolution reads MNIST at {_percent(lowrank['test'])} with "
        f"{lowrank['evaluations'] / 1e6:.1f} million evaluations "
        "(`research/studies/lowrank-es-mnist`, one seed). On tinyshakespeare `language-s5` reaches "
        f"{nats['language-s5']} nats per character and `language-es` {nats['language-es']}, where "
        f"counts of two and of three characters reach {counts[0]} and {counts[1]} "
        "(`research/studies/tinyshakespeare`, one seed each)."
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _above(reached: list[float], other: list[float]) -> str:
    word = evidence.compared(float(np.mean(reached)), float(np.mean(other)))
    return f" **({word})**" if word else ""


def _lines(study: str) -> list[Line]:
    path = HERE / "studies" / study / "results.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def written(page: str, inside: str) -> str:
    """The page with something else between its marks."""
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n\n{inside}\n\n{MARKS[1]}{after}"


def main() -> int:
    """Writes, or says that there is something to write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    page = README.read_text("utf-8")
    new = written(page, block())
    if parser.parse_args().check:
        print("README.md is what the lines give." if new == page else "README.md is out of date.")
        return int(new != page)
    write_whole(README, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
