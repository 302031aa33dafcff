"""Two small recipes of Spyx against ours: a policy by evolution, and a hybrid training step.

    python research/benchmarks/spyx_recipes.py [control|hybrid|large] --peers FOLDER

`control`: `control-lif-es` of `spyx.experimental.zoo`, 2-8-1 leaky integrate-and-fire units that
push a point mass for 20 steps from 16 starts, Open_ES with Adam; generations per second with 64
and with 1,024 members. `hybrid`: the network of 920 weights of its `classification-rsnn`, a
surrogate gradient with and without the orthogonal correction by K pairs of evaluations; what a
step costs over its own bulk step, and against the other library, on one device and, for ours,
with the evaluations shared by two devices of one core each. `large`: ours alone, on networks
of over 10,000 weights: a hybrid step over a bulk step plus as many plain evaluations under `vmap`.

Both sides run many steps per compiled call, as `lax.scan`. All arms of a case run in one process,
in turns; reported are medians. The environment that holds both libraries is made under FOLDER and
kept; without one, it is made in a scratch folder. A line per case goes to
`results/spyx_recipes.jsonl`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
CASES = ("control", "hybrid", "large")
PAIRS = (8, 32, 128)
POPULATIONS = (64, 1024)
STEPS = 50  # in a compiled call


def environment(folder: Path) -> Path:
    """The interpreter that has Spyx and this package; both are installed if they are not there."""
    python = folder / "both" / "bin" / "python"
    if not (done := folder / "both" / "installed").exists():
        venv.create(folder / "both", with_pip=True)
        fixed = ["-c", str(REPOSITORY / "constraints.txt")]
        wanted = ["spyx", "-e", str(REPOSITORY)]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *fixed, *wanted], check=True)
        done.touch()
    return python


def control(rounds: int) -> dict[str, Any]:
    """Generations per second of both, and the cost that each reaches."""
    import spyx_recipes_arms as arms
    from stopwatch import in_turns, medians

    found: dict[str, Any] = {}
    for population in POPULATIONS:
        runs = {
            "bionet": arms.our_control(population, STEPS),
            "spyx": arms.their_control(population, STEPS),
        }
        costs = {name: [float(run()[at]) for at in (0, -1)] for name, run in runs.items()}
        seconds = medians(in_turns(runs, rounds))
        rates = {name: STEPS / value for name, value in seconds.items()}
        ratio = rates["bionet"] / rates["spyx"]
        found[str(population)] = {"generations_per_second": rates, "ratio": ratio, "costs": costs}
        print(
            f"control, {population} members: ours {rates['bionet']:.0f} generations a second, "
            f"spyx {rates['spyx']:.0f}: {ratio:.2f} times; cost of the first and the last "
            f"generation {costs}"
        )
    return found


def hybrid(rounds: int) -> dict[str, Any]:
    """What the correction costs, in each library."""
    import spyx_recipes_arms as arms
    from stopwatch import in_turns, medians

    from bionet.training import batch_mesh

    model = arms.their_network()
    ours = arms.our_network(model)
    losses = arms.losses(ours, model)
    print(f"loss before training: {losses}")
    if abs(losses["bionet"] - losses["spyx"]) > 1e-3 * losses["spyx"]:
        raise SystemExit("The two networks are not the same.")
    runs: dict[str, Callable[[], Any]] = {}
    for pairs in (0, *PAIRS):
        runs[f"bionet {pairs}"] = arms.our_steps(ours, pairs, STEPS)
        runs[f"spyx {pairs}"] = arms.their_steps(model, pairs, STEPS)
        if pairs:
            runs[f"shared {pairs}"] = arms.our_steps(ours, pairs, STEPS, batch_mesh())
    seconds = medians(in_turns(runs, rounds))
    found: dict[str, Any] = {"ms_a_step": {n: 1e3 * s / STEPS for n, s in seconds.items()}}
    for pairs in PAIRS:
        over = {n: seconds[f"{n} {pairs}"] / seconds[f"{n} 0"] for n in ("bionet", "spyx")}
        over["shared"] = seconds[f"shared {pairs}"] / seconds["bionet 0"]
        faster = {
            n: seconds[f"spyx {pairs}"] / seconds[f"{n} {pairs}"] for n in ("bionet", "shared")
        }
        found[str(pairs)] = {"over_own_bulk_step": over, "times_as_fast_as_spyx": faster}
        print(
            f"hybrid, K = {pairs}: {over['bionet']:.2f} times our bulk step, "
            f"{over['shared']:.2f} on two devices (spyx: {over['spyx']:.2f} of its own); "
            f"{faster['bionet']:.2f} times as fast as spyx, {faster['shared']:.2f} on two devices"
        )
    return found


def large(rounds: int) -> dict[str, Any]:
    """A hybrid step over its parts, for larger networks."""
    import spyx_recipes_arms as arms
    from stopwatch import in_turns, medians

    found: dict[str, Any] = {}
    for name, network in arms.LARGE.items():
        for pairs in PAIRS[:2]:
            weights, runs = network(pairs)
            seconds = medians(in_turns(runs, rounds))
            share = {
                plain: seconds["hybrid"] / (seconds["bulk"] + seconds[plain])
                for plain in ("given members", "drawn members")
            }
            found[f"{name}, K = {pairs}"] = {"weights": weights, "seconds": seconds, "over": share}
            print(
                f"large, {name}, {weights} weights, K = {pairs}: a hybrid step takes "
                f"{share['given members']:.2f} times its bulk step and plain evaluations of "
                f"members that are given, {share['drawn members']:.2f} of members that are drawn"
            )
    return found


def inside(cases: list[str], rounds: int) -> None:
    """Runs the cases and adds a line for each."""
    from stopwatch import record

    versions = {name: importlib.metadata.version(name) for name in ("spyx", "flax", "evosax")}
    for case in cases:
        found = {"control": control, "hybrid": hybrid, "large": large}[case](rounds)
        record("spyx_recipes", {"case": case, "rounds": rounds, "found": found, **versions})


def main() -> None:
    """Goes into the environment that has both, and runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {CASES}; all by default")
    parser.add_argument("--peers", type=Path, help="where the environment is kept")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    cases = given.cases or list(CASES)
    if wrong := sorted(set(cases) - set(CASES)):
        parser.error(f"there is no case {wrong[0]!r}; the cases are {', '.join(CASES)}.")
    if given.inside:
        inside(cases, given.rounds)
        return
    with tempfile.TemporaryDirectory() as scratch:
        python = environment((given.peers or Path(scratch)).resolve())
        for case in cases:
            flags = "--xla_force_host_platform_device_count=2" if case == "hybrid" else ""
            again = [python, __file__, case, "--rounds", str(given.rounds), "--inside"]
            subprocess.run(again, check=True, env=os.environ | {"XLA_FLAGS": flags})


if __name__ == "__main__":
    main()
