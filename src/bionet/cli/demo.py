"""`bionet demo ID`: a network that learns while one watches, and its curve as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from bionet import zoo
from bionet._core.compile_cache import switch_on_cache
from bionet.cli.errors import StoppedError
from bionet.cli.parser import add_seed, whole_number
from bionet.cli.platforms import check_platforms


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("id", metavar="ID", help="the recipe, as `bionet list` names it")
    parser.add_argument(
        "--steps", type=whole_number("--steps", 1), metavar="N", help="how long, in its own unit"
    )
    add_seed(parser)
    picture = parser.add_mutually_exclusive_group()
    picture.add_argument("--plot", metavar="PATH", help="the picture (runs/demo-ID.png)")
    picture.add_argument("--no-plot", action="store_true", help="save no picture")


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    recipe = zoo.get(options.id)
    picture = _picture(options)
    check_platforms()
    switch_on_cache()
    try:
        result = recipe.demo(options.steps, seed=options.seed)
        if picture is not None:
            result.plot(picture)
            print(f"The learning curve is in {picture}.")
    except KeyboardInterrupt:
        raise StoppedError(
            f"Stopped. A demo keeps nothing: `bionet demo {options.id}` begins again, and "
            f"`bionet run {options.id}` keeps what it learns."
        ) from None
    return 0


def _picture(options: argparse.Namespace) -> Path | None:
    """Returns the path of the picture, checked before the time is spent on training."""
    if options.no_plot:
        return None
    from bionet.plotting.learning_curve import check_path

    return check_path(options.plot or Path("runs", f"demo-{options.id}.png"))
