"""Where do the networks of the study come to rest, and what do they answer there?

    python research/studies/dynamics-ablation/settling.py prototypes
    python research/studies/dynamics-ablation/settling.py digits
    python research/studies/dynamics-ablation/settling.py prototypes --table

A line of a study has accuracy and loss, and nothing on settling. This trains each trial of the
study beside it once more, with the same keys and therefore to the same weights, and watches the
test samples settle: up to `CAP` steps, in three phases. "free" begins with the input alone and is
how the network answers; "clamped" has the label, after the recipe's warm-up; "released" goes on
without the label from where the recipe's clamped phase ends. A line is appended to settling.jsonl
beside the study when an arm's seeds are done; trials that have a line are skipped. `--table` prints
what is there, and says whether the accuracies are those of results.jsonl.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from bionet import fit, settle
from bionet.orchestrators.messages import clamped_messages
from bionet.studies.design.configuration import check, final_trials
from bionet.studies.design.loading import StudyFile, load_study
from bionet.studies.design.trial import Trial
from bionet.studies.report.statistics import mean
from bionet.studies.run.meters import surroundings
from bionet.studies.run.provenance import commit
from bionet.studies.run.store import Lines, read_results
from bionet.studies.run.worker import own_cores, share
from bionet.zoo.setup import Setup

HERE = Path(__file__).parent
CAP = 50
"""The most steps that a test sample is given; one that has not come to rest counts with so many."""
METHODS: dict[tuple[int, int], Any] = {}


def line(trial: Trial) -> dict[str, Any]:
    """Trains one network, and watches it before and after."""
    recipe = Setup.from_dict(trial.config).build()
    recipe = recipe.replace(epochs=int(trial.config["budget"]["amount"]))
    problem = recipe.problem(trial.seed)
    test, steps = problem.test, (recipe.config.clamped, recipe.config.free)
    # Of the fields that arms change, a method reads these two alone. One object compiles once.
    method = METHODS.setdefault(steps, recipe.build_method())
    found = fit(
        dataclasses.replace(problem, validation=None, test=None),
        method,
        epochs=recipe.config.epochs,
        key=jax.random.split(jax.random.key(trial.seed))[1],  # as Recipe.fit does
        progress=False,
    )
    last = found.history[-1]
    return {
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "trial": trial.hash,
        "stage": "settling",
        "cap": CAP,
        "inputs": len(test),
        "metrics": phases(recipe, found.model, test),
        "untrained": phases(recipe, problem.model, test),
        "training": {name: last[name] for name in last if name.endswith(("_settled", "_steps"))},
        **surroundings(),
    }


def phases(recipe: Any, network: Any, test: Any) -> dict[str, dict[str, float]]:
    """What `watched` finds in the three phases."""
    config = recipe.config
    bare, labelled = recipe.state().init(test.x), recipe.state().init(test.x, test.y)
    warmup = getattr(config, "warmup", 0)
    labelled, _ = settle(network, labelled, max_steps=warmup, phase="free")
    found = {}
    found["free"], _ = watched(network, bare, test.y, "forward", jnp.asarray(config.free))
    found["clamped"], end = watched(network, labelled, test.y, "all", jnp.asarray(config.clamped))
    released = labelled.replace(1, end)
    found["released"], _ = watched(network, released, test.y, "forward", jnp.asarray(config.free))
    return {
        phase: {name: round(float(value), 6) for name, value in each.items()}
        for phase, each in found.items()
    }


@eqx.filter_jit
def watched(
    network: Any, state: Any, y: Array, senders: str, steps: Array
) -> tuple[dict[str, Array], Array]:
    """Settles for `CAP` steps, and looks at the hidden units after `steps` of them and at the end.

    Returns:
        `at_rest`, the share of samples whose state after `steps` steps is a fixed point, and
        `at_rest_cap`, after `CAP`; `steps`, the mean number until nothing changes, the step that
        finds it included; `flipping` and `flipping_cap`, the share of units that one more step
        would change; `pairs_cap`, the share of samples that come back every second step;
        `spread`, the variance of a unit's state over samples, which is zero where all samples
        have come to the same state; `accuracy` and `accuracy_cap`. Then the hidden units after
        `steps` steps.
    """
    step = network.stepper(senders, clamped_messages(network.lmap, state, senders))
    times = jnp.stack([steps, jnp.asarray(CAP - 1), jnp.asarray(CAP)])

    def body(carry: tuple[Array, Array], number: Array) -> tuple[tuple[Array, Array], Array]:
        old, kept = carry
        new = step(state.replace(1, old), None)[0][1]
        kept = jnp.where((times == number)[:, None, None], old, kept)
        return (new, kept), (new != old).mean(-1)

    start = (state[1], jnp.stack([state[1]] * 3))
    (after, (at, before, end)), moved = jax.lax.scan(body, start, jnp.arange(CAP + 1))

    def accuracy(hidden: Array) -> Array:
        answer = network.predict(state.replace(1, hidden), check=False)[0].readout
        return (answer.argmax(-1) == y.argmax(-1)).mean()

    still = moved[:CAP] == 0
    found = {
        "at_rest": (moved[steps] == 0).mean(),
        "at_rest_cap": (moved[CAP] == 0).mean(),
        "steps": jnp.where(still.any(0), still.argmax(0) + 1, CAP).mean(),
        "flipping": moved[steps].mean(),
        "flipping_cap": moved[CAP].mean(),
        "pairs_cap": ((moved[CAP] > 0) & (after == before).all(-1)).mean(),
        "spread": at.var(0).mean(),
        "accuracy": accuracy(at),
        "accuracy_cap": accuracy(end),
    }
    return found, at


def lines(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """The lines of an arm's seeds, which share what is compiled."""
    return [line(trial) for trial in trials]


