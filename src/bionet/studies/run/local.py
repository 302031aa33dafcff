"""The local engine: processes of this machine, each with its share of the cores.

A worker is a new interpreter, started once and kept for many trials, so that it inherits nothing
from this process and JAX finds the cores that are its own. It gets its trials through a pipe. A
thread of it waits on the pipe: when this process is gone, however that came, it ends at once.
What a worker prints goes to a file without a name, of which the end is told when it dies.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import IO, TYPE_CHECKING, Any, final

from bionet.studies.run.worker import Answer, TrialRunner, WorkerSetup, own_cores, share

if TYPE_CHECKING:
    from bionet.studies.design.trial import Trial

LAST_WORDS = 2000


@final
class LocalWorker:
    """A process that does one trial at a time.

    Args:
        setup: what it is told.
        cores: the cores that it keeps to.
    """

    def __init__(self, setup: WorkerSetup, cores: Sequence[int]) -> None:
        self.trial: Trial | None = None
        self.pipe, theirs = Pipe()
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        paths = [path or os.getcwd() for path in sys.path]
        settings = setup.environment(len(cores)) | {"PYTHONPATH": os.pathsep.join(paths)}
        ends = str(theirs.fileno()), str(os.getpid())
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bionet.studies.run.local", *ends],
            pass_fds=[theirs.fileno()],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=self._printed,
        )
        theirs.close()
        self.pipe.send((setup, list(cores)))

    def give(self, trial: Trial) -> None:
        """Hands over a trial; whether the worker lives is seen when its answer is read."""
        self.trial = trial
        with contextlib.suppress(OSError):
            self.pipe.send(trial)

    def answer(self) -> Answer:
        """The answer to the trial, once the pipe has something to read or the worker is dead."""
        trial, self.trial = self.trial, None
        if trial is None:
            raise RuntimeError("a worker without a trial has answered")
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            code = self.process.wait()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            told = {
                "type": "WorkerDied",
                "message": f"the worker process died ({how}).",
                "traceback": self._last_words(),
            }
            return Answer(trial, error=told, died=True)

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        self._printed.close()

    def _last_words(self) -> str:
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(size - LAST_WORDS, 0))
        return self._printed.read().decode(errors="replace")


@final
class LocalEngine:
    """Starts local workers and waits for them.

    Args:
        setup: what each worker is told.
        jobs: how many at a time; None is one per core.
    """

    name = "local"

    def __init__(self, setup: WorkerSetup, jobs: int | None = None) -> None:
        self._setup, self._cores = setup, own_cores()
        self.jobs = jobs or len(self._cores)

    def hire(self, number: int) -> LocalWorker:
        """A new worker in place `number`, with the cores of that place."""
        return LocalWorker(self._setup, share(self._cores, number, self.jobs))

    def give(self, worker: LocalWorker, trial: Trial) -> None:
        """Hands a trial to a worker that has none."""
        worker.give(trial)

    def answers(
        self, workers: Sequence[LocalWorker], timeout: float
    ) -> list[tuple[LocalWorker, Answer]]:
        """The answers that are there, or come within so many seconds."""
        ready = wait([worker.pipe for worker in workers], timeout)
        return [(worker, worker.answer()) for worker in workers if worker.pipe in ready]

    def dismiss(self, worker: LocalWorker) -> None:
        """Ends a worker."""
        worker.end()

    def close(self) -> None:
        """Nothing is left to end."""


def main(number: str, leader: str) -> None:
    """Reads trials from a pipe and answers them, until the other end is closed.

    Args:
        number: of the pipe.
        leader: the process that has started this one. Where it was killed before this one had come
            so far, another may have done the trial by now, so it is not begun.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that leads
    pipe = Connection(int(number))
    waiting: queue.Queue[Any] = queue.Queue()

    def read() -> None:
        while True:
            try:
                waiting.put(pipe.recv())
            except (EOFError, OSError):
                os._exit(0)

    setup, cores = pipe.recv()
    threading.Thread(target=read, daemon=True).start()
    trials = TrialRunner(setup, cores)
    while True:
        trial = waiting.get()
        if os.getppid() != int(leader):
            os._exit(0)
        pipe.send(trials.answer(trial))


if __name__ == "__main__":
    main(*sys.argv[1:])
