"""The numbers of docs/explanation/speed.md, out of the lines of the benchmarks.

A range is over all committed runs of a case: none is left out because another one was better.
"""

from collections.abc import Iterable
from typing import Any

from results import HERE, Line, read, span


def runs(name: str, **wanted: Any) -> list[Line]:
    """The lines of a benchmark with these values."""
    lines = read(HERE / "benchmarks" / "results" / f"{name}.jsonl")
    return [e for e in lines if all(e.get(key) == value for key, value in wanted.items())]


TEXTBOOK = {
    n: runs("training_step", case="textbook", sizes=[first, n, 10])
    for first, n in ((100, 256), (784, 2000))
}
RATE = {n: runs("training_step", case="rate", hidden=n) for n in (1024, 4096)}
SPARSE = runs("sparse", case="speed")
HYBRID = runs("spyx_recipes", case="hybrid")[0]["found"]
LARGE = runs("spyx_recipes", case="large")[0]["found"]
PAIRS = ("8", "32", "128")


def each(found: Iterable[Line], *keys: str) -> list[float]:
    """A value of each line, by the keys that lead to it."""
    values = []
    for line in found:
        for key in keys:
            line = line[key]
        values.append(line)
    return values


def claims(page: Any) -> None:
    """Every number of the page."""
    page.table("| case", {"measured": measured})
    page.table("| task | steps taken", {
        "steps taken": lambda row: f"{settled(row)[0]['steps_taken']:.1f} of {settled(row)[0]['steps_at_most']}",
        "settled with the label / without": rest,
        "time against all steps": lambda row: f"{percent(each(settled(row), 'time_share'))} %",
        "textbook, compiled, all steps": slower,
    })  # fmt: skip
    page.table("| case", {"measured": others})
    prose(page)


def percent(values: list[float]) -> str:
    """A range of shares."""
    return span([100 * value for value in values], ".0f")


def measured(row: dict[str, str]) -> str:
    """A cell of the first table."""
    case = row["case"]
    small, large = (TEXTBOOK[n] for n in (256, 2000))
    compiled, masked = "textbook, compiled", "textbook, compiled, no masks"
    if case.startswith("784-1024"):
        return f"{percent(each(RATE[1024], 'share'))} % of the best product rate"
    if case.startswith("784-4096"):
        return f"{percent(each(RATE[4096], 'share'))} % of the best product rate"
    if case.startswith("100-256"):
        return f"{span(each(small, 'ratios', 'python loop'), '.0f')} times as fast"
    if case.startswith("the same"):
        ratios = [span(each(small, "ratios", name), ".2f") for name in (compiled, masked)]
        return f"{ratios[0]} times as fast; {ratios[1]} without its masks"
    if case.startswith("784-2000-10, batch"):
        ratios = [span(each(large, "ratios", name), ".2f") for name in (compiled, masked)]
        share = percent(each(large, "memory_share"))
        return (
            f"{ratios[0]} times as fast, in {share} % of its memory; {ratios[1]} without its masks"
        )
    if case.startswith("784-2000-10, 90"):
        ratios = [
            span(each(SPARSE, "times_as_fast", f"masks, {n}"), ".0f")
            for n in ("as written", "compiled")
        ]
        weights = percent(each(SPARSE, "weights_share"))
        return (f"{ratios[0]} times as fast as masks in every product, {ratios[1]} times as fast as what "
                f"XLA makes of them; weights in {weights} % of the memory")  # fmt: skip
    if case.startswith("20,000"):
        return scale()
    seconds = [runs("training_step", case="compile", layers=n)[0]["seconds"] for n in (3, 20)]
    return f"{seconds[0]:.1f} s and {seconds[1]:.1f} s"


def scale() -> str:
    """How time and memory grow with sparse connections."""
    peaks, units, fans = [], [], []
    for batch in (16, 128):
        fixed = runs("sparse", case="scale", batch=batch, fan_in=50)
        wide = runs("sparse", case="scale", batch=batch, axis="hidden units")
        fan = runs("sparse", case="scale", batch=batch, axis="connections per unit")
        peak = each(fixed, "peak_mb", "20000")
        peak += [
            mb
            for e in (*wide, *fan)
            for point, mb in zip(e["points"], e["peak_mb"], strict=True)
            if point == [20000, 50]
        ]
        peaks.append(span(peak, ".0f"))
        units.append(span(each((*fixed, *wide), "exponent"), ".2f"))
        fans.append(span(each(fan, "exponent"), ".2f"))
    return (f"peak memory of the process {peaks[0]} MB with a batch of 16, {peaks[1]} MB with 128; time per step "
            f"grows as the connections to the power {fans[0]} and {fans[1]} (12 to 100 for each of 20,000 units), "
            f"{units[0]} and {units[1]} (50 for each of 2,500 to 20,000 units)")  # fmt: skip


