"""`bionet doctor`: what this machine has, for a first look when something does not work."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from bionet import zoo
from bionet._core.compile_cache import cache_folder
from bionet._core.tables import print_table
from bionet.cli.errors import UsageError
from bionet.cli.plan import installed_versions
from bionet.cli.platforms import check_platforms


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    findings = {
        "versions": installed_versions(),
        "devices": _try(_devices),
        "data": _try(_data),
        "compiled programs": {"kept in": str(cache_folder() or "nowhere")},
        "plug-ins that failed": dict(zoo.REGISTRY.failures),
    }
    if options.json:
        print(json.dumps(findings, indent=2, ensure_ascii=False))
    else:
        _print(findings)
    return 0


def _devices() -> dict[str, str]:
    import jax

    check_platforms()
    return {str(device): device.device_kind for device in jax.devices()}


def _data() -> dict[str, str]:
    from bionet import datasets

    return {name: str(where) for name, where in datasets.available().items()}


def _try(look: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Calls `look`; the doctor reports what is broken instead of breaking on it."""
    try:
        return look()
    except UsageError as error:
        return {"failed": str(error)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def _print(findings: Mapping[str, Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for title, found in findings.items():
        console.print(title, style="bold", markup=False)
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=True)
        for name, value in found.items() or [("none", "")]:
            table.add_row(Text(name), Text(str(value)))
        print_table(console, table)
