"""`bionet resume DIR`: goes on with a run that was stopped, or makes a finished one longer."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bionet import zoo
from bionet._core.files import own_path
from bionet._core.origins import text_hash
from bionet.cli.errors import StoppedError, UsageError
from bionet.cli.parser import add_plugin, load_plugins, whole_number
from bionet.cli.plan import Plan, installed_versions
from bionet.cli.platforms import check_platforms
from bionet.cli.run import train
from bionet.cli.run_directory import RunDirectory

if TYPE_CHECKING:
    from bionet.zoo.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("dir", metavar="DIR", help="the directory of the run")
    parser.add_argument(
        "--epochs", type=whole_number("--epochs", 1), metavar="N", help="how many in all, not more"
    )
    add_plugin(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    home = RunDirectory(own_path(options.dir))
    plan = home.read_plan()  # Where there is no run, no lock is made either.
    _load_plugins(home, plan, load_plugins(options.plugin))
    with home.lock():
        home.settle()
        if home.finished and not home.longer.planned:
            return _extend(home, options.epochs)
        return _go_on(home, home.longer if home.longer.planned else home, options.epochs)


def _extend(home: RunDirectory, epochs: int | None) -> int:
    """Makes a finished run longer; it stays as it is until the longer one is finished."""
    plan, done = home.read_plan(), _count_epochs(home)
    if epochs is None:
        raise UsageError(
            f"The run in '{home.path}' is finished, after epoch {done}. "
            f"To train it longer, give --epochs with more than {done}."
        )
    _check_more(home, done, epochs)
    plan, recipe = replace(plan, epochs=epochs), _recipe(home, plan)
    _warn_of_versions(plan)
    longer = home.extend(plan)
    try:
        return train(recipe, plan, longer, resume=True, home=home)
    except Exception as error:
        if not isinstance(error, StoppedError) and _count_epochs(longer) == done:
            longer.remove()  # Nothing was learned: leave no trace of it, nor in the sentence.
            gone, stays = (str(each.path.absolute()) for each in (longer, home))
            if error.args == (str(error),):
                error.args = (str(error).replace(gone, stays),)
        raise


def _go_on(home: RunDirectory, directory: RunDirectory, epochs: int | None) -> int:
    """Goes on with what was stopped, perhaps to more epochs than it had asked for."""
    before, done = directory.read_plan(), _count_epochs(directory)
    if epochs is not None:
        _check_more(home, done, epochs)
    # A longer run has nothing of its own but the number of its epochs.
    plan = replace(home.read_plan(), epochs=epochs or before.epochs)
    recipe = _recipe(home, plan)
    _warn_of_versions(plan)
    if plan != before:
        directory.write_plan(plan)
    try:
        return train(recipe, plan, directory, resume=True, home=home)
    except Exception as error:
        if (
            plan != before
            and not isinstance(error, StoppedError)
            and _count_epochs(directory) == done
        ):
            directory.write_plan(before)
        raise


def _count_epochs(directory: RunDirectory) -> int:
    rows = directory.rows()
    return rows[-1]["epoch"] if rows else 0


def _check_more(home: RunDirectory, done: int, epochs: int) -> None:
    if epochs <= done:
        raise UsageError(
            f"The run in '{home.path}' has already done {done} epochs; --epochs counts them "
            f"all, so give more than {done}."
        )


def _load_plugins(home: RunDirectory, plan: Plan, given: list[dict[str, str]]) -> None:
    """Runs the method files that the run has kept.

    Raises:
        UsageError: a file that was named is another one, or what was kept has been changed.
    """
    kept = {plugin.get("sha256"): plugin for plugin in plan.plugins}
    for plugin in given:
        if plugin["sha256"] not in kept:
            known = ", ".join(f"'{each.get('path')}'" for each in kept.values()) or "none"
            raise UsageError(
                f"The plug-in '{plugin['path']}' is not that of the run in '{home.path}', which "
                f"began with {known} as it was then. Leave --plugin out: the run has kept its own."
            )
    for sha256, plugin in kept.items():
        text = plugin.get("text", "")
        if text_hash(text) != sha256:
            raise UsageError(
                f"The plug-in '{plugin.get('path')}' in '{home.path / 'config.json'}' is not the "
                "one that the run began with: its sha256 differs."
            )
        from bionet.training.plugins import run_plugin

        try:
            run_plugin(text, plugin.get("path", "plugin.py"))
        except ValueError as error:
            raise UsageError(str(error)) from error


def _recipe(directory: RunDirectory, plan: Plan) -> Recipe[Any]:
    """The recipe as the plan says."""
    recipe = zoo.get(plan.recipe)
    check_platforms()
    try:
        recipe = recipe.replace(**{name: _to_tuples(value) for name, value in plan.config.items()})
        if plan.method is not None:
            chosen = {name: _to_tuples(value) for name, value in plan.options.items()}
            recipe = recipe.with_method(plan.method, **chosen)
    except (ValueError, TypeError) as error:
        raise UsageError(f"'{directory.path / 'config.json'}' does not fit: {error}") from error
    return recipe


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


def _to_tuples(value: Any) -> Any:
    """JSON has lists where a frozen config has tuples."""
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value
