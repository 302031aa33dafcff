"""The directory of a run: what is in it, and who may write into it.

    config.json     what was asked for: recipe, data, seed, epochs, the full config, versions
    metrics.jsonl   one line per finished epoch
    checkpoint/     written by `fit`, enough to go on from the last finished epoch
    curve.png       the learning curve
    result.json     written last: a directory that has it is finished

Every file is written whole or not at all, so that a run which is killed at any moment leaves
a directory that `bionet resume` can read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import bionet
from bionet._core.files import write_json, write_whole
from bionet.cli.errors import UsageError

KIND, FORMAT = "bionet run", 1
PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy")


@dataclass(frozen=True)
class Plan:
    """What a run was asked to do, as `config.json` holds it.

    Args:
        recipe: the id.
        dataset: the name of the data.
        seed: the random seed.
        epochs: how many epochs in all.
        config: every field of the recipe's config.
        versions: the packages that it began with.
        method: the method that trains it, if it is not the recipe's own.
        options: every option of that method.
    """

    recipe: str
    dataset: str
    seed: int
    epochs: int
    config: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    method: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        by = "" if self.method is None else f" by {self.method}"
        return f"{self.recipe}{by} on {self.dataset}, seed {self.seed}"


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run.

    Args:
        path: where it is.
    """

    path: Path

    @classmethod
    def create(cls, out: str | None, plan: Plan) -> RunDirectory:
        """Claims a directory and writes `config.json` into it.

        Args:
            out: the directory; None takes the first free one of `runs/ID-DATA-seedN`,
                `runs/ID-DATA-seedN-2`, ...
            plan: what is going to run.

        Raises:
            UsageError: `out` holds another run, or anything else.
        """
        directory = cls(_claim(out) if out is not None else _first_free(plan))
        directory.write_plan(plan)
        return directory

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").exists()

    def write_plan(self, plan: Plan) -> None:
        write_json(self.path / "config.json", {"kind": KIND, "format": FORMAT, **asdict(plan)})

    def write_result(self, result: Any) -> None:
        """Writes the curve, and after it the result, which says that the run is finished."""
        result.plot(self.path / "curve.png")
        write_json(self.path / "result.json", result.to_dict())

    def extend(self, plan: Plan, epochs: int) -> Plan:
        """The plan with more epochs, written down; the run is then unfinished again."""
        longer = replace(plan, epochs=epochs)
        self.write_plan(longer)
        (self.path / "result.json").unlink(missing_ok=True)
        return longer

    def rows(self) -> list[dict[str, Any]]:
        """The metrics of the finished epochs, in order."""
        file = self.path / "metrics.jsonl"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def keep_metrics(self) -> Callable[[Any], None]:
        """A callback for `fit` that adds a line per epoch to `metrics.jsonl`."""
        kept = {row["epoch"]: row for row in self.rows()}

        def keep(event: Any) -> None:
            kept.update({row["epoch"]: dict(row) for row in event.history})
            lines = [json.dumps(kept[epoch]) + "\n" for epoch in sorted(kept)]
            write_whole(self.path / "metrics.jsonl", "".join(lines))

        return keep

    def discard(self) -> None:
        """Removes what this run has written, and the directory if nothing else is in it."""
        (self.path / "config.json").unlink(missing_ok=True)
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def read_plan(self) -> Plan:
        """The plan in `config.json`.

        Raises:
            UsageError: it is missing, broken, of another program, or of a later bionet.
        """
        file = self.path / "config.json"
        if not file.is_file():
            raise UsageError(
                f"There is no run in '{self.path}': it has no config.json. "
                "Give the directory that `bionet run` named, such as runs/ID-DATA-seed0."
            )
        start_anew = "Start a new run with `bionet run`."
        try:
            read = json.loads(file.read_text("utf-8"))
        except ValueError:
            raise UsageError(f"'{file}' is damaged: it is not JSON. {start_anew}") from None
        if not isinstance(read, dict) or read.pop("kind", None) != KIND:
            raise UsageError(f"'{file}' was not written by `bionet run`. {start_anew}")
        if read.pop("format", None) != FORMAT:
            raise UsageError(f"'{file}' was written by another version of bionet. {start_anew}")
        return _plan(read, f"'{file}' is damaged: {{}}. {start_anew}")


def installed_versions() -> dict[str, str]:
    """The versions of Python and of the packages that the numbers depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "bionet": bionet.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _plan(read: dict[str, Any], complaint: str) -> Plan:
    needed: dict[str, Any] = {
        "recipe": str, "dataset": str, "seed": int, "epochs": int, "config": dict,
        "versions": dict,
    }  # fmt: skip
    for name, kind in needed.items():
        if name not in read or not isinstance(read[name], kind):
            raise UsageError(complaint.format(f"its {name!r} is missing or of the wrong type"))
    switched = {"method": read.get("method"), "options": read.get("options", {})}
    return Plan(**{name: read[name] for name in needed}, **switched)


def _claim(out: str) -> Path:
    path = Path(out)
    if path.is_dir() and any(path.iterdir()):
        raise UsageError(_taken(path))
    if path.exists() and not path.is_dir():
        raise UsageError(f"'{path}' is a file, not a directory. Choose another --out.")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _taken(path: Path) -> str:
    if not (path / "config.json").exists():
        return f"The directory '{path}' is not empty, and holds no run. Choose another --out."
    try:
        other = f"the run {RunDirectory(path).read_plan()}"
    except UsageError:
        other = "another run"
    return (
        f"The directory '{path}' already holds {other}. Choose another --out, "
        f"or go on with that run: `bionet resume {path}`."
    )


def _first_free(plan: Plan) -> Path:
    for path in _candidates(plan):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir()  # Fails if it is there, so that two runs never share a directory.
        except FileExistsError:
            continue
        return path
    raise AssertionError("there are infinitely many candidates")


def _candidates(plan: Plan) -> Iterator[Path]:
    parts = [plan.recipe, plan.method, plan.dataset, f"seed{plan.seed}"]
    name = "-".join(part for part in parts if part)
    yield Path("runs", name)
    for number in count(2):
        yield Path("runs", f"{name}-{number}")