def settled(row: dict[str, str]) -> list[Line]:
    """The runs of a task with the early stop."""
    task = row["task"].replace(" with self-coupling", ", self-coupling")
    return runs("training_step", case="settled", task=task)


def rest(row: dict[str, str]) -> str:
    """How many samples rest in each phase."""
    return " / ".join(
        f"{percent(each(settled(row), f'{phase}_settled'))} %" for phase in ("clamped", "free")
    )


def slower(row: dict[str, str]) -> str:
    """How much longer the textbook takes."""
    ratios = [e["textbook_ratio"] for e in settled(row) if "textbook_ratio" in e]
    return f"{span(ratios, '.1f')} times as long" if ratios else ""


def others(row: dict[str, str]) -> str:
    """A cell of the table of other methods."""
    case = row["case"]
    if case.startswith("low-rank"):
        (line,) = runs("lowrank_es")
        times = span(list(line["times_as_many_generations"].values()), ".0f")
        share = span([1 / s for s in line["share_of_peak"].values()], ".0f").replace("to ", "to 1/")
        return f"{times} times the generations per second, in 1/{share} of the peak memory"
    if case.startswith("the spiking policy"):
        found = [e["found"] for e in runs("spyx_recipes", case="control")]
        ratios = [span(each(found, members, "ratio"), ".1f") for members in ("64", "1024")]
        return f"{ratios[0]} and {ratios[1]} times the generations per second"
    if case.startswith("a surrogate"):
        ratios = [
            span(each(runs("surrogate_step"), "ratios", name), ".1f")
            for name in ("spyx", "snntorch")
        ]
        return (
            f"{ratios[0]} and {ratios[1]} times the samples per second, at about the same accuracy"
        )
    if case.startswith("a hybrid step on Spyx"):
        own, spyx, fast = over("bionet"), over("spyx"), faster("bionet")
        return (
            f"{own} times its own bulk step (Spyx: {spyx} of its own); {fast} times as fast as Spyx"
        )
    if case.startswith("the same, with"):
        return f"{over('shared')} times its own bulk step; {faster('shared')} times as fast as Spyx"
    kind = "64-96-10 spiking" if "spiking" in case else "784-128-10"
    given, drawn = (
        [LARGE[f"{kind}, K = {k}"]["over"][f"{how} members"] for k in (8, 32)]
        for how in ("given", "drawn")
    )
    return (f"{drawn[0]:.2f} and {drawn[1]:.2f} times where the members are drawn too; {given[0]:.2f} and "
            f"{given[1]:.2f} times where they are given")  # fmt: skip


def over(who: str) -> str:
    """How many bulk steps a hybrid step takes."""
    return listed([HYBRID[k]["over_own_bulk_step"][who] for k in PAIRS])


def faster(who: str) -> str:
    """How many times as fast as Spyx it is."""
    return listed([HYBRID[k]["times_as_fast_as_spyx"][who] for k in PAIRS])


def listed(values: list[float]) -> str:
    """Three numbers in two digits or three."""
    told = [f"{value:.1f}" if value < 10 else f"{value:.0f}" for value in values]
    return f"{', '.join(told[:-1])} and {told[-1]}"


def prose(page: Any) -> None:
    """What stands outside of the tables."""
    growth = runs("growth")
    share = {
        wide: [
            e["bionet"]["memory_mb"] / e["textbook"]["memory_mb"]
            for e in growth
            if (e["hidden"] >= 512) is wide
        ]
        for wide in (True, False)
    }
    page.says(
        "from 512 hidden units on, bionet's program holds {0} % of the textbook's memory with SGD",
        percent(share[True]),
    )
    assert min(share[False]) > 1
    assert (
        max(
            e[who]["memory_mb"]
            for e in growth
            if e["hidden"] < 512
            for who in ("bionet", "textbook")
        )
        < 10
    )
    loops = each(TEXTBOOK[256], "ratios", "python loop")
    page.says("bionet's compiled step is {0} times as fast", span(loops, ".0f"))
    page.says("with {0} pairs it takes {1:.1f} ms, and its bulk step alone {2:.2f}.", 128,
              HYBRID["ms_a_step"]["bionet 128"], HYBRID["ms_a_step"]["bionet 0"])  # fmt: skip
    page.given(
        r"784-H-10|5 \+ 5 steps|it goes above 1|from 512 hidden|less than 10 MB|On 60 batches|on 60 batches",
        "settings",
    )
