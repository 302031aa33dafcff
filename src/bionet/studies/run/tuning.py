"""Equal tuning: the same number of optuna trials for every arm, on validation data alone.

Each arm has its own sequence. It begins with the arm's own values, so that tuning starts from what
its author thought of; each later trial is drawn by a seeded TPE sampler out of what the ones before
have reached. So the sequence of an arm is the same whatever ran beside it, on either
engine, and after any interruption; arms are tuned side by side. Optuna keeps its trials in an
SQLite file. The lines of the results are what counts: where the file is lost, or holds a trial
that has no line, it is made again out of the lines.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

from bionet.studies.design.configuration import config_of
from bionet.studies.design.protocol import Study
from bionet.studies.design.spaces import Choice, LogUniform, Space, Uniform, nearest
from bionet.studies.design.trial import Trial
from bionet.studies.run.store import Line
from bionet.zoo.setup import short_hash

INSTALL = "python -m pip install 'bionet[tune]'"
FILE = "tuning.sqlite"
DRAWN: Final = 4
"""How many trials of an arm there are before the sampler looks at them."""


def tuning_id(study: Study, arm: str) -> str:
    """The hash of all that an arm's sequence of tuning trials depends on, but their number."""
    tuning = study.tuning
    if tuning is None:
        raise ValueError(f"Study {study.name!r} has no tuning.")
    spaces = {
        name: [type(space).__name__, repr(space)] for name, space in tuning.spaces[arm].items()
    }
    config = config_of(study, arm, {}, tuning.budget or study.budget)
    named = {"arm": arm, "config": config, "spaces": spaces, "seed": tuning.seed}
    return short_hash(named | {"first": own_values(study, arm)})


def own_values(study: Study, arm: str) -> dict[str, Any]:
    """Returns the values of an arm's first tuning trial: its own, brought into the spaces."""
    if study.tuning is None:
        return {}
    config = config_of(study, arm, {}, study.budget)
    own = config["config"] | config["options"]
    return {name: nearest(space, own[name]) for name, space in study.tuning.spaces[arm].items()}


def tuning_trial(study: Study, arm: str, number: int, change: Mapping[str, Any]) -> Trial:
    """A tuning trial of an arm."""
    tuning = study.tuning
    if tuning is None:
        raise ValueError(f"Study {study.name!r} has no tuning.")
    config = config_of(study, arm, change, tuning.budget or study.budget)
    tried = {"id": tuning_id(study, arm), "tried": dict(change)}
    return Trial(study.name, arm, tuning.seed, "tuning", config | {"tuning": tried}, number)


def tuning_lines(study: Study, arm: str, lines: Sequence[Line]) -> list[Line]:
    """The lines of an arm's tuning trials as the study is now, in their order."""
    if study.tuning is None or arm not in study.tuned:
        return []
    wanted = tuning_id(study, arm)
    found: dict[int, Line] = {}
    for line in lines:
        if (
            (line["stage"], line["arm"]) == ("tuning", arm)
            and line.get("config", {}).get("tuning", {}).get("id") == wanted
            and line["number"] < study.tuning.trials
        ):
            found.setdefault(line["number"], line)  # another optuna may have drawn it again
    return [found[number] for number in sorted(found)]


def choose_best(lines: Sequence[Line]) -> dict[str, Any] | None:
    """The values of the best tuning trial; of equal ones the first; None where all diverged."""
    best, reached = None, float("-inf")
    for line in lines:
        value = _value(line)
        if value is not None and value > reached:
            best, reached = line, value
    return None if best is None else dict(best["config"]["tuning"]["tried"])


def _value(line: Line) -> float | None:
    """Returns the value of a tuning trial; None where it diverged, to NaN or infinity too."""
    value = line["metrics"].get(line["metric"])
    return value if value is not None and math.isfinite(value) else None


