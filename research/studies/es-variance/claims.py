"""The numbers of this study's page, out of its lines."""

import math
from pathlib import Path
from typing import Any

from results import read, shown

LINES = read(Path(__file__).with_name("results.jsonl"))


def of(weights: int, pairs: int, name: str) -> list[float]:
    """One measure of a size, seed by seed."""
    return [e[name] for e in LINES if (e["weights"], e["pairs"]) == (weights, pairs)]


def law(weights: int, pairs: int) -> float:
    """The cosine that the law gives."""
    return math.sqrt(pairs / (pairs + weights + 1))


def claims(page: Any) -> None:
    """Every number of the page."""
    from claims import script

    page.protocol()
    page.block(script(Path(__file__).with_name("run.py")).table())
    sizes = sorted({(line["weights"], line["pairs"]) for line in LINES})
    held = {"cosine": [], "length": []}
    for size in sizes:
        for name, right in (("cosine", law(*size)), ("length", 1 / law(*size))):
            found = shown(of(*size, name), scale=1, digits=3)
            if found.low <= right <= found.high:
                held[name].append(size)
    words = {7: "Seven", 9: "nine"}
    assert len(held["cosine"]) == len(held["length"])
    page.says("{0} of the {1} intervals hold the law, for cosines and for lengths",
              words[len(held["cosine"])], words[len(sizes)])  # fmt: skip
    (first, second) = [size for size in sizes if size not in held["cosine"]]
    cosines = [shown(of(*size, "cosine"), 1, 3) for size in (first, second)]
    page.says("are {0} weights with {1} pairs (a cosine of {2} where the law says {3:.3f}) and {4:,} "
              "with {5} ({6} where it says {7:.3f})", *first, cosines[0].v, law(*first),
              *second, cosines[1].v, law(*second))  # fmt: skip
    page.given(r"1 / cosine|\+ 1\)", "the formula")
