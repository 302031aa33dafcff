"""The plan of a run: the `config.json` of its directory, checked where it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import bionet
from bionet.cli.errors import UsageError

KIND, FORMAT = "bionet run", 1
PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy")
ANEW = "Start a new run with `bionet run`."
LARGEST_SEED = 2**32 - 1
FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "recipe": (str,),
    "dataset": (str,),
    "seed": (int,),
    "epochs": (int,),
    "config": (dict,),
    "versions": (dict,),
    "method": (str, type(None)),
    "options": (dict,),
    "plugins": (list,),
}
"""What a plan holds, and of which type."""


@dataclass(frozen=True)
class Plan:
    """The plan of a run, as `config.json` holds it.

    Args:
        recipe: the id.
        dataset: the name of the data.
        seed: the random seed.
        epochs: how many epochs in all.
        config: every field of the recipe's config.
        versions: the packages that it began with.
        method: the method that trains it, if it is not the recipe's own.
        options: every option of that method.
        plugins: path, sha256 and text of the method files that it needs.
    """

    recipe: str
    dataset: str
    seed: int
    epochs: int
    config: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    method: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    plugins: list[dict[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        by = "" if self.method is None else f" by {self.method}"
        return f"{self.recipe}{by} on {self.dataset}, seed {self.seed}"


def read_plan(file: Path) -> Plan:
    """Reads the plan in a file.

    Raises:
        UsageError: it is broken, of another program, or of a later bionet.
    """
    try:
        read = json.loads(file.read_bytes().decode())
    except json.JSONDecodeError as error:
        raise _damage_error(file, f"it is not JSON (line {error.lineno})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _damage_error(file, f"it is not JSON (line {line})") from None
    except RecursionError:
        raise _damage_error(file, "it is not JSON") from None
    if not isinstance(read, dict) or read.pop("kind", None) != KIND:
        raise UsageError(f"'{file}' was not written by `bionet run`. {ANEW}")
    if read.pop("format", None) != FORMAT:
        raise UsageError(f"'{file}' was written by another version of bionet. {ANEW}")
    return _check(file, {"method": None, "options": {}, "plugins": []} | read)


def _check(file: Path, read: dict[str, Any]) -> Plan:
    for name, kinds in FIELDS.items():
        if not isinstance(read.get(name, ...), kinds) or isinstance(read[name], bool):
            raise _damage_error(file, f"its {name!r} is missing or of the wrong type")
    plan = Plan(**{name: read[name] for name in FIELDS})
    if not 0 <= plan.seed <= LARGEST_SEED:
        raise _damage_error(file, f"its 'seed' is {plan.seed}, not from 0 to {LARGEST_SEED}")
    if plan.epochs < 1:
        raise _damage_error(file, f"its 'epochs' is {plan.epochs}, not 1 or more")
    return plan


def _damage_error(file: Path, why: str) -> UsageError:
    return UsageError(f"'{file}' is damaged: {why}. {ANEW}")


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
