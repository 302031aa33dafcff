"""Training states on disk, so that a run that was cut off goes on as if it had not been.

Orbax writes the arrays, each save whole or not at all. What lies on disk is arrays and
JSON: loading one runs no code from it. The structure comes from the program that
resumes, and a checkpoint that does not fit it is refused with the first difference.
A seal with the sha256 of every file is written last, so that a flipped bit never
becomes a weight. A save without a seal was cut off before its end: the one before it counts,
and is not removed until the next seal is written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any, final

import equinox as eqx
import jax
from jaxtyping import Array, PRNGKeyArray, PyTree

from bionet._core.files import entries, make_writable, write_json
from bionet._core.leaves import as_leaf, as_numbers
from bionet.layer_maps.sparse import leaf_name
from bionet.training.method import TrainState
from bionet.training.run.fingerprint import generator

FORMAT = "bionet-checkpoint-1"
KEPT = 2
SEAL = "sha256.json"
PARTS = ("about", "state")
TEMPORARY = ".orbax-checkpoint-tmp"


@final
class CheckpointError(ValueError):
    """A checkpoint that can't be read, or that belongs to something else."""


@final
class Checkpoints:
    """The checkpoints of one run, in one directory, of which the newest two are kept.

    Args:
        directory: made at the first save; `~` is the user's home.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory).expanduser().absolute()

    def latest(self) -> int | None:
        """The epoch of the newest whole checkpoint; None where there is none.

        Raises:
            CheckpointError: the directory holds something, but no checkpoint of bionet's.
        """
        return max(self._find_epochs()[0], default=None)

    def cut_off(self) -> list[int]:
        """The epochs whose save was cut off before its end, in order; the next save removes them.

        Raises:
            CheckpointError: the directory holds something, but no checkpoint of bionet's.
        """
        return sorted(self._find_epochs()[1])

    def notes(self) -> Any:
        """The notes of the newest whole checkpoint; None where there is none.

        Raises:
            CheckpointError: it can't be read, or is not bionet's.
        """
        epoch = self.latest()
        return None if epoch is None else self._about(epoch)["notes"]

    def check_writable(self) -> None:
        """Makes the directory, and makes sure that it can be written.

        Raises:
            CheckpointError: it cannot; the sentence says why.
        """
        try:
            make_writable(self.directory)
        except OSError as error:
            raise CheckpointError(
                f"Checkpoints can't be kept in {self.directory} ({error.strerror}). Name a "
                "directory that can be made and written."
            ) from error

    def save(self, epoch: int, train_state: TrainState, key: PRNGKeyArray, notes: Any) -> None:
        """Writes the state after `epoch`, the run's key, and JSON-ready notes."""
        import orbax.checkpoint as ocp

        self._remove_remains()
        leaves = _leaves(train_state)
        about = {
            "format": FORMAT,
            "epoch": epoch,
            "key": _key_numbers(key),
            "generator": generator(key),
            "leaves": _describe(train_state),
            "notes": notes,
        }
        # Orbax would remove the older ones before there is a seal on this one.
        options = ocp.CheckpointManagerOptions(max_to_keep=None, enable_async_checkpointing=False)
        with ocp.CheckpointManager(self.directory, options=options) as manager:
            manager.save(
                epoch,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(leaves), about=ocp.args.JsonSave(about)
                ),
            )
        write_json(self.directory / str(epoch) / SEAL, self._hashes(epoch))
        for old in sorted(self._find_epochs()[0])[:-KEPT]:
            _remove(self.directory / str(old))

    def restore(self, template: TrainState, key: PRNGKeyArray) -> tuple[TrainState, Any]:
        """The newest whole state, in the structure of `template`, and its notes.

        Raises:
            CheckpointError: unreadable, not bionet's, of another model, or of another key.
        """
        epoch = self.latest()
        if epoch is None:
            raise CheckpointError(f"There is no checkpoint in {self.directory}.")
        about = self._about(epoch)
        self._check_fit(about, template, key)
        numbered = self._read(epoch, _leaves(template))
        return _fill(template, numbered), about["notes"]

    def _find_epochs(self) -> tuple[set[int], set[int]]:
        """The epochs with a whole checkpoint, and those with one that lacks its seal."""
        if not self.directory.exists():
            return set(), set()
        if not self.directory.is_dir():
            raise CheckpointError(f"{self.directory} is a file, not a directory of checkpoints.")
        # A save that was cut off earlier leaves a folder under orbax's temporary name.
        found = [path for path in entries(self.directory) if TEMPORARY not in path.name]
        numbered = {int(path.name): path for path in found if path.is_dir() and _epoch(path.name)}
        if found and not numbered:
            raise CheckpointError(
                f"{self.directory} holds files but no bionet checkpoint; name another directory."
            )
        sealed = {epoch for epoch, path in numbered.items() if (path / SEAL).exists()}
        rest = numbered.keys() - sealed
        cut_off = {n for n in rest if all((numbered[n] / part).is_dir() for part in PARTS)}
        foreign = max(rest - cut_off, default=-1)
        if foreign > max(sealed, default=-1):
            raise self._unreadable(foreign, "unfinished")
        return sealed, cut_off

    def _remove_remains(self) -> None:
        """Removes what saves that were cut off have left, so that their epochs can be saved."""
        for epoch in self._find_epochs()[1]:
            _remove(self.directory / str(epoch))
        for path in self.directory.glob(f"*{TEMPORARY}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _about(self, epoch: int) -> Any:
        """The JSON part of a whole checkpoint."""
        about = self._read(epoch, None)
        self._check_format(about)
        self._check_seal(epoch)
        return about

    def _read(self, epoch: int, template: dict[str, Array] | None) -> Any:
        """The JSON part of a checkpoint, or its arrays in the form of `template`."""
        import orbax.checkpoint as ocp

        part = "about" if template is None else "state"
        if template is None:
            wanted = ocp.args.JsonRestore()
        else:
            wanted = ocp.args.StandardRestore(
                jax.tree.map(ocp.utils.to_shape_dtype_struct, template)
            )
        try:
            with ocp.CheckpointManager(self.directory) as manager:
                return manager.restore(epoch, args=ocp.args.Composite(**{part: wanted}))[part]
        except Exception as error:  # orbax and tensorstore raise many kinds for a broken file
            raise self._unreadable(epoch, type(error).__name__) from error

    def _unreadable(self, epoch: int, why: str) -> CheckpointError:
        return CheckpointError(
            f"The checkpoint {self.directory / str(epoch)} can't be read ({why}). Delete that "
            "folder to go on from an earlier one."
        )

    def _hashes(self, epoch: int) -> dict[str, str]:
        folder = self.directory / str(epoch)
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != SEAL
        }

    def _check_seal(self, epoch: int) -> None:
        seal = self.directory / str(epoch) / SEAL
        try:
            sealed = json.loads(seal.read_text("utf-8"))
        except (OSError, ValueError):
            raise self._unreadable(epoch, "damaged") from None
        found = self._hashes(epoch)
        if not isinstance(sealed, dict) or any(found.get(name) != sealed[name] for name in sealed):
            raise self._unreadable(epoch, "damaged")

    def _check_format(self, about: Any) -> None:
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise CheckpointError(
                f"{self.directory} holds no checkpoint in the format {FORMAT!r}; "
                "it was not written by this bionet."
            )

    def _check_fit(self, about: Any, template: TrainState, key: PRNGKeyArray) -> None:
        for saved, here in zip(about["leaves"], _describe(template), strict=False):
            if saved != here:
                raise CheckpointError(
                    f"The checkpoint in {self.directory} belongs to another model or method: it "
                    f"holds {saved}, where this run has {here}."
                )
        if len(about["leaves"]) != len(_describe(template)):
            raise CheckpointError(
                f"The checkpoint in {self.directory} belongs to another model or method: it holds "
                f"{len(about['leaves'])} arrays, where this run has {len(_describe(template))}."
            )
        if about["key"] != _key_numbers(key):
            raise CheckpointError(
                f"The checkpoint in {self.directory} was made with another seed; resume it with "
                "the key of that run."
            )
        made, here = about.get("generator", generator(key)), generator(key)
        if made != here:
            raise CheckpointError(
                f"The checkpoint in {self.directory} was made with the generator {made!r}, and the "
                f"key of this run is one of {here!r}; resume it with a key of that generator."
            )