@final
class ArmTuning:
    """The sequence of tuning trials of one arm.

    Args:
        study: the study; its tuning says how many trials there are.
        arm: the name of the arm.
        file: the SQLite file.
        lines: the results so far.

    Raises:
        ImportError: optuna is not installed; the command to install it is told.
        OSError: the file cannot be used.
    """

    def __init__(self, study: Study, arm: str, file: Path, lines: Sequence[Line]) -> None:
        self._optuna = import_optuna()
        self._protocol, self._arm = study, arm
        self._name = f"{study.name}/{arm}/{tuning_id(study, arm)}"
        self._storage = f"sqlite:///{file}"
        self._lines = {line["trial"]: line for line in lines}
        self._tried = {
            line["number"]: _plain(line["config"]["tuning"]["tried"])
            for line in tuning_lines(study, arm, lines)
        }
        self._study = self._guard(self._open)
        self._asked: Any = None

    @property
    def done(self) -> bool:
        """True if all trials have a value."""
        return self._describe() >= self._trials

    def next(self) -> Trial | None:
        """The next trial that has no line yet; None where all are done."""
        return self._guard(self._next)

    def tell(self, line: Line) -> None:
        """Takes the value of the last trial; None says that it diverged."""
        self._lines[line["trial"]] = line
        self._guard(lambda: self._note(line))

    def choice(self) -> dict[str, Any] | None:
        """The values of the best trial; None where all diverged."""
        names = [trial.user_attrs["hash"] for trial in self._list_finished()]
        return choose_best([self._lines[name] for name in names[: self._trials]])

    @property
    def _trials(self) -> int:
        return self._protocol.tuning.trials if self._protocol.tuning else 0

    def _next(self) -> Trial | None:
        while not self.done:
            number = self._describe()
            self._study.sampler = self._sampler(number)
            self._begin(number)
            self._asked = self._study.ask(self._distributions())
            trial = tuning_trial(self._protocol, self._arm, number, self._asked.params)
            self._asked.set_user_attr("hash", trial.hash)
            if trial.hash not in self._lines:
                return trial
            self._note(self._lines[trial.hash])
        return None

    def _begin(self, number: int) -> None:
        """Says which values come next, where that is known: the arm's own, and what has a line.

        Drawn again, they may differ in the last digit: another machine computes another logarithm,
        and a trial that differs by so little would be run again, and what was chosen with it.
        """
        waiting = (self._optuna.trial.TrialState.WAITING,)
        first = own_values(self._protocol, self._arm) if number == 0 else None
        values = self._tried.get(number, first)
        if values is not None and not self._study.get_trials(deepcopy=False, states=waiting):
            self._study.enqueue_trial(values)

    def _note(self, line: Line) -> None:
        state = self._optuna.trial.TrialState
        value = _value(line)
        if value is None:
            self._study.tell(self._asked, state=state.PRUNED)
        else:
            self._study.tell(self._asked, value)

    def _list_finished(self) -> list[Any]:
        state = self._optuna.trial.TrialState
        return self._study.get_trials(deepcopy=False, states=(state.COMPLETE, state.PRUNED))

    def _describe(self) -> int:
        return len(self._list_finished())

    def _open(self) -> Any:
        """Optuna's study, with what was cut off closed; made anew where it knows too much."""
        make = self._optuna.create_study
        options = {"storage": self._storage, "study_name": self._name, "direction": "maximize"}
        self._study = make(**options, load_if_exists=True)
        if any(trial.user_attrs.get("hash") not in self._lines for trial in self._list_finished()):
            self._optuna.delete_study(storage=self._storage, study_name=self._name)
            self._study = make(**options)
        state = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            self._study.tell(trial.number, state=state.FAIL)
        return self._study

    def _sampler(self, number: int) -> Any:
        """A sampler whose seed follows from the arm and the number of the trial alone."""
        digest = hashlib.sha256(f"{self._name}/{number}".encode()).digest()
        return self._optuna.samplers.TPESampler(
            seed=int.from_bytes(digest[:4], "big"), n_startup_trials=DRAWN
        )

    def _distributions(self) -> dict[str, Any]:
        tuning = self._protocol.tuning
        spaces = {} if tuning is None else tuning.spaces[self._arm]
        return {name: self._distribution(space) for name, space in sorted(spaces.items())}

    def _distribution(self, space: Space) -> Any:
        kinds = self._optuna.distributions
        if isinstance(space, Choice):
            return kinds.CategoricalDistribution(space.values)
        if isinstance(space, (Uniform, LogUniform)):
            log = isinstance(space, LogUniform)
            return kinds.FloatDistribution(space.low, space.high, log=log)
        return kinds.IntDistribution(space.low, space.high, log=space.log)

    def _guard(self, act: Any) -> Any:
        """Does something with the file; what the file lacks is told as the system's error."""
        try:
            return act()
        except self._optuna.exceptions.StorageInternalError as error:
            raise OSError(
                f"The tuning file '{self._storage.removeprefix('sqlite:///')}' could not be used "
                f"({error}). Make room for it, or remove it: it is made again out of the results."
            ) from error


def _plain(tried: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial as its spaces have them: JSON has lists where a choice has tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in tried.items()}


def import_optuna() -> Any:
    """The package optuna, told to be silent.

    Raises:
        ImportError: it is not installed; the command to install it is told.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            f"Tuning needs optuna, which is not installed. Install it: {INSTALL}"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
