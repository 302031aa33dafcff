"""A surrogate-gradient training step of a recurrent spiking network, against Spyx and snnTorch.

    python research/benchmarks/surrogate_step.py --peers FOLDER

128-128-10 recurrent leaky integrate-and-fire units, 100 time steps, batch 128, superspike with
slope 25, Adam. All arms have the same weights to begin with, the same dynamics, the same data and
the same loss, see `surrogate_step_arms.py`. Before anything is timed they are held against each
other: the loss on held-out examples must be the same before training, and the accuracy after it
(spikes make training chaotic, so that rounding alone moves an accuracy by a per cent or two). Where
Spyx and snnTorch differ (gradient through the reset; a step of delay) ours is timed twice, once as
each of them.

The peers are installed into environments of their own under FOLDER, which is kept; without one, a
folder is made and thrown away. Each arm runs in a process of its own, in turns; reported are
samples per second by the medians of the turns, and their ratios. A line goes to
`results/surrogate_step.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from stopwatch import record
from surrogate_step_arms import ARMS, BATCH, BATCHES

ARMS_FILE = Path(__file__).with_name("surrogate_step_arms.py")
PEERS = {"bionet": (), "spyx": ("spyx",), "snntorch": ("torch", "numpy", "snntorch")}


class Process:
    """An arm in its own process, which answers line by line."""

    def __init__(self, python: Path, arm: str) -> None:
        self.process = subprocess.Popen(
            [python, ARMS_FILE, arm], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer("ready")

    def ask(self, what: str) -> dict[str, float]:
        """Sends a line and waits for the answer."""
        print(what, file=self.process.stdin, flush=True)
        return json.loads(self._answer("{"))

    def _answer(self, begin: str) -> str:
        for line in self.process.stdout or ():
            if line.startswith(begin):
                return line
        raise SystemExit(f"{self.process.args} ended with {self.process.wait()}.")

    def stop(self) -> None:
        """Ends the process."""
        self.process.terminate()
        self.process.wait()


def environments(folder: Path, torch: str) -> dict[str, Path]:
    """The interpreter for each library; makes what is not there yet."""
    found = {"bionet": Path(sys.executable)}
    for name, packages in PEERS.items():
        if not packages:
            continue
        found[name] = folder / name / "bin" / "python"
        done = folder / name / "installed"
        if done.exists():
            continue
        venv.create(folder / name, with_pip=True)
        wanted = [torch if package == "torch" else package for package in packages]
        subprocess.run([found[name], "-m", "pip", "install", "--quiet", *wanted], check=True)
        done.touch()
    return found


def versions(pythons: dict[str, Path]) -> dict[str, str]:
    """What was compared."""
    ask = "import importlib.metadata as m, sys; print(*[m.version(p) for p in sys.argv[1:]])"
    told: dict[str, str] = {}
    for name, packages in (("spyx", ("spyx", "jax")), ("snntorch", ("snntorch", "torch"))):
        answer = subprocess.run(
            [pythons[name], "-c", ask, *packages], capture_output=True, text=True, check=True
        )
        found = zip(packages, answer.stdout.split(), strict=True)
        told |= {f"{name}'s {package}": version for package, version in found}
    return told


def checked(arms: dict[str, Process], passes: int) -> dict[str, list[dict[str, float]]]:
    """Loss and accuracy of each arm before and after training.

    Stops if those of one library and of ours in its likeness do not agree.
    """
    told = {name: [arm.ask("judge")] for name, arm in arms.items()}
    for name, arm in arms.items():
        for _ in range(passes):
            arm.ask("pass")
        told[name].append(arm.ask("judge"))
        print(f"{name}: {told[name]}")
    for like in ("spyx", "snntorch"):
        for key, when, most in (("loss", 0, 2e-3), ("accuracy", 1, 0.03)):
            values = [judged[when][key] for name, judged in told.items() if like in name]
            if max(values) - min(values) > most:
                raise SystemExit(f"The arms are not the same network: {like}, {key} {values}.")
    return told


def main() -> None:
    """Installs, checks, times and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="where the peers' environments are kept")
    parser.add_argument("--torch", default="torch", help="PyTorch, as pip is to be asked for it")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--passes", type=int, default=8, help="over the batches, for the check")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.peers or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        pythons = environments(folder, given.torch)
        arms: dict[str, Process] = {}
        try:
            for name in ARMS:
                library = name.split(",")[0]
                arms[name] = Process(pythons[library], name)
            agreement = checked(arms, given.passes)
            seconds: dict[str, list[float]] = {name: [] for name in arms}
            for _ in range(given.rounds):
                for name, arm in arms.items():
                    seconds[name].append(arm.ask("pass")["seconds"])
        finally:
            for arm in arms.values():
                arm.stop()
        report(seconds, agreement, versions(pythons))


def report(
    seconds: dict[str, list[float]], agreement: dict[str, Any], versions: dict[str, str]
) -> None:
    """Prints and records samples per second, and how ours compares."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = {}
    for name in medians:
        if not name.startswith("bionet"):
            ours = f"bionet, as {name.split(',')[0]}"
            ratios[name] = medians[name] / medians[ours]
    row: dict[str, Any] = {"case": "surrogate step", "rounds": len(seconds["spyx"])}
    row |= {"ms_a_step": {name: 1e3 * value / BATCHES for name, value in medians.items()}}
    row |= {
        "samples_per_second": {name: BATCH * BATCHES / value for name, value in medians.items()}
    }
    row |= {"ratios": ratios, "before_and_after": agreement, "versions": versions}
    record("surrogate_step", row)
    for name, value in row["samples_per_second"].items():
        beside = (
            f", {1 / ratios[name]:.2f} of ours; ours {ratios[name]:.2f}" if name in ratios else ""
        )
        print(f"{name}: {value:.0f} samples a second{beside}")


if __name__ == "__main__":
    main()
