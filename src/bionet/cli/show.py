"""`bionet show ID`: everything that is known about one recipe, and how to run it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from bionet import zoo
from bionet._core.tables import print_table
from bionet.cli.settings import Field, fields_of

if TYPE_CHECKING:
    from rich.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("id", metavar="ID", help="the recipe, as `bionet list` names it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    spec = zoo.REGISTRY[options.id]
    fields = fields_of(spec.load().config)
    if options.json:
        rows = [field._asdict() | {"default": _plain(field.default)} for field in fields]
        print(json.dumps({"spec": spec.to_dict(), "config": rows}, indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    _print_spec(console, spec)
    _print_fields(console, fields)
    _print_references(console, spec)
    _print_how(console, spec, fields)
    return 0


def _print_spec(console: Console, spec: zoo.RecipeSpec) -> None:
    from rich.table import Table

    console.print(spec.id, style="bold cyan", soft_wrap=True)
    console.print(spec.summary + "\n")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("application", "method", "architecture", "family"):
        table.add_row(name, getattr(spec, name))
    table.add_row("data", ", ".join(spec.datasets) or "its own")
    for band in spec.expected:
        table.add_row("expected", _band(band))
    for margin in spec.margins:
        table.add_row(*_margin(margin))
    if spec.cost is not None:
        table.add_row("cost", _cost(spec.cost))
    table.add_row("code", spec.entry_point)
    print_table(console, table)


def _band(band: zoo.Band) -> str:
    on = f" on {band.dataset}" if band.dataset else ""
    source = f", from {band.study}" if band.study else ""
    run = "" if band.run_low is None else f"; one run {band.run_low:g} to {band.run_high:g}"
    mean = f"mean of {band.seeds} seeds {band.low:g} to {band.high:g}"
    return f"{band.metric}{on}: {mean}{run}{source}"


def _margin(margin: zoo.Margin) -> tuple[str, str]:
    over = f"{margin.over} on {margin.dataset}" if margin.dataset else margin.over
    if margin.least < 0:
        return "beside", f"{over}, at most {-margin.least:g} below it"
    return "above", f"{over} by {margin.least:g} at least"


def _cost(cost: zoo.Cost) -> str:
    cold = "" if cost.cold_seconds is None else f", {cost.cold_seconds:g} s the first time"
    memory = "" if cost.peak_memory_mib is None else f", {cost.peak_memory_mib:g} MiB"
    return f"demo {cost.demo_seconds:g} s on {cost.device}{cold}{memory}"


def _print_fields(console: Console, fields: list[Field]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("field", style="bold", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("type")
    table.add_column("what it is", ratio=1)
    for field in fields:
        cells = (field.name, repr(field.default), field.type, field.comment)
        table.add_row(*(Text(cell) for cell in cells))
    console.print()
    print_table(console, table)


def _print_references(console: Console, spec: zoo.RecipeSpec) -> None:
    if spec.papers:
        console.print("\nFollows", style="bold")
    for paper in spec.papers:
        ending = ", ".join(str(part) for part in (paper.venue, paper.year, paper.url) if part)
        console.print(f"  {', '.join(paper.authors)}. {paper.title}. {ending}", soft_wrap=True)


def _print_how(console: Console, spec: zoo.RecipeSpec, fields: list[Field]) -> None:
    data = f" --data {spec.datasets[0]}" if spec.datasets else ""
    own = [field for field in fields if field.name not in ("dataset", "epochs")]
    first = next((f" --set {field.name}={_word(field.default)}" for field in own), "")
    console.print("\nRun it", style="bold")
    console.print(f"  bionet demo {spec.id}", soft_wrap=True)
    console.print(f"  bionet run {spec.id}{data} --seed 0{first}", soft_wrap=True)
    console.print(
        f'  python -c "from bionet import zoo; zoo.get({spec.id!r}).demo()"', soft_wrap=True
    )


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: what is no number, string, list or null is spelled out."""
    return json.loads(json.dumps(value, default=repr))
