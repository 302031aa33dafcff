"""Messages between the process that leads a study and its workers.

A `WorkerSetup` says once what a worker needs: the study file, which may register recipes, the
cores that it may use, and what to do with a trial. A `TrialRunner` is the worker's side, the same
for local processes and for Ray: it answers each trial with an `Answer`. Nothing here imports JAX
before the cores are chosen, since JAX looks at them once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from bionet._core.compile_cache import cache_settings

if TYPE_CHECKING:
    from bionet.studies.design.trial import Trial

MEASURE = "bionet.studies.run.measure:measure_trial"
"""What a worker does with a trial, as "module:attribute"."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@final
@dataclass(frozen=True)
class WorkerSetup:
    """The setup of a worker, sent once.

    Attributes:
        text: the source of the study file; empty for a study without one.
        name: where that file was, for the messages.
        work: what to do with a trial, as "module:attribute".
        plugins: name and text of the method files that the study needs.
        platforms: what JAX_PLATFORMS is to say there; None leaves it as it is here.
    """

    text: str = ""
    name: str = ""
    work: str = MEASURE
    plugins: tuple[tuple[str, str], ...] = ()
    platforms: str | None = None

    def environment(self, cores: int) -> dict[str, str]:
        """The environment variables of a worker with so many cores."""
        chosen = environment() | threads(cores)
        return chosen if self.platforms is None else chosen | {"JAX_PLATFORMS": self.platforms}


@final
@dataclass(frozen=True)
class Answer:
    """The answer of a worker to a trial.

    Attributes:
        trial: the trial.
        line: its line, where it was finished.
        error: the type of what went wrong, with its message and traceback, where it was not.
        diverged: whether that was weights or losses that are no numbers, and no fault.
        died: whether the worker was lost with it.
    """

    trial: Trial
    line: dict[str, Any] | None = None
    error: Mapping[str, str] = field(default_factory=dict)
    diverged: bool = False
    died: bool = False


@final
class TrialRunner:
    """The trials of one worker, in its process.

    Args:
        setup: what to do.
        cores: the cores that this process keeps to; empty for any.
    """

    def __init__(self, setup: WorkerSetup, cores: Sequence[int] = ()) -> None:
        keep_to(cores)
        self._setup = setup
        self._work: Callable[[Trial], dict[str, Any]] | None = None

    def answer(self, trial: Trial) -> Answer:
        """Does a trial; whatever goes wrong is an answer too."""
        try:
            if self._work is None:
                self._work = open_trials(self._setup)
            return Answer(trial, self._work(trial))
        except BaseException as error:  # the other trials go on
            told = {
                "type": type(error).__name__,
                "message": str(error),
                "traceback": traceback.format_exc(),
            }
            return Answer(trial, error=told, diverged=type(error).__name__ == "NonFiniteError")


def open_trials(setup: WorkerSetup) -> Callable[[Trial], dict[str, Any]]:
    """Runs the study file, and returns what is done with a trial."""
    for name, text in setup.plugins:
        from bionet.training.plugins import run_plugin

        run_plugin(text, name)
    if setup.text:
        from bionet.studies.design.loading import run_source

        run_source(setup.text, setup.name)
    module, _, attribute = setup.work.partition(":")
    return getattr(importlib.import_module(module), attribute)


def keep_to(cores: Sequence[int]) -> None:
    """Pins this process to cores, where the system can; its libraries get as many threads."""
    if not cores:
        return
    os.environ |= threads(len(cores))
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, cores)


def threads(count: int) -> dict[str, str]:
    """The environment variables for so many threads."""
    return dict.fromkeys(THREADS, str(max(count, 1)))


def own_cores() -> list[int]:
    """The cores that this process may use."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:
        return list(range(os.cpu_count() or 1))


def share(cores: Sequence[int], number: int, of: int) -> list[int]:
    """The part of the cores that falls to one of several workers; never none.

    Example:
        >>> share([0, 1, 2, 3], 1, of=2), share([0, 1], 2, of=3)
        ([2, 3], [0])
    """
    if of > len(cores):
        return [cores[number % len(cores)]]
    return list(cores[number * len(cores) // of : (number + 1) * len(cores) // of])


def environment() -> dict[str, str]:
    """Settings of JAX that all workers share, where the user has not chosen others.

    What one of them compiles the others read from the disk. Memory of an accelerator is taken as
    it is needed, since several workers may use one.
    """
    preallocate = "XLA_PYTHON_CLIENT_PREALLOCATE"
    return {**cache_settings(), preallocate: os.environ.get(preallocate, "false")}