def keep_to(places: Any, jobs: int) -> None:
    """Gives a worker its cores before JAX looks for them, as the study's own workers have them."""
    os.sched_setaffinity(0, share(own_cores(), next_of(places), jobs))


def next_of(places: Any) -> int:
    """The number of workers that have begun before this one."""
    with places.get_lock():
        places.value += 1
        return places.value - 1


def run(file: StudyFile, jobs: int) -> None:
    """Runs what has no line yet."""
    study, told = file.study, commit(file.directory)
    check(study)
    context = multiprocessing.get_context("spawn")
    with Lines(file.directory / "settling.jsonl") as out:
        done = {each["trial"] for each in kept(file)}
        arms = [
            [trial for trial in final_trials(study, name) if trial.hash not in done]
            for name, arm in study.arms.items()
            if not arm.control
        ]
        places = context.Value("i", 0)
        with ProcessPoolExecutor(jobs, context, keep_to, (places, jobs)) as workers:
            waiting = [workers.submit(lines, trials) for trials in arms if trials]
            for each in itertools.chain.from_iterable(f.result() for f in as_completed(waiting)):
                out.append(each | {"commit": told})
                free = each["metrics"]["free"]
                print(each["arm"], each["seed"], free["accuracy"], free["at_rest"], flush=True)


def kept(file: StudyFile) -> list[dict[str, Any]]:
    """The lines that are there for the study as it is now."""
    now = {trial.hash for name in file.study.arms for trial in final_trials(file.study, name)}
    read = read_results(file.directory / "settling.jsonl", file.study.name)
    if read.corrupted:
        print(read.told())
    return [each for each in read.lines if each["trial"] in now and each["cap"] == CAP]


COLUMNS = (
    ("accuracy", "free", "accuracy", 100),
    (f"after {CAP} steps", "free", "accuracy_cap", 100),
    ("at rest", "free", "at_rest", 100),
    (f"within {CAP}", "free", "at_rest_cap", 100),
    ("steps", "free", "steps", 1),
    ("flipping", "free", "flipping", 100),
    ("spread", "free", "spread", 100),
    ("with label: at rest", "clamped", "at_rest", 100),
    ("steps", "clamped", "steps", 1),
    ("accuracy", "clamped", "accuracy", 100),
    ("released: at rest", "released", "at_rest", 100),
    ("accuracy", "released", "accuracy", 100),
)


def table(file: StudyFile) -> str:
    """A row per arm: means over the seeds, the first with its 95 % interval."""
    found = kept(file)
    rows = ["| arm | " + " | ".join(title for title, *_ in COLUMNS) + " |"]
    rows.append("|---" * (len(COLUMNS) + 1) + "|")
    for arm in file.study.arms:
        mine = [each["metrics"] for each in found if each["arm"] == arm]
        if len(mine) > 1:
            cells = [
                told([scale * each[phase][name] for each in mine], first=number == 0)
                for number, (_, phase, name, scale) in enumerate(COLUMNS)
            ]
            rows.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join([*rows, "", agreement(file, found)])


def told(values: list[float], first: bool) -> str:
    """The mean, and its interval where it is the first."""
    each = mean(values)
    return f"{each.value:.1f}" + (f" [{each.low:.1f}, {each.high:.1f}]" if first else "")


def agreement(file: StudyFile, found: list[dict[str, Any]]) -> str:
    """Whether these are the networks of the study, by their accuracies."""
    there = {
        each["trial"]: each["metrics"]["accuracy"]
        for each in read_results(file.results, file.study.name).lines
    }
    apart = [
        abs(there[each["trial"]] - each["metrics"]["free"]["accuracy"])
        for each in found
        if each["trial"] in there
    ]
    same = sum(difference < 1e-5 for difference in apart)
    worst = f"; the largest difference is {max(apart):.4f}" if same < len(apart) else ""
    return f"{same} of {len(apart)} networks answer as in results.jsonl{worst}."


def main() -> None:
    """Runs what has no line yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", help="prototypes or digits: a directory beside this file")
    parser.add_argument("--jobs", type=int, default=2, help="networks at a time")
    parser.add_argument("--table", action="store_true", help="print what is there")
    options = parser.parse_args()
    file = load_study(HERE / options.part)
    if not options.table:
        run(file, options.jobs)
    print(table(file))


if __name__ == "__main__":
    main()
