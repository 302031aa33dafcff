"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from claims import script
from results import shown, span

RUN = script(Path(__file__).with_name("run.py"))
SIZES = RUN.by_size()
METHODS = list(RUN.RANKS)
FULL, ONE, FOUR = METHODS
SHOWN = (16, 256, 4096)
"""The populations that the page's tables have."""


def times(size: tuple[int, int], name: str) -> float | None:
    """How many times as long a step of full noise takes."""
    pair = [SIZES[size].get(each, {}).get("median_seconds") for each in (FULL, name)]
    return None if None in pair else pair[0] / pair[1]


def table(head: list[str], cells: Any) -> str:
    """A table of `run.py`, of the populations that are shown."""
    rows = RUN.table_of(head, cells).splitlines()
    return "\n".join(
        [*rows[:2], *(r for r in rows[2:] if int(r.split("|")[2].replace(",", "")) in SHOWN)]
    )


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    short, over = ["es", "rank 1", "rank 4"], ["es / rank 1", "es / rank 4"]
    sizes = [f"{name}, {what}" for what in ("program", "process") for name in short]
    angles = ["pairs K", "law", "es", "rank 1", "its law", "rank 4", "its law"]
    page.block(table([*short, *over], RUN.time_cells))
    page.block(table(sizes, RUN.memory_cells))
    page.block(table(angles, RUN.cosine_cells))
    time(page)
    memory(page)
    cosines(page)


def time(page: Any) -> None:
    """What low rank saves in time."""
    first = times((9550, 16), ONE)
    large = {s: t for s in SIZES if s[0] > 1e5 and s[1] >= 64 and (t := times(s, ONE))}
    odd = min(large, key=lambda size: large[size])
    rest = [value for size, value in large.items() if size != odd]
    page.says("A step of rank one is {0:.1f} times as fast as one of full noise at {1:,} weights and "
              "{2} members, and {3:.0f} to {4:.0f} times", first, 9550, 16, min(rest), max(rest))  # fmt: skip
    page.says("(one row of {0}, a million weights with {1} members, gave {2:.0f})",
              {9: "nine", 10: "ten"}[len(large)], odd[1], large[odd])  # fmt: skip
    seconds = {m: SIZES[1000120, m][ONE]["median_seconds"] for m in (64, 256)}
    page.says(
        "took longer ({0:.0f} ms) than with 256 ({1:.0f} ms)", *(1e3 * s for s in seconds.values())
    )
    page.given(
        r"than with 256|at a million with 1,024|JAX [\d.]+|all 25 rows|medians of 15 steps",
        "settings",
    )


def memory(page: Any) -> None:
    """What it saves in memory."""
    need = SIZES[316420, 4096][FULL]["program_mib"]
    page.says("({0:.0f} GiB) and at a million", need / 1024)
    page.says("evaluated at a time: {0:.0f} MiB for rank one at a million",
              SIZES[1000120, 4096][ONE]["program_mib"])  # fmt: skip
    per = SIZES[1000120, 1024][FULL]["program_mib"] * 2**20 / (1000120 * 1024)
    page.says("holds the whole population, {0:.0f} bytes per weight and member", per)
    assert "refused" in SIZES[316420, 4096][FULL]
    assert "refused" in SIZES[1000120, 1024][FULL]


def cosines(page: Any) -> None:
    """What it costs in direction, and whether the law holds."""
    ratio = {
        name: [
            shown(found[name]["cosine"], 1).value / shown(found[FULL]["cosine"], 1).value
            for (_, members), found in SIZES.items()
            if members >= 256 and "cosine" in found[FULL]
        ]
        for name in (ONE, FOUR)
    }
    page.says("the cosine of rank one is {0} times that of full noise, of rank four {1} times",
              span(ratio[ONE], ".2f"), span(ratio[FOUR], ".2f"))  # fmt: skip
    under = {name: [] for name in METHODS}
    for found in SIZES.values():
        for name in METHODS:
            if "cosine" in found[name]:
                law = found[name]["law_of_this_noise"] if RUN.RANKS[name] else [found[name]["law"]]
                under[name].append(shown(found[name]["cosine"], 1).high < sum(law) / len(law))
    page.says("the intervals of {0} of {1} rows lie wholly under it for full noise, and under their "
              "own law those of {2} of {3} for rank one and of {4} of {5} for rank four",
              *(n for name in METHODS for n in (sum(under[name]), len(under[name]))))  # fmt: skip
