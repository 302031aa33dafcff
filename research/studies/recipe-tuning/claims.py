"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from claims import script
from lines import lines_of
from results import read


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol("Protocol", "Run it", "Limits", "The lines")
    run = script(Path(__file__).with_name("run.py"))
    found = run.lines_of(run.RESULTS)
    mean = {
        (id, run.told(id, each.change)): 100 * each.mean
        for id in run.SPACE
        for each in run.search(id, found).tried
    }
    moved = {id: run.told(id, run.search(id, found).chosen) for id in run.SPACE}
    moved = {id: told for id, told in moved.items() if told != "as it is"}
    told = {
        "language-s5": "learning_rate 0.03",
        "speech-rsnn": "slope 10",
        "prototypes-hybrid": "sigma 0.1",
        "classification-hybrid": "lam 0.4",
    }
    assert moved == told | {"classification-rsnn-v2": "slope 5"}
    page.says("a learning rate of {0:g} instead of {1:g}, `speech-rsnn` a slope of {2:g} instead of "
              "{3:g}, `prototypes-hybrid` a sigma of {4:g} instead of {5:g}, `classification-hybrid` "
              "a lam of {6:g} instead of {7:g}",
              *(value for id, what in told.items()
                for value in (float(what.split()[1]), run.SPACE[id][what.split()[0]])))  # fmt: skip
    gains = [mean[id, what] - mean[id, "as it is"] for id, what in told.items()]
    page.says("are {0:.1f}, {1:.1f}, {2:.1f} and {3:.1f} points", *gains)
    page.says("A slope of 2.5 costs `speech-rsnn` {0:.0f} points",
              mean["speech-rsnn", "as it is"] - mean["speech-rsnn", "slope 2.5"])  # fmt: skip
    assert mean["classification-rsnn", "slope 1"] < 40  # of four classes
    page.given(r"A slope of 2\.5|a slope of 1 all|its lam of 0\.2|sigma of 0\.02",
               "values of fields")  # fmt: skip
    page.says("a slope of 5 reaches {0:.1f} % on validation data where the start has {1:.1f}; a slope "
              "of 2.5 leaves {2:.1f} %",
              *(mean["classification-rsnn-v2", what] for what in ("slope 5", "as it is", "slope 2.5")))  # fmt: skip
    page.given("(?:began at|and) a slope of (?:10|5)|a slope of 2\\.5 leaves", "values of fields")
    grammar(page)
    songs(page)


def grammar(page: Any) -> None:
    """The numbers of language_es_v2.py, and of the counts in its evidence."""
    tries = read(Path(__file__).with_name("language-es-v2.jsonl"))
    assert len([line for line in tries if line["seed"] == 100]) == 10

    def at(seed: int, sigma: float, windows: int) -> float:
        (line,) = (
            each
            for each in tries
            if each["seed"] == seed
            and (each["change"]["sigma"], each["change"]["batch_size"]) == (sigma, windows)
            and (each["change"]["learning_rate"], each["change"]["population"]) == (0.05, 128)
        )
        return 100 * line["validation"]

    first, best = at(100, 0.05, 16), at(100, 0.1, 8)
    assert best == max(100 * line["validation"] for line in tries if line["seed"] == 100)
    page.says("a sigma of {0:g} instead of {1:g} and 8 windows instead of {2}: {3:.1f} % instead of {4:.1f} %,",
              0.1, 0.05, 16, best, first)  # fmt: skip
    page.says("the same numbers reach {0:.1f} and {1:.1f} %.", at(101, 0.1, 8), at(102, 0.1, 8))
    counts = [line["baselines"] for line in lines_of("language-es-v2", "grammar")]

    def mean(part: str) -> float:
        values = [v for rules in counts for name, v in rules.items() if part in name]
        return 100 * sum(values) / len(values)

    page.says("a count of four characters does ({0:.1f} % of the test text", mean("four"))
    page.says("the best count of up to {0} ({1:.1f} %)", 16, mean("best count"))


def songs(page: Any) -> None:
    """The numbers of motif_rules.py."""
    rules = script(Path(__file__).with_name("motif_rules.py"))
    right = {
        channels: {
            line["rule"]: 100 * line["validation"]
            for line in rules.told()
            if line["channels"] == channels
        }
        for channels in (80, 40)
    }
    both, alone = right.values()
    assert max(both, key=both.__getitem__) == "100 neighbours, smoothed less, reach 4"
    page.says("One nearest neighbour on the raw raster answers {0:.1f} % right; a hundred on rasters that "
              "are smoothed and shifted, {1:.1f} %,",
              both["nearest neighbour"], max(both.values()))  # fmt: skip

    def best(part: str) -> float:
        return max(value for name, value in both.items() if part in name)

    page.says("Time warping instead of shifts reaches {0:.1f} % (100 samples), ridge on "
              "coincidences of spikes {1:.1f} %, ridge with a kernel on the smoothed raster {2:.1f} %",
              best("warped"), best("coincidences"), best("ridge on smoothed"))  # fmt: skip
    page.says("reads {0:.1f} % by the best of them, still less than the network",
              max(alone.values()))  # fmt: skip
