"""The cache of compiled programs: where it is, that it is used, and that it stays bounded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bionet._core.compile_cache import DIRECTORY, cache_folder, cache_settings, prune_cache

COUNT = """
import jax, jax.monitoring, sys
from bionet._core.compile_cache import switch_on_cache
seen = []
jax.monitoring.register_event_listener(lambda name, **_: seen.append(name))
print(switch_on_cache())
from bionet import zoo
recipe = zoo.get("prototypes-local").replace(samples=64, hidden=8)
recipe.fit(epochs=1, progress=False)
print(sum(name.endswith("cache_misses") for name in seen))
"""


def run_python(*words):
    """Runs Python as a new process, with the settings of now."""
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No settings of whoever runs the tests."""
    for name in (DIRECTORY, "BIONET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("JAX_PERSISTENT_CACHE")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        ({}, "~/.cache/bionet/compiled"),
        ({"XDG_CACHE_HOME": "/there"}, "/there/bionet/compiled"),
        ({"BIONET_CACHE": "~/mine", "XDG_CACHE_HOME": "/there"}, "~/mine"),
    ],
)
def test_the_folder_is_the_users_cache_or_the_one_that_is_named(monkeypatch, settings, folder):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder).expanduser()
    assert cache_settings()[DIRECTORY] == str(Path(folder).expanduser())


def test_off_is_off(monkeypatch):
    monkeypatch.setenv("BIONET_CACHE", "off")
    assert cache_folder() is None
    assert cache_settings() == {}


def test_what_the_user_has_told_jax_stays(monkeypatch):
    monkeypatch.setenv(DIRECTORY, "/mine")
    assert cache_settings()[DIRECTORY] == "/mine"


@pytest.mark.slow
def test_a_second_process_compiles_nothing_that_a_run_needs(monkeypatch, tmp_path):
    """A call back to the host in any program of a run would have it compiled again."""
    monkeypatch.setenv("BIONET_CACHE", str(tmp_path / "programs"))
    results = [run_python("-c", COUNT) for _ in range(2)]
    assert [result.returncode for result in results] == [0, 0], results[0].stderr
    (where, first), (_, second) = (result.stdout.split() for result in results)
    assert where == str(tmp_path / "programs")
    assert int(first) > 10
    assert int(second) == 0


def test_a_folder_that_cannot_be_made_leaves_it_off(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIONET_CACHE", str(tmp_path / "file" / "below"))
    code = "from bionet._core.compile_cache import switch_on_cache; print(switch_on_cache())"
    result = run_python("-c", code)
    assert (result.returncode, result.stdout.strip()) == (0, "None"), result.stderr


def test_the_oldest_programs_go_when_there_are_too_many(tmp_path):
    for age, name in enumerate(("new", "old", "older")):
        path = tmp_path / name
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    prune_cache(tmp_path, largest=300)
    assert len(list(tmp_path.iterdir())) == 3
    prune_cache(tmp_path, largest=250)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
