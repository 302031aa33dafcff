"""What does it cost a network to hear of everything late?

    python research/studies/async-delays/run.py            about fifteen minutes on two cores
    python research/studies/async-delays/run.py --table

The recipe `prototypes-async-local` at seven delays, five seeds: each message travels for so long
on average, with a standard deviation of a quarter of that, and each phase lasts half a second.
Each network is tested at the delay at which it learned. The network that learned without any
delay is also tested at all of them. `prototypes-local` stands beside them: the same network with
one clock. Test samples are looked at once, after the last epoch. A line is appended to
results.jsonl beside this file when a run is finished; runs that have a line are skipped.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bionet import zoo

sys.path.insert(0, str(Path(__file__).parents[2] / "evidence"))
from lines import config_hash, interval

RESULTS = Path(__file__).with_name("results.jsonl")
DELAYS = (0.0, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4)
SEEDS = 5


def runs() -> list[tuple[str, Any, int]]:
    """(arm, recipe, seed)."""
    timed: Any = zoo.get("prototypes-async-local")
    arms = [("one clock", zoo.get("prototypes-local"))]
    arms += [(f"{1000 * delay:g} ms", timed.replace(delay=delay)) for delay in DELAYS]
    return [(arm, recipe, seed) for seed in range(SEEDS) for arm, recipe in arms]


def line(arm: str, recipe: Any, seed: int) -> dict[str, Any]:
    """Trains and tests one network."""
    result = recipe.fit(seed=seed, progress=False)
    found = {
        "arm": arm,
        "seed": seed,
        "config_hash": config_hash(recipe),
        **({"control_revision": n} if (n := recipe.revision("control")) > 1 else {}),
        "test": result.metrics["accuracy"],
        "control": result.control.metrics["accuracy"],
        "seconds": round(result.seconds, 1),
        "history": result.history,
    }
    if arm == "0 ms":
        found["elsewhere"] = elsewhere(recipe, result.model, seed)
    names = ("bionet", "jax", "equinox", "optax")
    found["versions"] = {name: version(name) for name in names}
    return found | {"python": platform.python_version(), "device": str(jax.devices()[0])}


def elsewhere(recipe: Any, model: Any, seed: int) -> dict[str, float]:
    """The accuracy of a network at all delays."""
    test = recipe.problem(seed).test
    found = {}
    for delay in DELAYS:
        predict = jax.jit(recipe.replace(delay=delay).objective.predict.__call__)
        answers = predict(model, test.x, jax.random.key(seed))
        found[f"{1000 * delay:g} ms"] = float(recipe.workload.metric(answers, test.y))
    return found


def lines() -> list[dict[str, Any]]:
    """The finished runs."""
    if not RESULTS.exists():
        return []
    return [json.loads(each) for each in RESULTS.read_text("utf-8").splitlines() if each]


def table() -> str:
    """A row per arm: means over the seeds in per cent, with 95 % intervals."""
    found = lines()
    rows = ["| messages travel | learned and tested | learned without delays | frozen control |"]
    rows.append("|---|---|---|---|")
    for arm in dict.fromkeys(each["arm"] for each in found):
        mine = [each for each in found if each["arm"] == arm]
        other = [each["elsewhere"][arm] for each in found if arm in each.get("elsewhere", {})]
        cells = [told([each["test"] for each in mine]), told(other)]
        rows.append(f"| {arm} | {' | '.join(cells)} | {told([e['control'] for e in mine])} |")
    return "\n".join(rows)


def told(values: list[float]) -> str:
    """The mean and its interval."""
    if not values:
        return ""
    low, high = interval(values)
    return f"{100 * np.mean(values):.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Runs what has no line yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="print what is there")
    if not parser.parse_args().table:
        done = {(each["arm"], each["seed"], each["config_hash"]) for each in lines()}
        for arm, recipe, seed in runs():
            if (arm, seed, config_hash(recipe)) not in done:
                found = line(arm, recipe, seed)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
                print(arm, seed, found["test"], f"{found['seconds']} s", flush=True)
    print(table())


if __name__ == "__main__":
    main()
