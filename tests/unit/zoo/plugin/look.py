"""Finds, filters and runs the plug-in as a user would, and prints what came of it as JSON."""

import contextlib
import io
import json
import sys

from bionet import zoo
from bionet.cli import main


def command(*words):
    """The exit code of a command, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(words)
    return code, out.getvalue()


def ids(**tags):
    """The ids with these tags."""
    return [spec.id for spec in zoo.list_recipes(**tags)]


told = {
    "of the application": ids(application="toys"),
    "of the method": ids(method="two-phase"),
    "of both": ids(method="two-phase", application="toys"),
    "of another application": ids(method="two-phase", application="prototypes"),
    "in the matrix": zoo.matrix()["two-phase"]["toys"],
    "loaded by looking": "jax" in sys.modules,
    "list": command("list", "--application", "toys", "--method", "two-phase", "--json"),
    "doctor": command("doctor", "--json"),
}
with contextlib.redirect_stdout(io.StringIO()) as table:
    demo = zoo.get("toys-local").demo(2, progress=False)
told |= {
    "losses": list(demo),
    "table": table.getvalue(),
    "of the zoo itself": zoo.get("prototypes-local").id,
    "run": command("run", "toys-local", "--set", "hidden=4", "--out", "there", "--epochs", "1"),
}
print(json.dumps(told))
