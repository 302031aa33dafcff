"""What workers do in the tests of the engines: trials that cost nothing, and go wrong on request.

An arm's name says what it does. Nothing here imports JAX, so a worker starts in no time.
"""

import os
import signal
import time
from pathlib import Path


class NonFiniteError(ArithmeticError):
    """As `fit` raises it."""


def fast(trial):
    """A line whose metric follows from the trial alone."""
    return {
        "study": trial.study,
        "arm": trial.arm,
        "seed": trial.seed,
        "trial": trial.hash,
        "stage": trial.stage,
        **({} if trial.number is None else {"number": trial.number}),
        "config": trial.config,
        "metric": "accuracy",
        "metrics": {"accuracy": int(trial.hash[:6], 16) / 16**6, "loss": 1.0},
        "worker": os.getpid(),
        "cores": sorted(os.sched_getaffinity(0)),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "cache": os.environ.get("JAX_COMPILATION_CACHE_DIR"),
    }


def troubled(trial):
    """Like `fast`, but for arms and seeds that go wrong."""
    if trial.arm == "fails" and trial.seed == 1:
        raise ValueError("seed 1 is no good.\n\nMore about it.")
    if trial.arm == "nan":
        return fast(trial) | {"metrics": {"accuracy": float("nan"), "loss": float("inf")}}
    if trial.arm == "diverges":
        raise NonFiniteError("Edge (1, 0) holds a NaN.")
    if trial.arm == "dies" or (trial.arm == "dies-once" and first_time(trial)):
        print("these are my last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return fast(trial)


def first_time(trial):
    """Whether no worker has tried this trial before."""
    try:
        Path(os.environ["STUDY_WORK"], trial.hash).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def logged(trial):
    """Like `fast`, takes a few milliseconds, and leaves a mark each time it is begun."""
    with Path(os.environ["STUDY_WORK"], "begun").open("a") as file:
        file.write(f"{trial.hash}\n")
    time.sleep(0.004)
    return fast(trial)


def waiting(trial):
    """Never ends by itself."""
    Path(os.environ["STUDY_WORK"], "waiting").write_text(str(os.getpid()))
    time.sleep(60)
    return fast(trial)
