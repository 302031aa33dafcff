"""`bionet study run|status|report|compare PATH`: studies on the command line."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from importlib import import_module
from typing import Any

from bionet._core.names import unknown
from bionet._core.tables import print_table
from bionet.cli.errors import StoppedError, UsageError
from bionet.cli.parser import add_plugin, load_plugins, place, whole_number
from bionet.cli.platforms import check_worker_platforms

ACTIONS = {
    "run": "run the trials that have no line yet",
    "status": "how far it has come",
    "report": "write the tables and figures",
    "compare": "hold the results of several studies, or of two runs, side by side",
}
TAKES = {
    "run": ("engine", "jobs", "address", "tune", "plugin"),
    "status": ("tune", "json", "plugin"),
    "report": ("tune", "threshold", "plugin"),
    "compare": ("out", "plugin"),
}
"""The options of each action."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which words the command takes."""
    told = "; ".join(f"{name}: {what}" for name, what in ACTIONS.items())
    parser.add_argument("action", metavar="ACTION", type=_action, help=told)
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=place,
        help="a study.py, or its directory; it is Python code, and every action runs it, so take "
        "one only from people whose programs you would run",
    )  # fmt: skip
    parser.add_argument("--engine", metavar="NAME", help="run: local processes (local), or ray")
    parser.add_argument(
        "--jobs", type=whole_number("--jobs", 1), metavar="N", help="run: trials at a time (cores)"
    )
    parser.add_argument("--address", metavar="ADDRESS", help="run: of a Ray cluster, or auto")
    parser.add_argument(
        "--tune", type=whole_number("--tune", 1), metavar="N",
        help="run, status, report: tuning trials per arm, instead of the study's number",
    )  # fmt: skip
    add_plugin(parser)
    parser.add_argument("--json", action="store_true", help="status: print JSON")
    parser.add_argument(
        "--threshold", type=_level, action="append", metavar="VALUE",
        help="report: a level of the metric on validation data, such as 0.95; may come repeatedly",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        metavar="DIRECTORY",
        type=place,
        help="compare: write compare.md and heat maps there too",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command and returns the exit code."""
    _refuse_strangers(options)
    load_plugins(options.plugin)
    if options.action == "compare":
        _keep_to_cpu()
        print(import_module("bionet.studies.report.compare").compare(options.paths, options.out))
        return 0
    if len(options.paths) > 1:
        raise UsageError(f"`bionet study {options.action}` takes one PATH; give one at a time.")
    if options.action == "report":
        _keep_to_cpu()
        written = import_module("bionet.studies.report.report").write_report(
            options.paths[0], thresholds=options.threshold or (), tune=options.tune
        )
        print(f"The report is in {written}.")
        return 0
    return _status(options) if options.action == "status" else _run(options)


def _action(word: str) -> str:
    if word not in ACTIONS:
        raise UsageError(unknown("action of `bionet study`", word, ACTIONS))
    return word


def _level(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"Option --threshold needs a number, such as 0.95, got {word!r}.")
    return value


def _refuse_strangers(options: argparse.Namespace) -> None:
    """Options that another action takes."""
    takes = TAKES[options.action]
    for name in dict.fromkeys(each for names in TAKES.values() for each in names):
        if getattr(options, name) not in (None, False, []) and name not in takes:
            raise UsageError(f"`bionet study {options.action}` has no option '--{name}'.")


def _run(options: argparse.Namespace) -> int:
    platforms = _keep_to_cpu()
    if options.engine != "ray":  # on a cluster the devices are elsewhere
        check_worker_platforms(platforms)
    from bionet.studies.run.progress import telling
    from bionet.studies.run.runner import run_study

    try:
        with telling() as tell:
            outcome = run_study(
                options.paths[0],
                engine=options.engine or "local",
                jobs=options.jobs,
                address=options.address,
                tune=options.tune,
                tell=tell,
                platforms=platforms,
            )
    except KeyboardInterrupt:
        raise StoppedError(
            "Stopped. Every finished trial is in the results, and the same command goes on."
        ) from None
    print(_describe(outcome.finished, outcome.missing))
    if not outcome.missing:
        tune = "" if options.tune is None else f" --tune {options.tune}"
        print(f"Next: bionet study report {options.paths[0]}{tune}")
    for told in outcome.failed:
        print(told, file=sys.stderr)
    if outcome.failed:
        print("Failures are in failures.jsonl; the same command tries again.", file=sys.stderr)
    return 1 if outcome.failed else 0


def _describe(finished: int, missing: int) -> str:
    ran = "1 trial was run" if finished == 1 else f"{finished} trials were run"
    return f"{ran}, {missing or 'none'} {'is' if missing < 2 else 'are'} missing."


def _status(options: argparse.Namespace) -> int:
    _keep_to_cpu()
    from bionet.studies.design.loading import load_study
    from bionet.studies.run.progress import Progress
    from bionet.studies.run.runner import with_tuning
    from bionet.studies.run.status import make_status
    from bionet.studies.run.store import read_results

    file = load_study(options.paths[0])
    study = with_tuning(file.study, options.tune)
    found = make_status(study, read_results(file.results, study.name))
    if options.json:
        print(json.dumps(_counts(found), indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    console.print(study.question, markup=False)
    print_table(console, Progress.of(found).table())
    for told in (found.read.told(), found.stale_note()):
        if told:
            print(told)
    return 0


def _counts(found: Any) -> dict[str, Any]:
    arms = {
        name: {
            "tuned": len(arm.tuning),
            "to_tune": arm.tuning_trials,
            "done": len(arm.done),
            "missing": [trial.seed for trial in arm.missing],
        }
        for name, arm in found.arms.items()
    }
    named = {"study": found.study.name, "question": found.study.question}
    stale = {"stale": found.stale, "retuned": found.retuned}
    return {**named, "arms": arms, **stale, "corrupted": found.read.corrupted}


def _keep_to_cpu() -> str | None:
    """Leaves an accelerator to the workers; returns what JAX_PLATFORMS is to say there."""
    if "jax" in sys.modules:
        return None
    said = os.environ.get("JAX_PLATFORMS", "")
    os.environ["JAX_PLATFORMS"] = "cpu"
    return said
