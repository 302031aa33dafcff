"""`bionet resume DIR`: goes on with a run that was stopped, or makes a finished one longer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bionet import zoo
from bionet.cli.errors import UsageError
from bionet.cli.parser import whole_number
from bionet.cli.run import train
from bionet.cli.run_directory import Plan, RunDirectory, installed_versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("dir", metavar="DIR", help="the directory of the run")
    parser.add_argument(
        "--epochs", type=whole_number("--epochs", 1), metavar="N", help="how many in all, not more"
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    directory = RunDirectory(Path(options.dir))
    plan = directory.read_plan()
    recipe = zoo.get(plan.recipe)
    recipe = recipe.replace(**{name: _frozen(value) for name, value in plan.config.items()})
    if plan.method is not None:
        chosen = {name: _frozen(value) for name, value in plan.options.items()}
        recipe = recipe.with_method(plan.method, **chosen)
    plan = _with_epochs(directory, plan, options.epochs)
    _warn_of_versions(plan)
    return train(recipe, plan, directory, resume=True)


def _with_epochs(directory: RunDirectory, plan: Plan, epochs: int | None) -> Plan:
    rows = directory.rows()
    done = rows[-1]["epoch"] if rows else 0
    if directory.finished and epochs is None:
        raise UsageError(
            f"The run in '{directory.path}' is finished, after epoch {done}. "
            f"To train it longer, give --epochs with more than {done}."
        )
    if epochs is None:
        return plan
    if epochs <= done:
        raise UsageError(
            f"The run in '{directory.path}' has already done {done} epochs; --epochs counts them "
            f"all, so give more than {done}."
        )
    return directory.extend(plan, epochs)


def _warn_of_versions(plan: Plan) -> None:
    now = installed_versions()
    changed = [
        f"{name} {then} (now {now.get(name, 'absent')})"
        for name, then in plan.versions.items()
        if now.get(name) != then
    ]
    if changed:
        print(
            f"This run began with {', '.join(changed)}: it goes on, but maybe not bit for bit.",
            file=sys.stderr,
        )


def _frozen(value: Any) -> Any:
    """JSON has lists where a frozen config has tuples."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
