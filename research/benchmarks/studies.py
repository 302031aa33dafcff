"""What a study costs beside its trials: two jobs against one, and overhead against a fit by hand.

    python research/benchmarks/studies.py [speed|overhead|whole] [--trials N] [--seconds S]
                                           [--rounds N]

`speed` runs a study of 24 trials of about one second with one job and with two. `overhead` is what
a trial of about ten seconds costs in a study beside what it costs by hand: the work of a study
against a call of `fit` in one warm process, and what the engine adds to a trial that does nothing,
with its pipe and the line on the disk. `whole` is the same study as a command against a script that
does the fits, from start to end: it holds the second process that a study starts, which few trials
feel the most. The two sides take turns, and what is told is the median of the rounds' ratios, with
the lowest and the highest. Run it on a machine that does nothing else.
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
from typing import Any

import jax

from bionet import fit, zoo
from bionet.studies import read_results, run_study
from bionet.studies.design.configuration import final_trials
from bionet.studies.design.loading import load_study
from bionet.studies.design.trial import Trial
from bionet.studies.run.measure import measure_trial

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
    bionet.fit(recipe.problem(seed), recipe.build_method(), epochs=epochs, key=key, progress=False)
"""
MANY, FEW = 220, 20


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
    return timed(["-m", "bionet", "study", "run", ".", "--jobs", str(jobs)], directory)


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
    """A trial against a fit by hand, and what the engine adds to it."""
    epochs = epochs_for(seconds, directory)
    recipe = zoo.get(RECIPE).replace(epochs=epochs)
    (directory / "study.py").write_text(STUDY.format(recipe=RECIPE, trials=trials, epochs=epochs))
    configured = final_trials(load_study(directory).study, "local")

    def by_hand(seed: int) -> float:
        began, key = time.perf_counter(), jax.random.split(jax.random.key(seed))[1]
        fit(recipe.problem(seed), recipe.build_method(), epochs=epochs, key=key, progress=False)
        return time.perf_counter() - began

    def measured_trial(seed: int) -> float:
        began = time.perf_counter()
        measure_trial(configured[seed])
        return time.perf_counter() - began

    pairs = []
    for turn in range(trials * rounds + 1):
        seed = turn % trials
        if turn % 2:
            pairs.append((measured_trial(seed), by_hand(seed)))
        else:
            pairs.append((by_hand(seed), measured_trial(seed))[::-1])
    ratios = [one / other for one, other in pairs[1:]]  # the first compiles
    low, middle, high = (f"{each(ratios) - 1:+.1%}" for each in (min, median, max))
    by_itself = median(other for _, other in pairs[1:])
    print(f"{len(ratios)} trials of {by_itself:.1f} s by hand: in a study {middle} ({low} to "
          f"{high}), and {1000 * engine(directory):.0f} ms for the engine")  # fmt: skip


def whole(directory: Path, trials: int, seconds: float, rounds: int) -> None:
    """A study as a command against a script."""
    epochs = epochs_for(seconds, directory)
    words = ["-c", BY_HAND.format(recipe=RECIPE), str(trials), str(epochs)]
    timed(words, directory)  # compiles with as many cores as a job has
    as_study, by_hand, ratios = turns(lambda: study(directory, trials, epochs, 1),
                                      lambda: timed(words, directory), rounds)  # fmt: skip
    low, middle, high = (f"{ratio - 1:+.1%}" for ratio in ratios)
    print(f"{trials} trials of about {seconds:g} s, {rounds} rounds: a script {by_hand:.1f} s, a "
          f"study {as_study:.1f} s, {middle} ({low} to {high})")  # fmt: skip


def engine(directory: Path) -> float:
    """Seconds that the local engine adds to a trial, whatever it does."""

    def run(trials: int) -> float:
        (directory / "study.py").write_text(STUDY.format(recipe=RECIPE, trials=trials, epochs=1))
        (directory / "results.jsonl").unlink(missing_ok=True)
        began = time.perf_counter()
        run_study(directory, jobs=1, work="studies:nothing")
        return time.perf_counter() - began

    run(FEW)
    return (run(MANY) - run(FEW)) / (MANY - FEW)


def nothing(trial: Trial) -> dict[str, Any]:
    """The line of a trial that was not run, as long as a real one."""
    line = {"study": trial.study, "arm": trial.arm, "seed": trial.seed, "trial": trial.hash}
    curve = [{"epoch": 1, "accuracy": 0.123456, "loss": 0.123456}] * 50
    told = {"metric": "accuracy", "metrics": {"accuracy": 0.5}, "curve": curve}
    return line | {"stage": trial.stage, "config": trial.config} | told


def turns(
    one: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[float, float, tuple[float, float, float]]:
    """The medians of both, and the lowest, median and highest of one over the other."""
    pairs = [(one(), other()) for _ in range(rounds)]
    ratios = [first / second for first, second in pairs]
    ones, others = zip(*pairs, strict=True)
    return median(ones), median(others), (min(ratios), median(ratios), max(ratios))


MEASURES = (("speed", speed, 24, 1), ("overhead", overhead, 6, 10), ("whole", whole, 6, 10))


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description="Measures what a study costs.")
    parser.add_argument("what", nargs="?", choices=[name for name, *_ in MEASURES])
    parser.add_argument("--trials", type=int, help="how many (24 for speed, else 6)")
    parser.add_argument("--rounds", type=int, default=3, help="how often both sides run (3)")
    parser.add_argument("--seconds", type=float, help="of a trial (1 for speed, else 10)")
    options = parser.parse_args()
    for name, measure, trials, seconds in MEASURES:
        if options.what in (None, name):
            with tempfile.TemporaryDirectory() as directory:
                amounts = options.trials or trials, options.seconds or seconds
                measure(Path(directory), *amounts, options.rounds)


if __name__ == "__main__":
    main()
