"""The Ray engine: the same workers as actors of a Ray cluster.

An actor runs trials as a local process does, so a trial gives the same numbers; it stays for
many trials, and keeps to its share of the cores of its machine. Ray tells when one has died; the
pool then hires another. Ray is imported when an engine is made, never before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

from bionet.studies.run.worker import Answer, TrialRunner, WorkerSetup, own_cores, share

if TYPE_CHECKING:
    from bionet.studies.design.trial import Trial

PATIENCE: Final = 10.0
"""Seconds that an address has for taking a connection."""
INSTALL = "python -m pip install 'bionet[ray]'"


@final
class RayDesk:
    """A worker in an actor: given its cores when it is known who else is on its machine."""

    def __init__(self, setup: WorkerSetup) -> None:
        os.environ |= setup.environment(1)  # before anything loads JAX
        self._setup, self._trials = setup, None

    def machine(self) -> str:
        """The node of the cluster that this actor is on."""
        import ray

        return ray.get_runtime_context().get_node_id()

    def sit(self, number: int, of: int) -> None:
        """Takes one of several shares of the machine's cores."""
        self._trials = TrialRunner(self._setup, share(own_cores(), number, of))

    def answer(self, trial: Trial) -> Answer:
        """Does a trial."""
        if self._trials is None:
            self._trials = TrialRunner(self._setup)
        return self._trials.answer(trial)


@final
@dataclass(eq=False)
class RayWorker:
    """An actor, and the answer that it owes."""

    actor: Any
    trial: Trial | None = None
    owed: Any = None


@final
class RayEngine:
    """Starts actors and waits for them.

    Args:
        setup: what each actor is told.
        jobs: how many at a time; None is one per CPU of the cluster.
        address: of a running cluster, or "auto"; None takes that of RAY_ADDRESS, and else starts
            a cluster on this machine, for as long as the study runs.

    Raises:
        ImportError: Ray is not installed; the command to install it is told.
        OSError: there is no cluster at the address.
    """

    name = "ray"

    def __init__(
        self, setup: WorkerSetup, jobs: int | None = None, address: str | None = None
    ) -> None:
        self._ray, self._setup = import_ray(), setup
        address = address or os.environ.get("RAY_ADDRESS")
        self._mine = not self._ray.is_initialized()
        if self._mine:
            self._start(address, jobs)
        total = self._ray.cluster_resources()
        self.jobs = jobs or int(total.get("CPU", 1))
        self._needs = {
            "num_cpus": min(1.0, total.get("CPU", 1) / self.jobs),
            "num_gpus": min(1.0, total.get("GPU", 0) / self.jobs),
        }
        self._places: dict[int, tuple[str, int]] = {}

    def hire(self, number: int) -> RayWorker:
        """A new actor in place `number`."""
        ray = self._ray
        kind = ray.remote(max_restarts=0, max_task_retries=0, **self._needs)(RayDesk)
        actor = kind.remote(self._setup)
        node = ray.get(actor.machine.remote())
        taken = {seat for at, (n, seat) in self._places.items() if n == node and at != number}
        seat = next(seat for seat in range(self.jobs) if seat not in taken)
        self._places[number] = (node, seat)
        actor.sit.remote(seat, self._seats(node))
        return RayWorker(actor)

    def give(self, worker: RayWorker, trial: Trial) -> None:
        """Hands a trial to an actor that has none."""
        worker.trial, worker.owed = trial, worker.actor.answer.remote(trial)

    def answers(
        self, workers: Sequence[RayWorker], timeout: float
    ) -> list[tuple[RayWorker, Answer]]:
        """The answers that are there, or come within so many seconds."""
        if not workers:
            return []
        owed = [worker.owed for worker in workers]
        ready, _ = self._ray.wait(owed, num_returns=1, timeout=timeout)
        return [(worker, self._answer(worker)) for worker in workers if worker.owed in ready]

    def dismiss(self, worker: RayWorker) -> None:
        """Ends an actor."""
        self._ray.kill(worker.actor)

    def close(self) -> None:
        """Leaves the cluster; one that this engine has started ends."""
        if self._mine:
            self._ray.shutdown()

    def _answer(self, worker: RayWorker) -> Answer:
        trial = worker.trial
        worker.trial = None
        if trial is None:
            raise RuntimeError("an actor without a trial has answered")
        try:
            return self._ray.get(worker.owed)
        except self._ray.exceptions.RayError as error:
            told = {
                "type": "WorkerDied",
                "message": f"the Ray worker died ({type(error).__name__}).",
                "traceback": str(error),
            }
            return Answer(trial, error=told, died=True)

    def _seats(self, node: str) -> int:
        """Returns the number of actors that one machine may come to hold."""
        for each in self._ray.nodes():
            if each["NodeID"] == node:
                return max(min(self.jobs, int(each["Resources"].get("CPU", 1))), 1)
        return self.jobs

    def _start(self, address: str | None, jobs: int | None) -> None:
        """Joins a cluster, or starts one here whose actors find what this process finds."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address is None:
            options |= {
                "address": "local",
                "include_dashboard": False,
                "num_cpus": max(jobs or 1, len(own_cores())),
            }
        else:
            options["address"] = address
        try:
            check_listening(address)
            with share_paths():
                self._ray.init(**options)
        except (OSError, RuntimeError, ValueError) as error:
            where = "on this machine" if address is None else f"at {address!r}"
            raise OSError(
                f"No Ray cluster could be reached {where} ({error}). Start one with "
                "`ray start --head`, or leave --address out for one on this machine."
            ) from error


def check_listening(address: str | None) -> None:
    """Checks that something listens at `host:port`: Ray itself would ask for many minutes.

    Raises:
        OSError: nothing does.
        ValueError: the port is no port.
    """
    host, colon, port = (address or "").rpartition("//")[2].rpartition(":")
    if colon:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE):
            pass


@contextlib.contextmanager
def share_paths() -> Generator[None]:
    """Processes that are started now import from where this one does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def import_ray() -> Any:
    """The package ray.

    Raises:
        ImportError: it is not installed; the command to install it is told.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            f"The engine 'ray' needs Ray, which is not installed. Install it: {INSTALL}"
        ) from error
    return ray
