"""Trials among workers: who does what, and what happens when a worker dies.

An engine knows how to start a worker and to wait for it; this file knows the rest, so that local
processes and Ray behave alike. A worker that has compiled an arm gets more of that arm where
there is any. A trial whose worker dies is given to a new worker, a few times at most; since a
line is written only when an answer comes, it is then neither lost nor doubled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, final

from bionet.studies.run.worker import Answer

if TYPE_CHECKING:
    from bionet.studies.design.trial import Trial

TRIES = 3
"""How many workers may die on a trial."""


class Engine(Protocol):
    """Starts workers, hands them trials and waits for their answers."""

    name: str
    jobs: int

    def hire(self, number: int) -> Any:
        """A new worker in place `number` of `jobs`."""
        ...

    def give(self, worker: Any, trial: Trial) -> None:
        """Hands a trial to a worker that has none."""
        ...

    def answers(self, workers: Sequence[Any], timeout: float) -> list[tuple[Any, Answer]]:
        """The answers that are there, or come within so many seconds."""
        ...

    def dismiss(self, worker: Any) -> None:
        """Ends a worker."""
        ...

    def close(self) -> None:
        """Ends the engine, when all its workers are gone."""
        ...


@final
class Pool:
    """Workers and the trials that wait for them; a context manager that ends them all.

    Args:
        engine: local processes, or Ray.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.waiting: list[Trial] = []
        self._workers: dict[int, Any] = {}
        self._running: dict[int, Trial] = {}
        self._last_arm: dict[int, str] = {}
        self._deaths: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            self.engine.dismiss(worker)
        self._workers.clear()
        self.engine.close()

    @property
    def running(self) -> list[Trial]:
        """The trials that are being done."""
        return list(self._running.values())

    @property
    def busy(self) -> bool:
        """True if a trial waits or runs."""
        return bool(self.waiting or self._running)

    def add(self, trials: Iterable[Trial]) -> None:
        """Puts trials in the queue."""
        self.waiting.extend(trials)

    def answers(self, timeout: float = 0.5) -> list[Answer]:
        """Gives out what waits, and returns the answers that come; deaths that count as failures.

        Args:
            timeout: seconds to wait for an answer.
        """
        for place in range(self.engine.jobs):
            if self.waiting and place not in self._running:
                self._give(place)
        places = {id(self._workers[place]): place for place in self._running}
        workers = [self._workers[place] for place in self._running]
        found = []
        for worker, answer in self.engine.answers(workers, timeout):
            place = places[id(worker)]
            del self._running[place]
            if answer.died:
                self.engine.dismiss(self._workers.pop(place))
                self._last_arm.pop(place, None)
                if self._again(answer.trial):
                    continue
            found.append(answer)
        return found

    def _again(self, trial: Trial) -> bool:
        """Decides whether a trial whose worker has died gets another; it is then the next."""
        self._deaths[trial.hash] += 1
        if self._deaths[trial.hash] >= TRIES:
            return False
        self.waiting.insert(0, trial)
        return True

    def _give(self, place: int) -> None:
        if place not in self._workers:
            self._workers[place] = self.engine.hire(place)
        trial = self._choose(place)
        self.waiting.remove(trial)
        self._running[place], self._last_arm[place] = trial, trial.arm
        self.engine.give(self._workers[place], trial)

    def _choose(self, place: int) -> Trial:
        """More of the arm that this worker has compiled; else of an arm that nobody has."""
        mine = self._last_arm.get(place)
        others = {arm for at, arm in self._last_arm.items() if at != place}

        def rank(trial: Trial) -> int:
            return 0 if trial.arm == mine else 1 if trial.arm not in others else 2

        return min(self.waiting, key=rank)
