"""What a study costs beside its trials: two jobs against one, and overhead against a fit by hand.

    python research/benchmarks/studies.py [speed|overhead] [--trials N] [--seconds S] [--rounds N]

`speed` runs a study of 24 trials of about one second with one job and with two. `overhead` runs
trials of about ten seconds as a study with one job, and the same seeds by hand in one process that
calls `fit`: start, imports and compiling included on both sides, with a warm compile cache. The two
sides take turns, and what is told is the median of the rounds' ratios, with the lowest and the
highest. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bionet.studies import read_results

RECIPE = "prototypes-local"
STUDY = """
from bionet.studies import Arm, Budget, Study

STUDY = Study("benchmark", "What does a study cost?", {{"local": Arm("{recipe}")}},
              range({trials}), Budget({epochs}))
"""
BY_HAND = """
import sys
import jax
import bionet
from bionet import zoo
trials, epochs = map(int, sys.argv[1:])
recipe = zoo.get("{recipe}").replace(epochs=epochs)
for seed in range(trials):
    key = jax.random.split(jax.random.key(seed))[1]
    bionet.fit(recipe.problem(seed), recipe.method(), epochs=epochs, key=key, progress=False)
"""


def timed(words: list[str], directory: Path) -> float:
    """Seconds of a process of this interpreter."""
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(directory / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=directory, env=os.environ | cache, check=True)
    return time.perf_counter() - began


def study(directory: Path, trials: int, epochs: int, jobs: int) -> float:
    """Seconds of a study that begins anew."""
    (directory / "study.py").write_text(STUDY.format(recipe=RECIPE, trials=trials, epochs=epochs))
    (directory / "results.jsonl").unlink(missing_ok=True)
    return timed(["-m", "bionet.cli", "study", "run", ".", "--jobs", str(jobs)], directory)


def epochs_for(seconds: float, directory: Path) -> int:
    """How many epochs take so long, by the seconds of run in a warm trial with one job."""
    probe = 20
    study(directory, 2, probe, 1)
    last = read_results(directory / "results.jsonl").lines[-1]
    return max(round(seconds / last["seconds"]["run"] * probe), 1)


def speed(directory: Path, trials: int, seconds: float, rounds: int) -> None:
    """One job against two."""
    epochs = epochs_for(seconds, directory)
    one, two, ratios = turns(lambda: study(directory, trials, epochs, 1),
                             lambda: study(directory, trials, epochs, 2), rounds)  # fmt: skip
    low, middle, high = (f"{ratio:.2f}" for ratio in ratios)
    print(f"{trials} trials of about {seconds:g} s, {rounds} rounds: one job {one:.1f} s, two "
          f"{two:.1f} s, {middle} times as fast ({low} to {high})")  # fmt: skip


def overhead(directory: Path, trials: int, seconds: float, rounds: int) -> None:
    """A study against a fit by hand."""
    epochs = epochs_for(seconds, directory)
    words = ["-c", BY_HAND.format(recipe=RECIPE), str(trials), str(epochs)]
    timed(words, directory)  # compiles with as many cores as a job has
    as_study, by_hand, ratios = turns(lambda: study(directory, trials, epochs, 1),
                                      lambda: timed(words, directory), rounds)  # fmt: skip
    low, middle, high = (f"{ratio - 1:+.1%}" for ratio in ratios)
    print(f"{trials} trials of about {seconds:g} s, {rounds} rounds: by hand {by_hand:.1f} s, as a "
          f"study {as_study:.1f} s, overhead {middle} ({low} to {high})")  # fmt: skip


def turns(
    one: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[float, float, tuple[float, float, float]]:
    """The medians of both, and the lowest, median and highest of one over the other."""
    pairs = [(one(), other()) for _ in range(rounds)]
    ratios = [first / second for first, second in pairs]
    ones, others = zip(*pairs, strict=True)
    return median(ones), median(others), (min(ratios), median(ratios), max(ratios))


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description="Measures what a study costs.")
    parser.add_argument("what", nargs="?", choices=("speed", "overhead"))
    parser.add_argument("--trials", type=int, help="how many (24, and 6)")
    parser.add_argument("--rounds", type=int, default=3, help="how often both sides run (3)")
    parser.add_argument("--seconds", type=float, help="of a trial (1, and 10)")
    options = parser.parse_args()
    for name, measure, trials, seconds in (("speed", speed, 24, 1), ("overhead", overhead, 6, 10)):
        if options.what in (None, name):
            with tempfile.TemporaryDirectory() as directory:
                amounts = options.trials or trials, options.seconds or seconds
                measure(Path(directory), *amounts, options.rounds)


if __name__ == "__main__":
    main()
