"""What no file of the project may hold: this machine's paths, registry addresses, data."""

import re

import pytest

import bionet

MOST_BYTES = 1024 * 1024
LOCAL_PATH = re.compile(r"/(?:work|root)/|/tmp/[a-z]|/home/[a-z]+/|[A-Z]:\\Users\\")
# Written in parts, so that this file does not name them either.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
REGISTRY = re.compile(
    "|".join(map(re.escape, HOSTS)) + r"|deb\.debian|--(?:extra-)?index-(?:url)|--find-(?:links)"
)
DATA = (".gz", ".npy", ".npz", ".pkl", ".pickle", ".parquet", ".zip")


def lines_with(paths, pattern):
    """Place and text of every line of a text file that the pattern is in."""
    found = []
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_the_list_of_files_is_no_empty_one(root, project_files):
    assert {root / "pyproject.toml", root / "src/bionet/__init__.py"} <= set(project_files)


def test_no_file_names_a_path_of_one_machine(project_files):
    assert lines_with(project_files, LOCAL_PATH) == []


def test_no_file_names_a_registry(project_files):
    assert lines_with(project_files, REGISTRY) == []


def test_no_data_is_kept_in_the_project(root, project_files):
    offenders = [
        str(path.relative_to(root))
        for path in project_files
        if path.suffix in DATA or path.stat().st_size > MOST_BYTES
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (LOCAL_PATH, "data = '" + "/".join(["", "home", "ada", "mnist"]) + "'"),
        (LOCAL_PATH, "cd " + "/".join(["", "work", "main"])),
        (REGISTRY, "pip install --index" + "-url=x"),
        (REGISTRY, f"see https://{HOSTS[0]}/project"),
    ],
)
def test_the_patterns_find_what_they_look_for(tmp_path, pattern, line):
    (tmp_path / "planted.txt").write_text(f"first\n{line}\n", "utf-8")
    (found,) = lines_with([tmp_path / "planted.txt"], pattern)
    assert f":2: {line[:20]}" in found
    assert lines_with([tmp_path / "planted.txt"], re.compile("absent")) == []


def test_every_pinned_version_is_only_a_version(root):
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 50
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


def test_the_version_is_one(root):
    cited = re.search(r"^version: (.+)$", (root / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    assert cited[1] == bionet.__version__
    assert f"## {bionet.__version__}" in (root / "CHANGELOG.md").read_text("utf-8")
