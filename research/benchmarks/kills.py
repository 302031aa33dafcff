"""Runs that are killed again and again, and the bits that they come to in the end.

    python research/benchmarks/kills.py --kills 100 --at-the-seal 20 --each 20

A small network is trained by `fit` with a checkpoint per epoch, in a process of its own that is
ended by SIGKILL at a random moment and started again, until its share of the kills is used up.
The moments are drawn from the whole of a process, half of them from its epochs alone. Then the
run may finish, and its arrays, its history and its test metrics have to be those of the run
that was never touched. Some of the kills are aimed at the seal, the file that makes a checkpoint
whole: before it, in the middle of its being written, after it, and while an older checkpoint is
being removed. `--start spawn` starts a new interpreter each time, `forkserver` forks one that has
its imports behind it, but not JAX's devices. Prints one line of JSON, and exits with 1 where a run
has come out otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MOMENTS = ("before", "within", "after", "removal")
IMPORTS = ["jax", "numpy", "optax", "equinox", "scipy", "bionet.training", "orbax.checkpoint"]


def train(
    directory: str | None, epochs: int, moment: str | None, saves: int, pipe: Connection
) -> None:
    """One process: goes on with the run, and sends what it comes to.

    Args:
        directory: of the checkpoints; None keeps none.
        epochs: how many in all.
        moment: at which it kills itself; None leaves that to others.
        saves: how many checkpoints it makes before that moment.
        pipe: told "begun", the number of each epoch, and what the run comes to.
    """
    if moment is not None:
        _arm(moment, saves)
    from bionet.training import fit

    problem, method, key = _run()
    began = time.perf_counter()
    pipe.send("begun")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a save that was cut off is what it is about
        result = fit(
            problem, method, epochs=epochs, key=key, checkpoint=directory,
            resume=directory is not None, progress=False,
            callbacks=[lambda event: pipe.send(event.epoch)],
        )  # fmt: skip
    rows = [{name: row[name] for name in row if name != "seconds"} for row in result.history]
    bits = _bits((result.train_state, result.model))
    seconds = time.perf_counter() - began
    pipe.send({"bits": bits, "history": rows, "test": result.test, "seconds": seconds})


def _run() -> tuple[Any, Any, Any]:
    """The problem, the method and the key: a regression with Adam, and an order for each epoch."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from bionet.training import ArrayBatches, Examples, Gradient, Objective, Problem

    x = np.random.default_rng(0).normal(size=(56, 3)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    problem = Problem(
        model=eqx.nn.MLP(3, 1, 8, 1, key=jax.random.key(1)),
        predict=lambda model, x, key: jax.vmap(model)(x),
        loss=lambda outputs, y: jnp.mean((outputs - y) ** 2),
        metric=lambda outputs, y: -jnp.mean((outputs - y) ** 2),
        train=ArrayBatches(Examples(x[:32], y[:32]), 8),
        validation=Examples(x[32:44], y[32:44]),
        test=Examples(x[44:], y[44:]),
        metric_name="fit",
    )
    return problem, Gradient(Objective.of(problem), optax.adam(1e-2)), jax.random.key(2)


def _bits(tree: Any) -> str:
    import equinox as eqx
    import jax
    import numpy as np

    found = hashlib.sha256()
    for leaf in jax.tree.leaves(eqx.filter(tree, eqx.is_array)):
        array = np.asarray(leaf)
        found.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def _arm(moment: str, saves: int) -> None:
    """Lets this process kill itself at a moment of a save."""
    import bionet.training.checkpoints as module

    seal, remove = module.write_json, module._remove
    done = {"seals": 0, "removals": 0}

    def sealed(path: Path, value: Any) -> Any:
        done["seals"] += 1
        if done["seals"] > saves and moment in ("before", "within"):
            if moment == "within":
                text = json.dumps(value)
                path.with_name(f".sha256.{os.getpid()}.json").write_text(text[: len(text) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        written = seal(path, value)
        if done["seals"] > saves and moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    def removed(folder: Path) -> None:
        done["removals"] += 1
        if done["removals"] > saves and moment == "removal":
            half = folder.with_name(f"{folder.name}{module.TEMPORARY}-1")
            folder.rename(half)
            next(path for path in half.rglob("*") if path.is_file()).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        remove(folder)

    module.write_json, module._remove = sealed, removed


class Killed:
    """A run in processes that are killed.

    Args:
        context: how processes are started.
        directory: of the checkpoints; None keeps none.
        epochs: of the run.
    """

    def __init__(self, context: Any, directory: str | None, epochs: int) -> None:
        self.context, self.directory, self.epochs = context, directory, epochs

    def process(self, moment: str | None = None, saves: int = 0, clock: Clock | None = None) -> Any:
        """One process; returns what it came to, or None where it was killed.

        Args:
            moment: at which it kills itself.
            saves: how many checkpoints it makes before that moment.
            clock: when it is killed.
        """
        ours, theirs = self.context.Pipe()
        args = (self.directory, self.epochs, moment, saves, theirs)
        process = self.context.Process(target=train, args=args)
        process.start()
        theirs.close()
        result = _heard(ours, process, clock)
        process.join()
        if process.exitcode not in (0, -signal.SIGKILL) or (result is None) == (
            not process.exitcode
        ):
            raise RuntimeError(f"a process of {self.directory} ended with {process.exitcode}")
        return result


@dataclass(frozen=True)
class Clock:
    """Kills a process some seconds after it has said something: "begun", or its first epoch."""

    after: str
    seconds: float


def _heard(pipe: Connection, process: Any, clock: Clock | None) -> Any:
    """What the process comes to; the clock kills it before."""
    end = None
    while True:
        if not pipe.poll(None if end is None else max(end - time.perf_counter(), 0.0)):
            process.kill()
            return None
        try:
            told = pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        if isinstance(told, dict):
            return told
        if clock is not None and end is None and (told == "begun") == (clock.after == "begun"):
            end = time.perf_counter() + clock.seconds


def measure(
    kills: int, at_the_seal: int, each: int, epochs: int, start: str, seed: int
) -> dict[str, Any]:
    """Kills so often, over as many runs as that takes, and compares each with the untouched one."""
    context, draw = multiprocessing.get_context(start), random.Random(seed)
    if start == "forkserver":
        context.set_forkserver_preload(IMPORTS)
    began = time.perf_counter()
    whole = Killed(context, None, epochs).process()
    wanted: list[str | None] = [MOMENTS[n % len(MOMENTS)] for n in range(at_the_seal)]
    wanted += [None] * (kills - at_the_seal)
    draw.shuffle(wanted)
    came = []
    while wanted:
        with tempfile.TemporaryDirectory() as directory:
            run, result, before = Killed(context, directory, epochs), None, len(wanted)
            while result is None and wanted and before - len(wanted) < each:
                moment = wanted.pop()
                clock = None if moment else _drawn(draw, whole["seconds"])
                result = run.process(moment, draw.randrange(1, 5), clock)
                if result is not None:  # it was over before its kill, which another run takes
                    wanted.insert(0, moment)
            result = run.process() if result is None else result
        came.append(all(result[name] == whole[name] for name in ("bits", "history", "test")))
        print(f"{kills - len(wanted)} kills, runs: {came}", file=sys.stderr, flush=True)
    seconds = round(time.perf_counter() - began, 1)
    return {
        "kills": kills, "at the seal": at_the_seal, "runs": len(came), "same bits": sum(came),
        "epochs": epochs, "start": start, "seed": seed, "seconds": seconds,
    }  # fmt: skip


def _drawn(draw: random.Random, window: float) -> Clock:
    """A moment within the time of a run that keeps no checkpoints, or of half of it."""
    if draw.random() < 0.5:
        return Clock("begun", draw.uniform(0.0, window))
    return Clock("epoch", draw.uniform(0.0, window / 2))


def main() -> int:
    """Runs the benchmark and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--at-the-seal", type=int, default=20)
    parser.add_argument("--each", type=int, default=20, help="the most kills of one run")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--start", choices=("spawn", "forkserver"), default="spawn")
    parser.add_argument("--seed", type=int, default=0)
    found = measure(**vars(parser.parse_args()))
    print(json.dumps(found))
    return 0 if found["same bits"] == found["runs"] else 1


if __name__ == "__main__":
    sys.exit(main())
