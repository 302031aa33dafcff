"""The checkpoints of one run of `fit`: kept with all that the run is made of, and given back to it.

A run that goes on has to be the run that was cut off, so its fingerprint is compared. What may be
otherwise is told in a sentence: a newest save that was cut off, other versions, a checkpoint from
before there were fingerprints.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, final

from jaxtyping import PRNGKeyArray

from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.method import AbstractMethod, TrainState
from bionet.training.problem import Problem
from bionet.training.run.fingerprint import difference, fingerprint, list_versions, versions_told

Row = dict[str, float]


@final
class FitWarning(UserWarning):
    """Something about a run that its numbers do not show; it stands in `FitResult.notes` too."""


def tell(notes: list[str], sentence: str) -> None:
    """Adds a sentence to the notes of a run, and warns with it at once."""
    notes.append(sentence)
    warnings.warn(sentence, FitWarning, stacklevel=2)


@final
class RunCheckpoints:
    """The checkpoints of a run, and what it is made of.

    Args:
        directory: where they are.
        problem: of the run.
        method: of the run.
        key: of the run.
        epochs: how many are planned, unless an earlier part of the run has planned otherwise.

    Raises:
        CheckpointError: the directory can't be made or written, or holds something else.
    """

    def __init__(
        self,
        directory: str | Path,
        problem: Problem,
        method: AbstractMethod,
        key: PRNGKeyArray,
        epochs: int,
    ) -> None:
        self.checkpoints, self._key = Checkpoints(directory), key
        self.latest = self.checkpoints.latest()  # says first what lies in the way
        self.checkpoints.check_writable()
        self._about: dict[str, Any] = {
            "planned": epochs,
            "fingerprint": fingerprint(problem, method, key),
            "versions": list_versions(),
        }

    def save(self, epoch: int, train_state: TrainState, history: list[Row]) -> None:
        """Writes a checkpoint after an epoch."""
        notes = {"history": history, **self._about}
        self.checkpoints.save(epoch, train_state, self._key, notes)

    def begin(
        self, fresh: TrainState, epochs: int, resume: bool
    ) -> tuple[TrainState, list[Row], list[str]]:
        """The state, the history and the notes to go on from; `fresh` where there is nothing yet.

        Raises:
            CheckpointError: there is a run and `resume` is False, or it is another run.
        """
        cut_off = self.checkpoints.cut_off()
        if not resume and (self.latest is not None or cut_off):
            raise CheckpointError(
                f"{self.checkpoints.directory} already holds a checkpoint, of epoch "
                f"{max(cut_off) if self.latest is None else self.latest}; pass resume=True to go "
                "on from it, or name another directory."
            )
        notes: list[str] = []
        if any(epoch > (self.latest or 0) for epoch in cut_off):
            tell(notes, self._describe(max(cut_off)))
        if self.latest is None:
            return fresh, [], notes
        train_state, saved = self.checkpoints.restore(fresh, self._key)
        self._check(saved, epochs, notes)
        return train_state, list(saved["history"]), notes

    def _check(self, saved: Any, epochs: int, notes: list[str]) -> None:
        """Checks that what was saved is of this run; from now on it has the plan that was saved."""
        where, done = self.checkpoints.directory, len(saved["history"])
        if done > epochs:
            raise CheckpointError(
                f"The checkpoint in {where} has {done} epochs behind it, and epochs={epochs} asks "
                "for fewer; epochs counts from the beginning. Ask for as many at least, or name "
                "another directory."
            )
        if "fingerprint" not in saved:
            notes.append(
                f"The checkpoint in {where} was written before checkpoints had a fingerprint: "
                "nothing could be compared but the arrays and the seed."
            )
            return
        versions = versions_told(saved["versions"], self._about["versions"])
        found = difference(
            saved["fingerprint"], self._about["fingerprint"], same_versions=versions is None
        )
        if found is not None:
            raise CheckpointError(
                f"The checkpoint in {where} belongs to another run: {found}. Resume it with what "
                "it was made with, or name another directory for a new run."
            )
        self._about["planned"] = saved["planned"]
        notes += [] if versions is None else [versions]

    def _describe(self, epoch: int) -> str:
        before = f"on from epoch {self.latest}" if self.latest else "from the beginning"
        return (
            f"The save of epoch {epoch} in {self.checkpoints.directory} was cut off before its end "
            f"and is not used; the run went {before}."
        )
