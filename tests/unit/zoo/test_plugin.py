"""A plug-in as other people write one: installed by pip, then found, filtered and run.

Beside it another one is installed whose import fails.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bionet import zoo

pytestmark = pytest.mark.slow  # pip installs packages

HERE = Path(__file__).parent / "plugin"
SOURCE = Path(zoo.__file__).parents[2]


def run(*words, **options):
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed both packages, without the network."""
    for needed in ("pip", "hatchling"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs {needed}, which the extra 'dev' or venv brings")
    packages, target = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("site")
    shutil.copytree(HERE, packages, dirs_exist_ok=True)
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    both = [packages / "toy", packages / "broken"]
    run("-m", "pip", "--isolated", "install", "-q", *offline, "--target", target, *both)
    return target


@pytest.fixture(scope="module")
def found(site, tmp_path_factory):
    """What a new process finds there."""
    paths = os.pathsep.join([str(SOURCE), str(site)])
    folder = tmp_path_factory.mktemp("user")
    told = run(HERE / "look.py", env=os.environ | {"PYTHONPATH": paths}, cwd=folder)
    return json.loads(told) | {"left": sorted(path.name for path in (folder / "there").iterdir())}


def test_it_is_found_among_the_others_by_its_tags(found):
    assert found["of the application"] == found["of both"] == ["toys-local"]
    assert found["of the method"][-1] == "toys-local"
    assert "prototypes-local" in found["of the method"]
    assert "toys-local" not in found["of another application"] != []
    assert found["in the matrix"] == ["toys-local"]
    assert found["loaded by looking"] is False


def test_it_runs(found):
    assert len(found["losses"]) == 2
    assert all(0 <= loss < 10 for loss in found["losses"])
    assert "nearest class mean" in found["table"]


def test_the_command_line_lists_and_runs_it(found):
    code, out = found["list"]
    assert code == 0
    (spec,) = json.loads(out)
    assert (spec["id"], spec["entry_point"]) == ("toys-local", "toy_recipes.toys_local:RECIPE")
    code, out = found["run"]
    assert code == 0
    assert "Everything is in there" in out
    assert {"config.json", "metrics.jsonl", "result.json"} < set(found["left"])


def test_a_plug_in_that_fails_to_import_breaks_nothing_and_is_named(found):
    assert found["of the zoo itself"] == "prototypes-local"
    code, out = found["doctor"]
    assert code == 0
    assert json.loads(out)["plug-ins that failed"] == {
        "broken": "broken_recipes:SPEC: ModuleNotFoundError: No module named "
        "'a_package_that_nobody_has'"
    }
