import os
import subprocess
import sys
from pathlib import Path

import pytest

from bionet import zoo
from bionet.zoo import lookup, registry
from bionet.zoo.catalogue import SPECS

PLUGIN = Path(__file__).parent / "plugin"
SOURCE = Path(zoo.__file__).parents[2]


@pytest.fixture
def fake_zoo(monkeypatch, tmp_path):
    """The zoo with the fake recipe in it, in an empty working directory."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.chdir(tmp_path)
    import fake_recipe

    own = registry.Registry([*SPECS, fake_recipe.SPEC])
    monkeypatch.setattr(registry, "REGISTRY", own)
    monkeypatch.setattr(lookup, "REGISTRY", own)
    monkeypatch.setattr(zoo, "REGISTRY", own)
    return own


@pytest.fixture
def command(capsys):
    """Calls `main` and returns the exit code, what it printed and what it complained of."""
    from bionet.cli import main

    def call(*words):
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def refused(command):
    """Calls `main` with words that it must refuse, and returns the sentence."""

    def call(*words):
        code, out, err = command(*words)
        assert (code, out) == (2, "")
        assert "Traceback" not in err
        assert err.count("\n") == 1
        return err.strip()

    return call


@pytest.fixture
def plugin_environment(tmp_path):
    """Environment variables with which a new process finds the fake recipe as a plug-in."""
    site = tmp_path / "site"
    about = site / "fake_package-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[bionet.recipes]\nfake = fake_recipe:several\n")
    paths = [str(SOURCE), str(PLUGIN), str(site)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def process(plugin_environment, tmp_path):
    """Runs `python -m bionet` in a new process."""

    def call(*words, **environment):
        return subprocess.run(
            [sys.executable, "-m", "bionet", *words],
            env=plugin_environment | environment, cwd=tmp_path, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    return call
