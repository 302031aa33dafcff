"""The layers of the library: who may import whom, and that the check itself bites."""

import ast
import shutil
import tomllib
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"

# From the top down; what stands in one line does not import one another.
LAYERS = [
    {"cli"},
    {"studies"},
    {"zoo"},
    {"workloads"},
    {"experimental", "interop", "plotting"},
    {"training"},
    {"graph"},
    {"orchestrators"},
    {"layer_maps"},
    {"modules"},
    {"rules", "states", "datasets"},
    {"kernels"},
    {"_core"},
]


def test_a_layer_imports_only_from_the_ones_under_it(run_python):
    result = run_python("-c", LINT, "--no-logo", "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("path", "line", "told"),
    [
        (
            "_core/names.py",
            "import bionet.rules",
            "bionet._core is not allowed to import bionet.rules",
        ),
        (
            "states/sequential.py",
            "from bionet.rules import perceptron",
            "bionet.states is not allowed to import bionet.rules",
        ),
        ("helpers.py", "import math", "bionet.helpers"),
    ],
)
def test_an_import_upwards_or_a_new_room_breaks_the_contract(
    root, run_python, tmp_path, path, line, told
):
    src = tmp_path / "src"
    shutil.copytree(root / "src", src, ignore=shutil.ignore_patterns("__pycache__"))
    with (src / "bionet" / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = run_python("-c", LINT, "--no-logo", "--no-cache", src=src)
    assert result.returncode == 1
    assert told in result.stdout


def test_the_contract_is_the_house(root):
    config = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    (contract,) = config["tool"]["importlinter"]["contracts"]
    rows = [{name.strip(" ()") for name in row.split("|")} for row in contract["layers"]]
    assert rows == LAYERS
    assert contract["exhaustive"] is True


def test_inside_the_library_names_are_imported_from_their_homes(sources):
    # `from bionet import fit` would reach any layer through the package, unseen by the contract.
    rooms = set().union(*LAYERS) | {"__version__"}
    offenders = [
        f"{path}:{node.lineno} imports {alias.name}"
        for path, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "bionet" and node.level == 0
        for alias in node.names
        if alias.name not in rooms
    ]
    assert offenders == []


def test_the_top_level_folders_are_the_known_ones(root, project_files):
    known = {".ci", ".github", "docs", "research", "src", "tests"}
    paths: list[Path] = [path.relative_to(root) for path in project_files]
    assert {path.parts[0] for path in paths if len(path.parts) > 1} <= known
    assert {path.parts[1] for path in paths if path.parts[0] == "src"} == {"bionet"}