def _leaves(train_state: PyTree) -> dict[str, Array]:
    """The arrays by number; orbax takes none that is empty, and there is nothing to keep."""
    arrays = jax.tree.leaves(eqx.filter(train_state, eqx.is_array))
    return {_number(n): as_numbers(leaf) for n, leaf in enumerate(arrays) if leaf.size}


def _epoch(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _remove(folder: Path) -> None:
    """Removes a checkpoint: it stops being one in one step, whenever the process is killed."""
    gone = folder.with_name(f"{folder.name}{TEMPORARY}-{time.time_ns()}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _number(position: int) -> str:
    return f"leaf{position:04d}"


def _describe(train_state: PyTree) -> list[str]:
    with_paths = jax.tree_util.tree_leaves_with_path(eqx.filter(train_state, eqx.is_array))
    return [f"{leaf_name(path)} {leaf.dtype}{list(leaf.shape)}" for path, leaf in with_paths]


def _fill(template: PyTree, numbered: dict[str, Array]) -> PyTree:
    arrays, static = eqx.partition(template, eqx.is_array)
    old, structure = jax.tree.flatten(arrays)
    saved = [numbered.get(_number(n)) for n in range(len(old))]
    new = [
        leaf if numbers is None else as_leaf(numbers, leaf)
        for leaf, numbers in zip(old, saved, strict=True)
    ]
    return eqx.combine(jax.tree.unflatten(structure, new), static)


def _key_numbers(key: PRNGKeyArray) -> list[int]:
    return [int(number) for number in as_numbers(key).ravel()]
