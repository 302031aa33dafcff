"""`bionet run ID`: trains a recipe and keeps everything about it in one directory."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bionet import zoo
from bionet._core.compile_cache import switch_on_cache
from bionet._core.tables import print_table
from bionet.cli.claim import claim
from bionet.cli.errors import StoppedError, UsageError
from bionet.cli.parser import add_plugin, add_seed, load_plugins, whole_number
from bionet.cli.plan import Plan, installed_versions
from bionet.cli.platforms import check_platforms
from bionet.cli.run_directory import RunDirectory
from bionet.cli.settings import read_settings

if TYPE_CHECKING:
    from bionet.zoo.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("id", metavar="ID", help="the recipe, as `bionet list` names it")
    parser.add_argument("--data", metavar="NAME", help="the data set, as `bionet show ID` names it")
    add_seed(parser)
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", dest="settings",
        help="change a field of the config; may be given many times",
    )  # fmt: skip
    parser.add_argument("--method", metavar="NAME", help="train it by another method")
    parser.add_argument(
        "--option", action="append", default=[], metavar="OPTION=VALUE", dest="options",
        help="set an option of that method; may be given many times",
    )  # fmt: skip
    add_plugin(parser)
    parser.add_argument("--epochs", type=whole_number("--epochs", 1), metavar="N", help="how long")
    parser.add_argument("--out", metavar="DIR", help="where (the next free runs/ID-DATA-seedN)")


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    plugins = load_plugins(options.plugin)
    spec = zoo.REGISTRY[options.id]
    recipe = spec.load().on(options.data)
    recipe = recipe.replace(**read_settings(recipe.config, options.settings, f"recipe {spec.id!r}"))
    check_platforms()
    recipe, chosen = _switch(recipe, options)
    epochs = options.epochs or recipe.config.epochs
    if epochs < 1:
        raise UsageError("A run needs 1 epoch or more: without one there is no curve to draw.")
    plan = Plan(
        recipe=spec.id,
        dataset=recipe.config.dataset,
        seed=options.seed,
        epochs=epochs,
        config=asdict(recipe.config),
        versions=installed_versions(),
        method=options.method,
        options=chosen,
        plugins=plugins,
    )
    with claim(options.out, plan) as directory:
        return train(recipe, plan, directory)


def _switch(recipe: Recipe[Any], options: argparse.Namespace) -> tuple[Recipe[Any], dict[str, Any]]:
    """The recipe with the method that was asked for, and every option of that method."""
    if options.method is None:
        if options.options:
            raise UsageError("Option --option sets what --method takes; give --method too.")
        return recipe, {}
    tuned = recipe.tuned_choice(options.method)[0].options
    owner = f"method {options.method!r}"
    chosen = asdict(tuned) | read_settings(tuned, options.options, owner, "--option")
    return recipe.with_method(options.method, **chosen), chosen


def train(
    recipe: Recipe[Any],
    plan: Plan,
    directory: RunDirectory,
    *,
    resume: bool = False,
    home: RunDirectory | None = None,
) -> int:
    """Trains, or goes on, and writes the result; returns the exit code.

    Args:
        recipe: what is trained.
        plan: what was asked for.
        directory: where everything is written.
        resume: go on from the checkpoint there.
        home: the run whose place it takes when it is finished; None for one of its own.

    Raises:
        StoppedError: Ctrl-C came; the message says how to go on.
    """
    from bionet.plotting.learning_curve import check_path

    switch_on_cache()
    check_path(directory.curve)
    home = home or directory
    try:
        result = recipe.fit(
            plan.dataset,
            seed=plan.seed,
            epochs=plan.epochs,
            checkpoint=directory.checkpoint,
            resume=resume,
            callbacks=(lambda event: directory.keep_metrics(event.history),),
        )
        directory.keep_metrics(result.history)  # A kill may have come before the last line.
        directory.write_result(result)
        home.settle()
    except KeyboardInterrupt:
        raise StoppedError(_how_to_go_on(plan, directory, home)) from None
    from rich.console import Console

    print_table(Console(highlight=False), result.table())
    print(f"Everything is in {home.path}: the learning curve is curve.png.")
    return 0


def _how_to_go_on(plan: Plan, directory: RunDirectory, home: RunDirectory) -> str:
    rows = directory.rows()
    if not rows and not directory.begun:
        return (
            f"Stopped before the first epoch was done: begin again with `bionet run {plan.recipe}`."
        )
    return (
        f"Stopped after epoch {rows[-1]['epoch'] if rows else 1}. "
        f"`bionet resume {home.path}` goes on from there."
    )
